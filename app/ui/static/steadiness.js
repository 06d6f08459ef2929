/** How steadily the nodes of a causal graph are found while the interventions grow weaker. */

import { evenly, Reading, table } from "./curves.js";
import { element, percent, quantity } from "./dom.js";

/**
 * How far each run agrees with removal, and how often each node was necessary.
 * @param {any} result
 * @returns {HTMLElement[]}
 */
export function steadiness(result) {
  const { runs, layers, histogram } = result;
  const words = runs.map((/** @type {any} */ { highest }) => highest.toFixed(2));
  const axis = { title: "what the weights are multiplied by at most", at: evenly(runs.length), words };
  const values = runs.map((/** @type {any} */ { agreement }) => agreement);
  const said = runs.map(
    (/** @type {any} */ { highest, necessary, agreement }) =>
      `Weakened to at most ${highest.toFixed(2)}: ${necessary} necessary nodes, ` +
      `${percent(agreement)} agree with removal.`,
  );
  const reading = new Reading(said, "Point at the curve, or go along it with the arrows.");
  const title = "Agreement with removal";
  const series = [{ name: title, style: "critical", shape: /** @type {const} */ ("disc"), values }];
  const chart = reading.chart({ title, width: 360, axis, series });
  return [
    element("p", { class: "hint" }, summed(result)),
    element("figure", {}, element("figcaption", {}, title), chart.root),
    reading.root,
    table("How often nodes are found", ["in so many runs", "nodes"], bins(histogram)),
    table("The nodes", ["layer", "tested", "necessary, with the share of the runs"], layers.map(rates)),
  ];
}

/** @param {any} result */
function summed({ images, runs, always, histogram }) {
  const ever = histogram.reduce((/** @type {number} */ sum, /** @type {number} */ count) => sum + count, 0);
  const steady = ever
    ? `of ${ever} nodes that were ever necessary, ${percent(always)} were in every run`
    : "no node was ever necessary";
  return `${quantity(images, "picture")}, ${runs.length} runs; ${steady}.`;
}

/** @param {number[]} histogram */
const bins = (histogram) =>
  histogram.map((count, place) => {
    const upper = (100 * (place + 1)) / histogram.length;
    const lower = (100 * place) / histogram.length;
    return [`more than ${lower} % to ${upper} %`, count];
  });

/** @param {any} layer */
const rates = ({ name, tested, nodes }) => [
  ...[name, tested],
  nodes
    .filter((/** @type {any} */ { rate }) => rate > 0)
    .sort((/** @type {any} */ one, /** @type {any} */ other) => other.rate - one.rate)
    .map((/** @type {any} */ { index, rate }) => `${index} (${percent(rate)})`)
    .join(", ") || "none",
];
