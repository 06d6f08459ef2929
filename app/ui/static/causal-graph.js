/** A causal graph to look at: drawn on two canvases, pointed at by hand or by keys. */

import { layoutOf } from "./causal-layout.js";
import { Pen } from "./causal-pen.js";
import { eachFrame, element } from "./dom.js";

const NEAR = 11; // pixels within which a node is meant

/**
 * @typedef {import("./causal-layout.js").Spot} Spot
 * @typedef {{point: (spot: Spot|null) => void, pick: (layer: string, spot: Spot|null) => void}} Told
 */

export class CausalGraph {
  /**
   * @param {any} graph
   * @param {Told} told of the node that is pointed at, and of a layer or a node that is picked
   */
  constructor(graph, told) {
    this.graph = graph;
    this.told = told;
    /** @type {Spot|null} */
    this.pointed = null;
    /** @type {Spot|null} */
    this.picked = null;
    this.all = element("canvas", { class: "all" });
    this.some = element("canvas", { class: "some" });
    this.names = element("div", { class: "names" });
    this.sheet = element(
      "div",
      { class: "sheet", tabindex: 0, role: "group", "aria-label": `Causal graph of ${graph.label}` },
      this.all,
      this.some,
    );
    this.root = element("div", { class: "causal" }, this.sheet, this.names);
    this.layout = layoutOf(graph, 0);
    this.draw = eachFrame(() => this.paint());
    this.stress = eachFrame(() => this.paintUpon());
    this.listen();
  }

