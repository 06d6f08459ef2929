/** The nodes of a causal graph in words and tables. */

import { byEffect } from "./causal-layout.js";
import { element, figure } from "./dom.js";

const MEANING = {
  necessary: "necessary: without it the class loses",
  distracting: "distracting: without it the class gains",
};
const STRONGEST = 5; // edges that are named

/**
 * What is known of a node.
 * @param {any} graph
 * @param {import("./causal-layout.js").Spot} spot
 * @returns {HTMLElement[]}
 */
export function nodeFacts(graph, { node, layer }) {
  if (!node) {
    return [element("p", {}, element("strong", {}, graph.label), ", the class that all this is about.")];
  }
  const own = graph.layers.find((/** @type {any} */ each) => each.name === layer);
  const edges = own.edges.filter((/** @type {any} */ edge) => edge.node === node.index);
  const role = MEANING[/** @type {keyof typeof MEANING} */ (node.role)] ?? "does not stand out in its layer";
  return [
    element(
      "p",
      {},
      element("strong", { class: node.role ?? "" }, `${sign(node.role)} ${layer}, node ${node.index}`),
      ` ${role}`,
    ),
    element("dl", { class: "figures" }, ...figures(node, own)),
    ...(edges.length ? [element("p", { class: "hint" }, upward(graph, edges))] : []),
  ];
}

/** @param {string|null} role */
const sign = (role) => (role === "necessary" ? "●" : role === "distracting" ? "■" : "·");

/**
 * @param {any} node
 * @param {any} layer
 */
function figures(node, layer) {
  const rows = [
    ["effect", `${figure(node.effect)} ± ${figure(node.standard_error)}`],
    ["z", figure(node.z)],
    ["p", figure(node.p_value)],
    ["deviation by chance", figure(layer.deviation)],
  ];
  return rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
}

/**
 * @param {any} graph
 * @param {any[]} edges
 */
function upward(graph, edges) {
  const ordered = edges.toSorted((one, other) => Math.abs(other.response) - Math.abs(one.response));
  const named = ordered.slice(0, STRONGEST).map(({ layer, child, response }) => {
    const to = layer === "classes" ? graph.label : `${layer} ${child}`;
    return `${to} (${figure(response)})`;
  });
  const more = edges.length > STRONGEST ? `, and to ${edges.length - STRONGEST} more` : "";
  return `What it brings to the nodes above: ${named.join(", ")}${more}.`;
}

/**
 * Tables of the nodes with a role, a layer each, the uppermost first; made when they are opened.
 * @param {any} graph
 * @param {(layer: string, index: number) => void} pick
 */
export function nodeTables(graph, pick) {
  const made = element("div", { class: "tables" });
  const all = element("details", { class: "block" }, element("summary", {}, "All nodes with a role"), made);
  all.addEventListener("toggle", () => {
    if (!all.open || made.childElementCount) return;
    made.append(...graph.layers.toReversed().map((/** @type {any} */ layer) => table(layer, pick)));
  });
  return all;
}

/**
 * @param {any} layer
 * @param {(layer: string, index: number) => void} pick
 */
function table(layer, pick) {
  const of = (/** @type {string} */ role) =>
    byEffect(layer.nodes.filter((/** @type {any} */ node) => node.role === role));
  const rows = [...of("necessary"), ...of("distracting")].map((node) => row(layer.name, node, pick));
  const heads = ["node", "role", "effect", "±", "z", "p", "map"].map((title) => element("th", {}, title));
  if (!rows.length) {
    return element("p", { class: "hint" }, `${layer.name}: none of ${layer.nodes.length} nodes stands out.`);
  }
  const title = `${layer.name}: ${rows.length} of ${layer.nodes.length} nodes`;
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "group", "aria-label": `Nodes of ${layer.name}` },
    element(
      "table",
      {},
      element("caption", {}, title),
      element("thead", {}, element("tr", {}, ...heads)),
      element("tbody", {}, ...rows),
    ),
  );
}

/**
 * @param {string} layer
 * @param {any} node
 * @param {(layer: string, index: number) => void} pick
 */
function row(layer, node, pick) {
  const show = element(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-label": `Show the map of ${layer}, node ${node.index}`,
      onclick: () => pick(layer, node.index),
    },
    "Show",
  );
  const numbers = [node.effect, node.standard_error, node.z, node.p_value].map(figure);
  return element(
    "tr",
    {},
    element("td", {}, String(node.index)),
    element("td", { class: node.role }, `${sign(node.role)} ${node.role}`),
    ...numbers.map((value) => element("td", {}, value)),
    element("td", {}, show),
  );
}
