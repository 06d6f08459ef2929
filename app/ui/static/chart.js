/** Line charts of shares from 0 to 1, pointed at by hand or by arrows. */

import { element } from "./dom.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 190;
const LEFT = 44;
const RIGHT = 20;
const TOP = 10;
const BOTTOM = 42;
const GRID = [0, 0.25, 0.5, 0.75, 1];
const LETTER = 7; // pixels of width, about

/**
 * One line: its class in the style sheet, a mark for each value, and standard deviations where it has them.
 * @typedef {object} Series
 * @property {string} name
 * @property {string} style
 * @property {"disc"|"square"|"triangle"} shape
 * @property {number[]} values
 * @property {number[]} [deviations]
 *
 * What stands below: where each value lies from 0 to 1, and what is written there.
 * @typedef {{title: string, at: number[], words: string[]}} Axis
 */

export class Chart {
  /**
   * @param {{title: string, width: number, axis: Axis, series: Series[]}} about
   * @param {(place: number|null) => void} point is told which of the values is pointed at
   */
  constructor({ title, width, axis, series }, point) {
    this.axis = axis;
    this.width = width;
    this.told = point;
    /** @type {number|null} */
    this.place = null;
    this.guide = drawing("line", { class: "guide", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.best = drawing("line", { class: "best", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    const picture = drawing(
      "svg",
      { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
      ...this.frame(),
      this.best,
      this.guide,
      ...series.filter(({ deviations }) => deviations).map((each) => this.band(each)),
      ...series.flatMap((each) => [this.line(each), ...this.marks(each)]),
    );
    this.root = element(
      "div",
      { class: "chart", tabindex: 0, role: "group", "aria-label": `${title}: arrows read the values` },
      picture,
    );
    this.picture = picture;
    this.root.addEventListener("pointermove", (/** @type {MouseEvent} */ event) => this.near(event));
    this.root.addEventListener("pointerleave", () => this.told(null));
    this.root.addEventListener("blur", () => this.told(null));
    this.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.press(event));
  }

  /** @param {number} place */
  x(place) {
    return LEFT + this.axis.at[place] * (this.width - LEFT - RIGHT);
  }

  /** @param {number} value */
  y(value) {
    return HEIGHT - BOTTOM - Math.min(1, Math.max(0, value)) * (HEIGHT - TOP - BOTTOM);
  }

  frame() {
    const right = this.width - RIGHT;
    const lines = GRID.flatMap((share) => {
      const y = this.y(share);
      const rule = drawing("line", { class: "rule", x1: LEFT, x2: right, y1: y, y2: y });
      return [rule, words(LEFT - 6, y + 4, `${100 * share} %`, "end")];
    });
    let free = 0; // words that would lie upon others are left out
    const ticks = this.axis.words.flatMap((text, place) => {
      const half = (LETTER * text.length) / 2;
      if (this.x(place) - half < free) return [];
      free = this.x(place) + half + LETTER;
      return [words(this.x(place), HEIGHT - BOTTOM + 16, text, "middle")];
    });
    return [...lines, ...ticks, words((LEFT + right) / 2, HEIGHT - 6, this.axis.title, "middle", "axis")];
  }

  /** @param {Series} series */
  line({ values, style }) {
    const points = values.map((value, place) => `${this.x(place)},${this.y(value)}`).join(" ");
    return drawing("polyline", { class: `line ${style}`, points });
  }

  /** @param {Series} series */
  band({ values, deviations = [], style }) {
    const edge = (/** @type {number} */ side) =>
      values.map((value, place) => `${this.x(place)},${this.y(value + side * deviations[place])}`);
    const points = [...edge(1), ...edge(-1).reverse()].join(" ");
    return drawing("polygon", { class: `band ${style}`, points });
  }

  /** @param {Series} series */
  marks({ values, shape, style }) {
    return values.map((value, place) => mark(shape, this.x(place), this.y(value), `mark ${style}`));
  }

  /** @param {MouseEvent} event */
  near(event) {
    const { left, width } = this.picture.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * this.width;
    const far = this.axis.at.map((_, place) => Math.abs(this.x(place) - x));
    this.told(far.indexOf(Math.min(...far)));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const last = this.axis.at.length - 1;
    const now = this.place ?? -1;
    const next = /** @type {Record<string, number>} */ ({
      ArrowLeft: Math.max(0, now - 1),
      ArrowRight: Math.min(last, now + 1),
      Home: 0,
      End: last,
    })[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.told(next);
  }

  /**
   * Show which values are pointed at.
   * @param {number|null} place
   */
  point(place) {
    this.place = place;
    this.stand(this.guide, place);
  }

  /** @param {number} place that is the best */
  mark(place) {
    this.stand(this.best, place);
  }

  /**
   * @param {Element} line
   * @param {number|null} place
   */
  stand(line, place) {
    line.setAttribute("visibility", place === null ? "hidden" : "visible");
    if (place === null) return;
    for (const name of ["x1", "x2"]) line.setAttribute(name, String(this.x(place)));
  }
}

/**
 * What the lines are.
 * @param {Series[]} series
 */
export function legend(series) {
  const key = (/** @type {Series} */ { shape, style }) =>
    drawing(
      "svg",
      { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" },
      drawing("line", { class: `line ${style}`, x1: 1, x2: 25, y1: 6, y2: 6 }),
      mark(shape, 13, 6, `mark ${style}`),
    );
  return element("ul", { class: "legend" }, ...series.map((each) => element("li", {}, key(each), each.name)));
}

/**
 * @param {string} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node|string)} children
 */
function drawing(tag, properties, ...children) {
  const made = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} text
 * @param {string} anchor
 * @param {string} [style]
 */
const words = (x, y, text, anchor, style = "tick") =>
  drawing("text", { x, y, "text-anchor": anchor, class: style }, text);

/**
 * @param {"disc"|"square"|"triangle"} shape
 * @param {number} x
 * @param {number} y
 * @param {string} style
 */
function mark(shape, x, y, style) {
  if (shape === "disc") return drawing("circle", { class: style, cx: x, cy: y, r: 3.4 });
  if (shape === "square") return drawing("rect", { class: style, x: x - 3, y: y - 3, width: 6, height: 6 });
  const points = `${x},${y - 4.4} ${x + 4.2},${y + 3} ${x - 4.2},${y + 3}`;
  return drawing("polygon", { class: style, points });
}
