/** One zoom, one place and one cursor for all panels. */

import { byId, eachFrame } from "./dom.js";

const MOST = 16;
const STEP = 1.5;
const MOVE = 0.02; // of the image, with every press of an arrow

export class View {
  /** @param {HTMLElement} grid */
  constructor(grid) {
    this.grid = grid;
    this.zoom = 1;
    this.x = 0; // of the image's left upper corner, as shares of a stage
    this.y = 0;
    /** @type {{u: number, v: number}|null} */
    this.cursor = null;
    this.onread = (/** @type {{u: number, v: number}|null} */ _cursor) => {};
    this.onmove = () => {};
    this.apply = eachFrame(() => this.write());
    this.listenToPointer();
    grid.addEventListener("keydown", (event) => this.press(event));
    byId("zoom-in").addEventListener("click", () => this.zoomBy(STEP));
    byId("zoom-out").addEventListener("click", () => this.zoomBy(1 / STEP));
    byId("zoom-reset").addEventListener("click", () => this.zoomBy(0));
  }

  listenToPointer() {
    const { grid } = this;
    /** @type {{x: number, y: number, stage: Element}|null} */
    let held = null;
    grid.addEventListener("pointerdown", (event) => {
      const stage = stageOf(event);
      if (stage && event.button === 0) held = { x: event.clientX, y: event.clientY, stage };
    });
    addEventListener("pointerup", () => (held = null));
    addEventListener("pointercancel", () => (held = null));
    grid.addEventListener("pointermove", (event) => {
      if (held) {
        const { width, height } = held.stage.getBoundingClientRect();
        this.x += (event.clientX - held.x) / width;
        this.y += (event.clientY - held.y) / height;
        held = { ...held, x: event.clientX, y: event.clientY };
      }
      const stage = stageOf(event);
      if (stage) this.point(shares(event, stage));
    });
    grid.addEventListener("pointerleave", () => this.point(null));
    grid.addEventListener(
      "wheel",
      (event) => {
        const stage = stageOf(event);
        if (!stage || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / 200), shares(event, stage));
      },
      { passive: false },
    );
    grid.addEventListener("dblclick", (event) => {
      const stage = stageOf(event);
      if (stage) this.zoomBy(event.shiftKey ? 0 : 2, shares(event, stage));
    });
  }

  /**
   * Zoom about a place of the stage; a factor of 0 shows the whole image.
   * @param {number} factor
   * @param {{x: number, y: number}} [about]
   */
  zoomBy(factor, about = { x: 0.5, y: 0.5 }) {
    const next = Math.min(MOST, Math.max(1, this.zoom * factor));
    this.x = about.x - ((about.x - this.x) * next) / this.zoom;
    this.y = about.y - ((about.y - this.y) * next) / this.zoom;
    this.zoom = next;
    this.apply();
  }

  /** @param {{x: number, y: number}|null} place as shares of a stage; null when the pointer has left */
  point(place) {
    this.cursor = place && { u: (place.x - this.x) / this.zoom, v: (place.y - this.y) / this.zoom };
    this.apply();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (!stageOf(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    })[event.key];
    if (step && event.shiftKey) this.pan(step);
    else if (step) this.move(step);
    else if (event.key === "+" || event.key === "=") this.zoomBy(STEP, this.place());
    else if (event.key === "-") this.zoomBy(1 / STEP, this.place());
    else if (event.key === "0") this.zoomBy(0);
    else return;
    event.preventDefault();
  }

  /** @param {[number, number]} step */
  pan([right, down]) {
    this.x -= 5 * MOVE * right;
    this.y -= 5 * MOVE * down;
    this.apply();
  }

  /** @param {[number, number]} step */
  move([right, down]) {
    const { u, v } = this.cursor ?? { u: 0.5, v: 0.5 };
    const kept = (/** @type {number} */ value) => Math.min(0.999, Math.max(0, value));
    this.cursor = { u: kept(u + (MOVE * right) / this.zoom), v: kept(v + (MOVE * down) / this.zoom) };
    this.apply();
  }

  /** Where the cursor is on the stage. */
  place() {
    return this.cursor
      ? { x: this.cursor.u * this.zoom + this.x, y: this.cursor.v * this.zoom + this.y }
      : undefined;
  }

  write() {
    this.x = Math.min(0, Math.max(1 - this.zoom, this.x));
    this.y = Math.min(0, Math.max(1 - this.zoom, this.y));
    const { style } = this.grid;
    style.setProperty("--zoom", String(this.zoom));
    style.setProperty("--x", String(this.x));
    style.setProperty("--y", String(this.y));
    this.grid.classList.toggle("zoomed", this.zoom > 1);
    this.grid.classList.toggle("pointed", this.cursor !== null);
    const place = this.place();
    if (place) {
      style.setProperty("--cross-x", `${100 * place.x}%`);
      style.setProperty("--cross-y", `${100 * place.y}%`);
    }
    byId("zoom-value").textContent = `${Math.round(100 * this.zoom)} %`;
    this.onread(this.cursor);
    this.onmove();
  }
}

/** @param {Event} event */
const stageOf = (event) => (event.target instanceof Element ? event.target.closest(".stage") : null);

/**
 * @param {MouseEvent} event
 * @param {Element} stage
 */
function shares(event, stage) {
  const { left, top, width, height } = stage.getBoundingClientRect();
  return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
}
