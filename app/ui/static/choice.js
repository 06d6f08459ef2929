/** Lists to choose many from: methods by family, metrics by aspect, each with the form of its parameters. */

import { element, figure, prose, unique } from "./dom.js";
import { parameterForm } from "./form.js";

/**
 * What was chosen: its card, the values of its form, the files beside it, and where its messages are shown.
 * @typedef {object} Chosen
 * @property {any} card
 * @property {Object<string, unknown>} values
 * @property {Object<string, File>} files
 * @property {HTMLElement} root
 *
 * How a list is made: the group of a card, the name before its parameters, the files that it needs, what is
 * chosen at first, and who is told of changes.
 * @typedef {object} Options
 * @property {(card: any) => string} group
 * @property {(card: any) => string} prefix
 * @property {(card: any) => string[]} files
 * @property {string[]} [preset]
 * @property {() => void} changed
 */

/**
 * Fill an element with the cards in groups.
 * @param {HTMLElement} root
 * @param {any[]} cards
 * @param {Options} options
 * @returns {() => Chosen[]} in the order of the menu
 */
export function choiceList(root, cards, options) {
  const rows = cards.map((card) => row(card, options));
  const groups = Map.groupBy(rows, ({ card }) => options.group(card));
  root.replaceChildren(...[...groups].map(([name, members]) => group(name, members)));
  return () => rows.filter(({ box }) => box.checked).map(({ card, chosen }) => ({ card, ...chosen() }));
}

/**
 * Hide what does not fit the words of a filter.
 * @param {HTMLElement} root
 * @param {string} words
 */
export function filterChoices(root, words) {
  const wanted = words.trim().toLowerCase();
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".choice"))) {
    each.hidden = !(each.dataset.words ?? "").includes(wanted);
  }
  for (const each of root.querySelectorAll("details.group")) {
    const details = /** @type {HTMLDetailsElement} */ (each);
    details.hidden = !details.querySelector(".choice:not([hidden])");
    details.open = wanted !== "" || details.querySelector("input:checked") !== null;
  }
}

/**
 * @param {any} card
 * @param {any} options
 */
function row(card, options) {
  const id = unique();
  const box = element("input", {
    type: "checkbox",
    id,
    value: card.name,
    checked: options.preset?.includes(card.name) ?? false,
  });
  const more = element("div", { class: "more", hidden: true });
  /** @type {(() => Omit<Chosen, "card">)|null} */
  let chosen = null;
  const open = () => {
    more.hidden = !box.checked;
    if (box.checked) chosen ??= unfold(card, more, options);
    options.changed();
  };
  box.addEventListener("change", open);
  const root = element(
    "div",
    { class: "choice", "data-words": `${card.name} ${card.title}`.toLowerCase() },
    element("span", { class: "box" }, box, element("label", { for: id }, card.title), cost(card)),
    more,
  );
  if (box.checked) chosen = unfold(card, more, options);
  more.hidden = !box.checked;
  return { card, box, root, chosen: () => /** @type {() => Omit<Chosen, "card">} */ (chosen)() };
}

/** @param {any} card */
function cost(card) {
  const words = `${figure(card.cost)} forward passes`;
  return element("span", { class: "cost", title: words, "aria-label": words }, figure(card.cost));
}

/**
 * @param {any} card
 * @param {HTMLElement} more
 * @param {any} options
 */
function unfold(card, more, options) {
  const form = parameterForm(card.parameters, options.prefix(card));
  const files = options.files(card).map((/** @type {string} */ name) => fileField(name));
  more.append(
    element("p", { class: "hint" }, ...prose(card.summary)),
    ...files.map((/** @type {{root: HTMLElement}} */ each) => each.root),
    form.root,
    element("p", { class: "problem refusal", role: "alert", hidden: true }),
  );
  const given = () =>
    Object.fromEntries(
      files.flatMap((/** @type {any} */ each) =>
        each.input.files[0] ? [[each.name, each.input.files[0]]] : [],
      ),
    );
  return () => ({ values: form.values(), files: given(), root: more });
}

/**
 * A control for a second image.
 * @param {string} name
 */
export function fileField(name) {
  const id = unique();
  const input = element("input", {
    type: "file",
    id,
    accept: "image/*,.tif,.tiff",
    "aria-describedby": `${id}-problem`,
  });
  const root = element(
    "div",
    { class: "field", "data-field": name },
    element("label", { for: id }, name),
    input,
    element("p", { class: "problem", id: `${id}-problem`, role: "alert", hidden: true }),
  );
  return { name, input, root };
}

/**
 * @param {string} name
 * @param {{root: HTMLElement, box: HTMLInputElement}[]} members
 */
function group(name, members) {
  const open = members.some(({ box }) => box.checked);
  const title = `${name.replaceAll("-", " ")}`;
  return element(
    "details",
    { class: "group", open },
    element("summary", {}, title, element("span", { class: "count" }, ` ${members.length}`)),
    ...members.map(({ root }) => root),
  );
}
