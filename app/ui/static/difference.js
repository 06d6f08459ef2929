/** One map less another, each in units of its own strength. */

import { Panel } from "./panel.js";
import { strongest } from "./scale.js";

const PERCENTILE = 99; // of |relevance|, whose value is a map's unit

/**
 * A panel of the difference; where the maps are not of one size and place it says so.
 * @param {Panel} one
 * @param {Panel} other
 * @param {() => void} close
 */
export function difference(one, other, close) {
  const panel = new Panel(`${one.title} − ${other.title}`, close);
  panel.setSubtitle(one.subtitle === other.subtitle ? one.subtitle : `${one.subtitle} − ${other.subtitle}`);
  const [a, b] = [one.map, other.map];
  if (!a || !b || !one.base || !alike(a, b)) {
    panel.setEnd("failed", "These maps are not of one size and place.");
    return panel;
  }
  const [ours, theirs] = [a, b].map(({ values }) => strongest(values, PERCENTILE, "both") || 1);
  panel.setBase(one.base);
  panel.setMap({ ...a, values: a.values.map((value, place) => value / ours - b.values[place] / theirs) });
  panel.setEnd("done", `Each map is divided by the ${PERCENTILE}th percentile of its |relevance| first.`);
  return panel;
}

/**
 * @param {import("./scale.js").RelevanceMap} a
 * @param {import("./scale.js").RelevanceMap} b
 */
function alike(a, b) {
  const sides = (/** @type {import("./scale.js").RelevanceMap} */ map) => [
    map.height,
    map.width,
    ...Object.values(map.box),
  ];
  return JSON.stringify(sides(a)) === JSON.stringify(sides(b));
}