  listen() {
    const { sheet } = this;
    sheet.addEventListener("pointermove", (/** @type {MouseEvent} */ event) => this.point(this.near(event)));
    sheet.addEventListener("pointerleave", () => this.point(null));
    sheet.addEventListener("blur", () => this.point(null));
    sheet.addEventListener("click", (/** @type {PointerEvent} */ event) => {
      const spot = this.near(event);
      if (spot?.node) this.pick(spot);
    });
    sheet.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.press(event));
    new ResizeObserver(() => this.fit()).observe(this.root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.draw);
  }

  /** Lay the graph out anew when the room has changed. */
  fit() {
    const room = this.root.clientWidth;
    if (!room || room === this.room) return;
    const isFirst = this.room === undefined;
    this.room = room;
    this.layout = layoutOf(this.graph, room);
    const same = (/** @type {Spot|null} */ spot) => spot && this.at(spot.column, spot.row);
    [this.pointed, this.picked] = [same(this.pointed), same(this.picked)];
    const { width, height, columns, target } = this.layout;
    this.sheet.style.inlineSize = this.names.style.inlineSize = `${width}px`;
    this.sheet.style.blockSize = `${height}px`;
    this.names.replaceChildren(...columns.map((column) => this.name(column)), this.classOf(target));
    if (isFirst) this.root.scrollLeft = width; // the graph is read from the class down
    this.draw();
  }

  /** @param {import("./causal-layout.js").Column} column */
  name({ layer, x, room, left }) {
    const count = (/** @type {string} */ role) =>
      layer.nodes.filter((/** @type {any} */ node) => node.role === role).length;
    const found = `${count("necessary")} necessary and ${count("distracting")} distracting`;
    const words = `${found} of ${layer.nodes.length}`;
    const made = element(
      "button",
      {
        type: "button",
        class: "quiet layer",
        title: `${layer.name}: ${words}`,
        "aria-label": `Layer ${layer.name}: ${words}`,
        onclick: () => this.told.pick(layer.name, this.take(null)),
      },
      element("span", { class: "name" }, element("bdi", {}, layer.name)),
      element("span", { class: "necessary" }, `● ${count("necessary")}`),
      element("span", { class: "distracting" }, `■ ${count("distracting")}`),
      element("span", {}, left ? `${left} not shown` : `of ${layer.nodes.length}`),
    );
    made.style.insetInlineStart = `${x + 3}px`;
    made.style.inlineSize = `${room - 6}px`;
    return made;
  }

  /** @param {Spot} target */
  classOf({ x }) {
    const made = element("p", { class: "class-name" }, this.graph.label);
    made.style.insetInlineStart = `${x - 9}px`;
    return made;
  }

  /**
   * The node at a place of the layout; the nearest one below it where there are fewer.
   * @param {number} column
   * @param {number} row
   */
  at(column, row) {
    const spots = this.layout.columns[column]?.spots;
    return spots?.[Math.min(row, spots.length - 1)] ?? null;
  }

  /** @param {MouseEvent} event */
  near(event) {
    const { left, top } = this.sheet.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const all = [...this.layout.columns.flatMap(({ spots }) => spots), this.layout.target];
    const far = (/** @type {Spot} */ spot) => Math.hypot(spot.x - x, spot.y - y);
    const best = all.reduce((one, other) => (far(other) < far(one) ? other : one));
    return far(best) <= NEAR ? best : null;
  }

  /** @param {Spot|null} spot */
  point(spot) {
    if (spot === this.pointed) return;
    this.pointed = spot;
    this.sheet.classList.toggle("over", spot !== null);
    this.told.point(spot ?? this.picked);
    this.stress();
  }

  /** @param {Spot} spot */
  pick(spot) {
    this.take(spot);
    this.told.pick(spot.layer, spot);
  }

  /**
   * Mark a node as picked, or none.
   * @param {Spot|null} spot
   */
  take(spot) {
    this.picked = spot;
    this.stress();
    return spot;
  }

  /**
   * Mark a node that was picked elsewhere.
   * @param {string} layer
   * @param {number} index
   */
  mark(layer, index) {
    const column = this.layout.columns.find((each) => each.layer.name === layer);
    this.take(column?.spots.find(({ node }) => node.index === index) ?? null);
    this.told.point(this.picked);
    this.bringIntoView(this.picked);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { columns } = this.layout;
    if (!columns.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.pointed?.node ? this.pointed : this.picked;
    const { column, row } = now ?? { column: columns.length - 1, row: 0 };
    const last = (columns[column]?.spots.length ?? 1) - 1;
    const next = /** @type {Record<string, () => [number, number]>} */ ({
      ArrowUp: () => [column, this.pointed ? Math.max(0, row - 1) : row],
      ArrowDown: () => [column, this.pointed ? Math.min(last, row + 1) : row],
      ArrowLeft: () => [Math.max(0, this.pointed ? column - 1 : column), row],
      ArrowRight: () => [Math.min(columns.length - 1, this.pointed ? column + 1 : column), row],
      Home: () => [0, 0],
      End: () => [columns.length - 1, 0],
    })[event.key];
    if (next) {
      const spot = this.at(...next());
      this.point(spot);
      this.bringIntoView(spot);
    } else if ((event.key === "Enter" || event.key === " ") && this.pointed?.node) this.pick(this.pointed);
    else return;
    event.preventDefault();
  }

  /** @param {Spot|null} spot */
  bringIntoView(spot) {
    if (!spot) return;
    const { clientWidth, scrollLeft } = this.root;
    if (spot.x < scrollLeft + 40 || spot.x > scrollLeft + clientWidth - 40) {
      this.root.scrollLeft = spot.x - clientWidth / 2;
    }
  }

  paint() {
    const pen = new Pen(this.all, this.layout);
    this.layout.lines.forEach((line) => pen.line(line, 0.08 + 0.42 * line.strength));
    this.layout.columns.forEach(({ spots }) => spots.forEach((spot) => pen.spot(spot)));
    pen.spot(this.layout.target);
    this.paintUpon();
  }

  /** What is pointed at, or else picked, upon all the rest. */
  paintUpon() {
    const shown = this.pointed ?? this.picked;
    this.sheet.classList.toggle("dim", shown !== null);
    const pen = new Pen(this.some, this.layout);
    const lines = shown ? this.layout.lines.filter(({ from, to }) => from === shown || to === shown) : [];
    lines.forEach((line) => pen.line(line, 0.45 + 0.55 * line.strength));
    new Set(lines.flatMap(({ from, to }) => [from, to])).forEach((spot) => pen.spot(spot));
    if (shown) pen.spot(shown);
    for (const spot of [this.pointed, this.picked]) if (spot) pen.ring(spot);
  }
}
