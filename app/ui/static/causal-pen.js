/** Draws nodes and edges in pixels of the page, in the colours that it has just now. */

const FINE = 2; // pixels of a canvas for each of the page, at most
const NAMES = ["necessary", "distracting", "other", "ink"];
const MOST_PIXELS = 16_000; // of a side, more than which browsers refuse

/**
 * @typedef {import("./causal-layout.js").Spot} Spot
 * @typedef {import("./causal-layout.js").Line} Line
 */

export class Pen {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{width: number, height: number}} size
   */
  constructor(canvas, { width, height }) {
    const fine = Math.min(FINE, devicePixelRatio || 1, MOST_PIXELS / width);
    const [across, down] = [Math.round(width * fine), Math.round(height * fine)];
    this.on = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (canvas.width !== across) canvas.width = across;
    if (canvas.height !== down) canvas.height = down;
    this.on.setTransform(fine, 0, 0, fine, 0, 0);
    this.on.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    this.colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`)]));
  }

  /**
   * @param {Line} line
   * @param {number} opacity
   */
  line({ from, to, response, strength }, opacity) {
    const { on } = this;
    const bend = Math.min(60, (to.x - from.x) / 2);
    on.globalAlpha = opacity;
    on.strokeStyle = this.colours[from.node?.role ?? "other"];
    on.lineWidth = 0.6 + 1.6 * strength;
    on.setLineDash(response < 0 ? [4, 3] : []);
    on.beginPath();
    on.moveTo(from.x, from.y);
    on.bezierCurveTo(from.x + bend, from.y, to.x - bend, to.y, to.x, to.y);
    on.stroke();
  }

  /** @param {Spot} spot */
  spot({ node, x, y, radius }) {
    const { on } = this;
    on.globalAlpha = 1;
    on.fillStyle = this.colours[node ? (node.role ?? "other") : "ink"];
    on.beginPath();
    if (node?.role === "distracting") on.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else on.arc(x, y, radius, 0, 2 * Math.PI);
    on.fill();
  }

  /** @param {Spot} spot */
  ring({ x, y, radius }) {
    const { on } = this;
    on.globalAlpha = 1;
    on.setLineDash([]);
    on.lineWidth = 2;
    on.strokeStyle = this.colours.ink;
    on.beginPath();
    on.arc(x, y, radius + 4, 0, 2 * Math.PI);
    on.stroke();
  }
}
