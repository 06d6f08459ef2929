/** How far a map can be believed: sentences first, then figures beside those of maps that know nothing. */

import { element, figure } from "./dom.js";

/**
 * @param {any} trust of a document
 * @param {number} index of the explained class
 * @returns {HTMLElement[]}
 */
export function trustOf(trust, index) {
  const target = trust.targets.find((/** @type {any} */ each) => each.index === index);
  const findings = [...(target?.findings ?? []), ...(trust.pair?.findings ?? [])];
  return [
    element("p", { class: "hint" }, "A map shows what the model used. It does not show where a finding is."),
    findings.length
      ? element("ul", { class: "findings" }, ...findings.map(finding))
      : element("p", {}, "There is nothing to warn of."),
    ...(target?.measurements ?? []).map(measurement),
    pair(trust.pair),
    ...claims(trust),
  ];
}

/** @param {{code: string, text: string}} found */
const finding = (found) => element("li", {}, element("strong", {}, found.code), ` ${found.text}`);

/** @param {any} measured */
function measurement(measured) {
  const rows = [
    ["this map", measured.value],
    ["random map", measured.random],
    ["edges", measured.edges],
  ];
  const known = rows.map(([, value]) => value).filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const span = Math.max(0, ...known) - low || 1;
  const direction = measured.higher_is_better ? "higher is better" : "lower is better";
  return element(
    "section",
    { class: "measurement" },
    element("h4", {}, measured.metric, element("span", { class: "hint" }, ` ${direction}`)),
    ...rows.map(([name, value], place) => bar(name, value, low, span, place === 0)),
  );
}

/**
 * @param {string} name
 * @param {number|null} value
 * @param {number} low the left end of the bars
 * @param {number} span
 * @param {boolean} own
 */
function bar(name, value, low, span, own) {
  const length = element("span", { class: own ? "length own" : "length" });
  if (value !== null) {
    length.style.marginInlineStart = `${(100 * (Math.min(0, value) - low)) / span}%`;
    length.style.inlineSize = `${(100 * Math.abs(value)) / span}%`;
  }
  return element(
    "div",
    { class: "measured" },
    element("span", {}, name),
    element("span", { class: "bar", "aria-hidden": "true" }, length),
    element("span", { class: "number" }, figure(value)),
  );
}

/** @param {any} known */
function pair(known) {
  if (!known) {
    return element(
      "p",
      { class: "hint" },
      "Whether this method shows what this model has learned is not known (yet).",
    );
  }
  const checks = known.checks.map((/** @type {any} */ check) => {
    const verdict = check.passed === null ? "says nothing" : check.passed ? "passed" : "failed";
    return element(
      "li",
      {},
      `${check.metric}: ${figure(check.value)}, limit ${figure(check.limit)}: ${verdict}`,
    );
  });
  return element(
    "section",
    {},
    element(
      "h4",
      {},
      "This method on this model",
      element("span", { class: "hint" }, ` ${known.images} images of noise`),
    ),
    element("ul", { class: "checks" }, ...checks),
  );
}

/** @param {{intended_use: string, validated_for: string}} trust */
function claims(trust) {
  const words = [
    ["Intended use: ", trust.intended_use],
    ["Validated for: ", trust.validated_for],
  ];
  return words.filter(([, text]) => text).map(([name, text]) => element("p", { class: "hint" }, name + text));
}
