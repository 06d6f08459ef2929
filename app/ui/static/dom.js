/** Elements whose texts are always text: nothing here reads markup. */

/**
 * A new element. Properties named `on...` listen, booleans and `value` are set as properties, all others
 * as attributes.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] null and undefined are left out
 * @param {...(Node|string|null)} children texts become text nodes
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = /** @type {any} */ (document.createElement(tag));
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean" || name === "value") made[name] = value;
    else if (value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * The element of an id that the page is known to have.
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

/**
 * The texts and words between backticks of a sentence.
 * @param {string} sentence
 */
export function prose(sentence) {
  const parts = sentence.split("`");
  return parts.map((part, place) =>
    place % 2 && place + 1 < parts.length ? element("code", {}, part) : part,
  );
}

/**
 * A number in three digits; a dash for none.
 * @param {number|null|undefined} value
 */
export function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

/**
 * So many of what a word says.
 * @param {number} count
 * @param {string} word for one
 */
export const quantity = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** @param {number} share from 0 to 1 */
export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** What is unique in this page, for ids that labels and hints refer to. */
export const unique = (() => {
  let count = 0;
  return () => `u${(count += 1)}`;
})();

/**
 * Run at most once a frame, however often it is called.
 * @param {() => void} work
 */
export function eachFrame(work) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      work();
    });
  };
}

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));
