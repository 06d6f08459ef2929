/** One map over its image, with what is known of it below. */

import { call } from "./api.js";
import { paintContour } from "./contour.js";
import { element, figure } from "./dom.js";
import { paintMap } from "./paint.js";

/**
 * @typedef {import("./scale.js").RelevanceMap} RelevanceMap
 * @typedef {import("./paint.js").Palettes} Palettes
 * @typedef {{url: string, width: number, height: number}} Base the image below a map
 */

export class Panel {
  /**
   * @param {string} title
   * @param {() => void} close
   */
  constructor(title, close) {
    this.title = title;
    this.subtitle = "";
    /** @type {RelevanceMap|null} */
    this.map = null;
    /** @type {Base|null} */
    this.base = null;
    this.newest = 0; // of the maps that were asked for, so that a draft never covers the result
    this.heading = element("h3", {}, title);
    this.target = element("p", { class: "target" });
    this.image = element("img", { class: "base", alt: "", hidden: true, draggable: "false" });
    this.canvas = element("canvas", { class: "map" });
    this.contour = element("canvas", { class: "contour", hidden: true });
    this.layers = element("div", { class: "layers" }, this.image, this.canvas, this.contour);
    this.stage = element(
      "div",
      { class: "stage", tabindex: 0, role: "group", "aria-label": title },
      this.layers,
      element("span", { class: "cross", "aria-hidden": "true" }),
    );
    this.progress = element("progress", { max: 1, value: 0, "aria-label": `Progress of ${title}` });
    this.state = element("p", { class: "state", role: "status" });
    this.readout = element("output", { class: "readout" });
    this.facts = element("div", { class: "facts" });
    this.closing = element("button", { type: "button", class: "quiet close", onclick: close }, "Close");
    this.root = element(
      "article",
      { class: "panel" },
      element("header", {}, element("div", {}, this.heading, this.target), this.closing),
      this.stage,
      this.readout,
      this.progress,
      this.state,
      this.facts,
    );
  }

  /** @param {string} words what the map explains */
  setSubtitle(words) {
    this.subtitle = words;
    this.target.textContent = words;
    const name = `${this.title}: ${words}`;
    this.stage.setAttribute("aria-label", name);
    this.image.alt = `The image below ${name}`;
  }

  /**
   * @param {string} state
   * @param {number} share from 0 to 1
   */
  setProgress(state, share) {
    this.progress.hidden = false;
    this.progress.value = share;
    this.state.textContent = state === "running" ? `running, ${Math.round(100 * share)} %` : state;
    this.closing.textContent = "Cancel";
    this.root.dataset.state = state;
  }

  /**
   * @param {string} state
   * @param {string} [words] why it failed
   */
  setEnd(state, words = "") {
    this.progress.hidden = true;
    this.state.textContent = words;
    this.state.classList.toggle("problem", state === "failed");
    this.closing.textContent = "Close";
    this.root.dataset.state = state;
  }

  /** @param {Base} base */
  setBase(base) {
    this.base = base;
    this.image.src = base.url;
    this.image.hidden = false;
    this.stage.style.aspectRatio = `${base.width} / ${base.height}`;
    this.place();
  }

  /** @param {RelevanceMap} map */
  setMap(map) {
    this.map = map;
    this.place();
  }

  /** Lay the map upon its box. */
  place() {
    if (!this.map || !this.base) return;
    const { x0, y0, x1, y1 } = this.map.box;
    const { width, height } = this.base;
    for (const { style } of [this.canvas, this.contour]) {
      style.insetInlineStart = `${(100 * x0) / width}%`;
      style.insetBlockStart = `${(100 * y0) / height}%`;
      style.inlineSize = `${(100 * (x1 - x0)) / width}%`;
      style.blockSize = `${(100 * (y1 - y0)) / height}%`;
    }
  }

  /**
   * Draw the map anew; not needed when only the opacity changes.
   * @param {import("./paint.js").Paint & {contour: number|null}} look
   * @param {Palettes} palettes
   */
  paint(look, palettes) {
    if (!this.map) return;
    paintMap(this.canvas, this.map, look, palettes);
    paintContour(this.contour, this.map, look.contour, look.sign);
    this.image.classList.toggle("alone", look.alone);
    this.canvas.classList.toggle("alone", look.alone);
  }

  /**
   * Say the value under the cursor.
   * @param {{u: number, v: number}|null} cursor as shares of the image
   */
  read(cursor) {
    const value = cursor && this.valueAt(cursor);
    this.readout.textContent = cursor ? `value ${figure(value)}` : "";
  }

  /**
   * The value of the map at a place in the image; null outside of the map's box.
   * @param {{u: number, v: number}} cursor
   */
  valueAt({ u, v }) {
    if (!this.map || !this.base) return null;
    const { box, width, height, values } = this.map;
    const x = Math.floor(((u * this.base.width - box.x0) / (box.x1 - box.x0)) * width);
    const y = Math.floor(((v * this.base.height - box.y0) / (box.y1 - box.y0)) * height);
    return x < 0 || y < 0 || x >= width || y >= height ? null : values[y * width + x];
  }
}

/**
 * A picture that lies below maps.
 * @param {string} address
 * @returns {Promise<import("./panel.js").Base>}
 */
export async function readBase(address) {
  const url = URL.createObjectURL(await (await call(address)).blob());
  const image = new Image();
  image.src = url;
  await image.decode();
  return { url, width: image.naturalWidth, height: image.naturalHeight };
}
