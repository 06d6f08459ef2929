/** From raw relevance to levels, as the service does it: sign, percentile clip, and zero that stays zero. */

export const LEVELS = 255;

/**
 * A relevance map of `height` rows of `width` values, laid upon `box` of the image.
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Box
 * @typedef {{values: Float32Array, height: number, width: number, box: Box}} RelevanceMap
 * @typedef {"both"|"positive"|"negative"|"absolute"} Sign
 */

/** @type {Record<Sign, (value: number) => number>} */
const SHOWN = {
  both: (value) => value,
  positive: (value) => Math.max(value, 0),
  negative: (value) => Math.min(value, 0),
  absolute: Math.abs,
};

/** @type {WeakMap<Float32Array, Map<Sign, Float32Array>>} */
const sorted = new WeakMap();

/**
 * Levels from -255 to 255; the value at the clip percentile of |relevance| gets the strongest one.
 * @param {Float32Array} values
 * @param {{clip: number, sign: Sign}} look
 * @returns {{levels: Int16Array, signed: boolean}} `signed` says whether any is below zero
 */
export function levelled(values, { clip, sign }) {
  const shown = SHOWN[sign];
  const limit = strongest(values, clip, sign);
  const levels = new Int16Array(values.length);
  let signed = false;
  for (let place = 0; place < values.length; place += 1) {
    const value = Number.isNaN(values[place]) ? 0 : shown(values[place]);
    const scaled = Math.fround(limit > 0 ? Math.min(1, Math.max(-1, value / limit)) : Math.sign(value));
    signed ||= scaled < 0;
    levels[place] = Math.round(scaled * LEVELS);
  }
  return { levels, signed };
}

/**
 * The magnitude at a percentile; where that is zero the largest one.
 * @param {Float32Array} values
 * @param {number} percentile above 0, at most 100
 * @param {Sign} sign
 */
export function strongest(values, percentile, sign) {
  const finite = magnitudes(values, sign);
  if (finite.length === 0) return 0;
  const rank = Math.min(finite.length - 1, Math.ceil((percentile / 100) * finite.length) - 1);
  return finite[rank] || finite[finite.length - 1];
}

/**
 * Finite magnitudes in order; sorted once for each map and sign.
 * @param {Float32Array} values
 * @param {Sign} sign
 */
function magnitudes(values, sign) {
  let known = sorted.get(values);
  if (!known) sorted.set(values, (known = new Map()));
  let found = known.get(sign);
  if (!found) {
    const shown = SHOWN[sign];
    found = values
      .map((value) => (Number.isNaN(value) ? 0 : Math.abs(shown(value))))
      .filter(Number.isFinite)
      .sort();
    known.set(sign, found);
  }
  return found;
}
