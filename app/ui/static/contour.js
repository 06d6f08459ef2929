/** The line around the strongest part of a map. */

import { strongest } from "./scale.js";

const SCALE = 4; // pixels of the canvas for one of the map

/**
 * Draw where |relevance| passes its quantile; without a quantile the canvas is emptied.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./scale.js").RelevanceMap} map
 * @param {number|null} quantile percent
 * @param {import("./scale.js").Sign} sign
 */
export function paintContour(canvas, map, quantile, sign) {
  const pen = canvas.getContext("2d");
  canvas.hidden = quantile === null;
  if (quantile === null || pen === null) return;
  canvas.width = map.width * SCALE;
  canvas.height = map.height * SCALE;
  const path = contour(map, strongest(map.values, quantile, sign), sign);
  for (const [colour, width] of /** @type {[string, number][]} */ ([
    ["#000", 4],
    ["#fff", 1.8],
  ])) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(path);
  }
}

/**
 * Marching squares between the centres of the pixels, with straight pieces.
 * @param {import("./scale.js").RelevanceMap} map
 * @param {number} level
 * @param {import("./scale.js").Sign} sign
 */
function contour({ values, width, height }, level, sign) {
  const path = new Path2D();
  const strength = (/** @type {number} */ x, /** @type {number} */ y) => {
    const value = values[y * width + x];
    if (sign === "positive") return Math.max(value, 0);
    return sign === "negative" ? Math.max(-value, 0) : Math.abs(value);
  };
  for (let y = 0; y + 1 < height; y += 1) {
    for (let x = 0; x + 1 < width; x += 1) {
      const corners = [strength(x, y), strength(x + 1, y), strength(x + 1, y + 1), strength(x, y + 1)];
      addPieces(path, crossings(corners, level), x + 0.5, y + 0.5);
    }
  }
  return path;
}

const CORNERS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];

/**
 * Where the level is passed on the way around a cell.
 * @param {number[]} corners clockwise from the upper left
 * @param {number} level
 */
function crossings(corners, level) {
  const found = [];
  for (let side = 0; side < 4; side += 1) {
    const [from, to] = [corners[side], corners[(side + 1) % 4]];
    if (from >= level === to >= level) continue;
    const share = (level - from) / (to - from);
    const [[x0, y0], [x1, y1]] = [CORNERS[side], CORNERS[(side + 1) % 4]];
    found.push([x0 + share * (x1 - x0), y0 + share * (y1 - y0)]);
  }
  return found;
}

/**
 * @param {Path2D} path
 * @param {number[][]} points two, or four at a saddle
 * @param {number} x
 * @param {number} y
 */
function addPieces(path, points, x, y) {
  for (let first = 0; first + 1 < points.length; first += 2) {
    path.moveTo((x + points[first][0]) * SCALE, (y + points[first][1]) * SCALE);
    path.lineTo((x + points[first + 1][0]) * SCALE, (y + points[first + 1][1]) * SCALE);
  }
}
