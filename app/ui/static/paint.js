/** Maps as pixels, in the colours of the service. */

import { LEVELS, levelled } from "./scale.js";

/**
 * @typedef {{name: string, kind: string, signed: Uint8Array, plain: Uint8Array}} Palette
 * @typedef {{palettes: Map<string, Palette>, defaults: {signed: string, plain: string}}} Palettes
 * @typedef {import("./scale.js").Sign} Sign
 *
 * How a map is painted; an empty `palette` is the one that suits it.
 * @typedef {{palette: string, clip: number, sign: Sign, alone: boolean}} Paint
 */

/**
 * The colour tables.
 * @returns {Promise<Palettes>}
 */
export async function readPalettes() {
  const found = await (await fetch("/ui/palettes.json")).json();
  const bytes = (/** @type {string} */ text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const palettes = found.palettes.map((/** @type {any} */ each) => [
    each.name,
    { ...each, signed: bytes(each.signed), plain: bytes(each.plain) },
  ]);
  return { palettes: new Map(palettes), defaults: found.defaults };
}

/**
 * Red, green, blue and alpha of each value: as strong as its relevance, or opaque where the map stands alone.
 * @param {Float32Array} values
 * @param {Paint} paint
 * @param {Palettes} palettes
 */
export function painted(values, paint, { palettes, defaults }) {
  const { levels, signed } = levelled(values, paint);
  const kind = signed ? "signed" : "plain";
  const table = /** @type {Palette} */ (palettes.get(paint.palette || defaults[kind]))[kind];
  const pixels = new Uint8ClampedArray(4 * values.length);
  for (let place = 0; place < levels.length; place += 1) {
    const row = 3 * (levels[place] + LEVELS);
    pixels[4 * place] = table[row];
    pixels[4 * place + 1] = table[row + 1];
    pixels[4 * place + 2] = table[row + 2];
    pixels[4 * place + 3] = paint.alone ? 255 : Math.abs(levels[place]);
  }
  return pixels;
}

/**
 * Paint a map on a canvas at the map's own resolution.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./scale.js").RelevanceMap} map
 * @param {Paint} paint
 * @param {Palettes} palettes
 */
export function paintMap(canvas, map, paint, palettes) {
  canvas.width = map.width;
  canvas.height = map.height;
  const pixels = painted(map.values, paint, palettes);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, map.width, map.height), 0, 0);
}
