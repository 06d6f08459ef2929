/** How all maps are drawn: one opacity, palette, percentile and sign for every panel. */

import { byId, element } from "./dom.js";

const USUAL = { opacity: 0.7, palette: "", clip: 99, sign: "both", alone: false, contour: null };

/** The controls above the grid, and their values. */
export class Look {
  /**
   * @param {HTMLElement} grid whose opacity they rule
   * @param {import("./paint.js").Palettes} palettes
   */
  constructor(grid, palettes) {
    this.grid = grid;
    this.palettes = palettes;
    this.opacity = USUAL.opacity;
    this.palette = USUAL.palette;
    this.clip = USUAL.clip;
    /** @type {import("./scale.js").Sign} */
    this.sign = "both";
    this.alone = USUAL.alone;
    /** @type {number|null} */
    this.contour = USUAL.contour;
    this.onchange = () => {};
    this.onopacity = () => {};
    byId("palette").append(
      ...[...palettes.palettes.keys()].map((name) => element("option", { value: name }, name)),
    );
    this.listen();
    this.show();
  }

  listen() {
    byId("opacity").addEventListener("input", () => {
      this.opacity = byId("opacity").valueAsNumber;
      this.showOpacity();
      this.onopacity();
    });
    /** @type {[string, () => void][]} */
    const painted = [
      ["palette", () => (this.palette = byId("palette").value)],
      ["clip", () => (this.clip = byId("clip").valueAsNumber)],
      ["sign", () => (this.sign = byId("sign").value)],
      ["alone", () => (this.alone = byId("alone").checked)],
      ["contour", () => this.readContour()],
      ["quantile", () => this.readContour()],
    ];
    for (const [id, take] of painted) {
      byId(id).addEventListener("input", () => {
        take();
        this.showFigures();
        this.onchange();
      });
    }
  }

  readContour() {
    this.contour = byId("contour").checked ? byId("quantile").valueAsNumber : null;
  }

  /** The options of the service's pictures that draw the same. */
  get query() {
    const words = new URLSearchParams({ clip: String(this.clip), sign: this.sign });
    if (this.palette) words.set("palette", this.palette);
    return words.toString();
  }

  /** What differs from the usual look, for a link. */
  get words() {
    const { opacity, palette, clip, sign, alone, contour } = this;
    const now = { opacity, palette, clip, sign, alone: alone ? "1" : "", contour };
    const usual = { ...USUAL, alone: "" };
    return Object.fromEntries(
      Object.entries(now).filter(
        ([name, value]) => value !== usual[/** @type {keyof typeof usual} */ (name)],
      ),
    );
  }

  /**
   * Take the look of a link; what makes no sense is left as it is.
   * @param {URLSearchParams} words
   */
  take(words) {
    const number = (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high) => {
      const value = Number(words.get(name) ?? "x");
      return value >= low && value <= high ? value : null;
    };
    this.opacity = number("opacity", 0, 1) ?? this.opacity;
    this.clip = number("clip", 50, 100) ?? this.clip;
    this.contour = number("contour", 50, 99.5);
    this.alone = words.get("alone") === "1";
    const palette = words.get("palette") ?? "";
    if (this.palettes.palettes.has(palette)) this.palette = palette;
    const sign = words.get("sign") ?? "";
    if (["positive", "negative", "absolute"].includes(sign)) this.sign = /** @type {any} */ (sign);
    this.show();
    this.onchange();
  }

  show() {
    byId("opacity").value = this.opacity;
    byId("palette").value = this.palette;
    byId("clip").value = this.clip;
    byId("sign").value = this.sign;
    byId("alone").checked = this.alone;
    byId("contour").checked = this.contour !== null;
    if (this.contour !== null) byId("quantile").value = this.contour;
    this.showOpacity();
    this.showFigures();
  }

  showOpacity() {
    this.grid.style.setProperty("--opacity", String(this.opacity));
    byId("opacity-value").textContent = this.opacity.toFixed(2);
  }

  showFigures() {
    byId("clip-value").textContent = `${this.clip} %`;
    byId("quantile-value").textContent = `${byId("quantile").value} %`;
  }
}
