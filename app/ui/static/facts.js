/** What stands below a map: trust, predictions, provenance and the files. */

import { call, read, Refusal } from "./api.js";
import { element, figure, percent } from "./dom.js";
import { trustOf } from "./trust.js";

/**
 * @param {any} document
 * @param {any} target
 * @param {{look: import("./look.js").Look, erase: () => Promise<void>}} options
 * @returns {HTMLElement[]}
 */
export function factsOf(document, target, options) {
  return [
    trustBlock(document, target),
    block("Predictions", predictions(document.predictions)),
    block("Provenance", provenance(document, target)),
    files(document, target, options),
  ];
}

/**
 * @param {string} title
 * @param {...Node} content
 */
const block = (title, ...content) =>
  element("details", { class: "block" }, element("summary", {}, title), ...content);

/**
 * What is known of the method as such may come later: it is asked for again when the block is opened.
 * @param {any} document
 * @param {any} target
 */
function trustBlock(document, target) {
  const found = trustOf(document.trust, target.index);
  const warnings =
    document.trust.targets.find((/** @type {any} */ each) => each.index === target.index)?.findings.length ??
    0;
  const made = block(warnings ? `Trust: ${warnings} to know` : "Trust", element("div", {}, ...found));
  made.addEventListener("toggle", async () => {
    if (!made.open || document.trust.pair) return;
    const again = await read(document.links.self).catch(() => document);
    document.trust = again.trust ?? document.trust;
    made.lastChild.replaceChildren(...trustOf(document.trust, target.index));
  });
  return made;
}

/** @param {any[]} found */
function predictions(found) {
  const rows = found.map((each) =>
    element(
      "li",
      {},
      element("span", {}, each.label),
      element("span", { class: "number" }, percent(each.score)),
    ),
  );
  return element("ol", { class: "predictions" }, ...rows);
}

/**
 * @param {any} document
 * @param {any} target
 */
function provenance(document, target) {
  const { method, model, provenance: from, timings } = document;
  const { map } = target;
  const seconds =
    timings && `${figure(timings.queued_s)} s waiting, ${figure(timings.compute_s)} s computing`;
  /** @type {[string, unknown][]} */
  const rows = [
    ["id", document.id],
    ["method", `${method.name} ${method.version} ${JSON.stringify(method.params)}`],
    ["model", `${model.id} ${model.digest}`],
    ["class", `${target.label} (${target.index}), ${percent(target.score)}, rank ${target.rank}`],
    ["map", `${map.height} × ${map.width}, ${figure(map.min)} to ${figure(map.max)}`],
    ["computed on", map.native_grid.join(" × ")],
    ["layer", map.layer],
    ["samples", map.samples === null ? null : `${map.samples}${map.stopped ? `, ${map.stopped}` : ""}`],
    ["gap", map.gap === null ? null : figure(map.gap)],
    ["image", from.image],
    ["reference", from.reference],
    ["mask", from.mask],
    ["preprocessing", from.preprocessing.map((/** @type {any} */ step) => JSON.stringify(step)).join(" ")],
    ["seed", from.seed],
    ["device", `${from.device}, ${from.dtype}, batch of ${from.batch_size}`],
    [
      "versions",
      Object.entries(from.versions)
        .map((pair) => pair.join(" "))
        .join(", "),
    ],
    ["time", seconds],
  ];
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  return element(
    "dl",
    {},
    ...shown.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
  );
}

/**
 * @param {any} document
 * @param {any} target
 * @param {{look: import("./look.js").Look, erase: () => Promise<void>}} options
 */
function files(document, target, { look, erase }) {
  const { heatmap, overlay } = target.links;
  const name = `${document.method.name}-${target.label}`.toLowerCase().replace(/[^a-z0-9+]+/g, "-");
  /** @type {[string, string, () => string][]} */
  const kinds = [
    ["overlay.png", "Overlay", () => `${overlay}&format=png&opacity=${look.opacity}&${look.query}`],
    ["png", "PNG", () => `${heatmap}&format=png&${look.query}`],
    ["npy", "NPY", () => `${heatmap}&format=npy`],
    ["json", "JSON", () => `${heatmap}&format=json`],
  ];
  const wrong = element("p", { class: "problem", role: "alert", hidden: true });
  const attempt = (/** @type {() => Promise<void>} */ work) => async () => {
    wrong.hidden = true;
    await work().catch((error) => {
      if (!(error instanceof Refusal)) throw error;
      wrong.textContent = error.message;
      wrong.hidden = false;
    });
  };
  const buttons = kinds.map(([ending, title, address]) =>
    element(
      "button",
      { type: "button", class: "quiet", onclick: attempt(() => save(address(), `${name}.${ending}`)) },
      title,
    ),
  );
  const erasing = element("button", { type: "button", class: "quiet", onclick: attempt(erase) }, "Erase");
  return element("div", { class: "files" }, ...buttons, erasing, wrong);
}

/**
 * Save the bytes of a path under a name.
 * @param {string} path
 * @param {string} name
 */
export async function save(path, name) {
  const url = URL.createObjectURL(await (await call(path)).blob());
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
