/** The curves of a causal graph: accuracy without its critical nodes, and without its distracting paths. */

import { Chart, legend } from "./chart.js";
import { element, percent } from "./dom.js";
import { maker } from "./maker.js";

/** @typedef {import("./chart.js").Series} Series */

const OF = /** @type {const} */ ([
  ["of_class", "of the class"],
  ["others", "of the other classes"],
  ["overall", "of all pictures"],
]);

/** @type {Record<string, Pick<Series, "style"|"shape">>} */
const LOOKS = {
  of_class: { style: "critical", shape: "disc" },
  others: { style: "random", shape: "square" },
  overall: { style: "whole", shape: "triangle" },
};

/**
 * The measures that are known: there may be no pictures of other classes.
 * @param {any[]} accuracies
 */
const knownOf = (accuracies) => OF.filter(([name]) => accuracies.every((each) => each[name] !== null));

/** @param {any} spread */
const spread = ({ mean, deviation }) => `${percent(mean)} ± ${(100 * deviation).toFixed(0)} %`;

/**
 * What becomes of the accuracy without the critical nodes, and without random ones.
 * @param {any} result
 * @returns {HTMLElement[]}
 */
export function fidelityCurves(result) {
  const { steps } = result;
  const words = steps.map((/** @type {any} */ { top }) => String(top));
  const axis = { title: "necessary nodes masked in each layer", at: evenly(steps.length), words };
  const known = knownOf(steps.map((/** @type {any} */ step) => step.critical));
  const series = (/** @type {string} */ name) => /** @type {Series[]} */ ([
    {
      ...{ name: "random nodes, ± standard deviation", style: "random", shape: "square" },
      values: steps.map((/** @type {any} */ { random }) => random[name].mean),
      deviations: steps.map((/** @type {any} */ { random }) => random[name].deviation),
    },
    {
      ...{ name: "critical nodes", style: "critical", shape: "disc" },
      values: steps.map((/** @type {any} */ { critical }) => critical[name]),
    },
  ]);
  const said = (/** @type {any} */ { top, nodes, critical, random }) => {
    const each = known.map(
      ([name, words]) => `${words} ${percent(critical[name])}, random ${spread(random[name])}`,
    );
    return `${top} of each layer, ${nodes} nodes in all: ${each.join("; ")}.`;
  };
  const reading = new Reading(steps.map(said), "Point at the curves, or go along them with the arrows.");
  const charts = known.map(([name, words]) => {
    const chart = reading.chart({ title: `Accuracy ${words}`, width: 300, axis, series: series(name) });
    return element("figure", {}, element("figcaption", {}, `Accuracy ${words}`), chart.root);
  });
  const heads = ["nodes a layer", "nodes", ...known.flatMap(([, words]) => [words, "random"])];
  const rows = steps.map((/** @type {any} */ { top, nodes, critical, random }) => [
    ...[top, nodes],
    ...known.flatMap(([name]) => [percent(critical[name]), spread(random[name])]),
  ]);
  return [
    element("p", { class: "hint" }, counted(result, `${result.draws} draws of random nodes`)),
    element("div", { class: "charts" }, ...charts),
    legend(series("overall").reverse()),
    reading.root,
    table("The figures", heads, rows),
  ];
}

/**
 * What becomes of the accuracy without more and more of the distracting paths, and a model made of it.
 * @param {any} result
 * @param {any} document its analysis
 * @param {{name: string, made: () => Promise<void>}} options of who makes a model of a share
 * @returns {HTMLElement[]}
 */
export function repairCurves(result, document, options) {
  const { steps } = result;
  const words = steps.map((/** @type {any} */ step) => percent(step.share));
  const at = steps.map((/** @type {any} */ step) => step.share);
  const axis = { title: "share of the distracting nodes that lose their paths", at, words };
  const known = knownOf(steps.map((/** @type {any} */ step) => step.accuracy));
  const series = known.map(([name, title]) => ({
    ...{ name: title, ...LOOKS[name] },
    values: steps.map((/** @type {any} */ { accuracy }) => accuracy[name]),
  }));
  const said = (/** @type {any} */ { share: of, nodes, accuracy }) => {
    const each = known.map(([name, title]) => `${title} ${percent(accuracy[name])}`);
    return `${percent(of)} of the distracting nodes, ${nodes} in all: ${each.join(", ")}.`;
  };
  const best = steps.findIndex((/** @type {any} */ step) => step.share === result.best);
  const reading = new Reading(steps.map(said), `The best: ${said(steps[best])}`);
  const chart = reading.chart({ title: "Accuracy after repair", width: 360, axis, series });
  chart.mark(best);
  const rows = steps.map((/** @type {any} */ step) => [
    ...[percent(step.share), step.nodes, zeroed(step.weights)],
    ...known.map(([name]) => percent(step.accuracy[name])),
  ]);
  return [
    element("p", { class: "hint" }, counted(result, `the best share is ${percent(result.best)}`)),
    element("figure", {}, element("figcaption", {}, "Accuracy"), chart.root),
    legend(series),
    reading.root,
    maker(result, document, options),
    table("The figures", ["share", "nodes", "numbers set to 0", ...known.map(([, title]) => title)], rows),
  ];
}

/** One sentence for the place that is pointed at in any of the charts. */
export class Reading {
  /**
   * @param {string[]} sentences
   * @param {string} usual what is said where nothing is pointed at
   */
  constructor(sentences, usual) {
    this.sentences = sentences;
    this.usual = usual;
    /** @type {Chart[]} */
    this.charts = [];
    this.root = element("p", { class: "reading", role: "status" }, usual);
  }

  /** @param {ConstructorParameters<typeof Chart>[0]} about */
  chart(about) {
    const made = new Chart(about, (place) => this.point(place));
    this.charts.push(made);
    return made;
  }

  /** @param {number|null} place */
  point(place) {
    this.charts.forEach((chart) => chart.point(place));
    this.root.textContent = place === null ? this.usual : this.sentences[place];
  }
}

/** @param {number} count */
export const evenly = (count) =>
  Array.from({ length: count }, (_, place) => (count > 1 ? place / (count - 1) : 0.5));

/**
 * @param {any} result
 * @param {string} more
 */
const counted = (result, more) =>
  `${result.images} pictures, ${result.of_class} of ${result.label}; ${more}.`;

/** @param {{rows: number[], columns: number[]}[]} weights */
const zeroed = (weights) => weights.reduce((sum, { rows, columns }) => sum + rows.length * columns.length, 0);

/**
 * @param {string} title
 * @param {string[]} heads
 * @param {unknown[][]} rows
 */
export function table(title, heads, rows) {
  const line = (/** @type {unknown[]} */ cells) =>
    element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell))));
  return element(
    "details",
    { class: "block" },
    element("summary", {}, title),
    element(
      "div",
      { class: "wide", tabindex: 0, role: "group", "aria-label": title },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", {}, head)))),
        element("tbody", {}, ...rows.map(line)),
      ),
    ),
  );
}
