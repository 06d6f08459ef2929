/** Where the nodes and edges of a causal graph stand: a column for each layer, the class at the right. */

const STEP = 13; // pixels from node to node
const ROWS = 26; // nodes above each other
const MOST_OTHERS = 128; // nodes without a role that are shown of a layer
const MOST_EDGES = 8000; // the strongest of each layer
const PAD = 16;
const CLASS_ROOM = 120;
const MANY = 16; // layers beyond which columns are narrower
const ROLES = ["necessary", "distracting", null];

/**
 * A node with its place; `column` and `row` count those that are shown.
 * @typedef {object} Spot
 * @property {any} node null for the class
 * @property {string} layer
 * @property {number} x
 * @property {number} y
 * @property {number} radius
 * @property {number} column
 * @property {number} row
 *
 * @typedef {{from: Spot, to: Spot, response: number, strength: number}} Line `strength` 0 to 1 in its layer
 * @typedef {{layer: any, x: number, room: number, spots: Spot[], left: number}} Column
 * All of it; `edges` counts those that are not drawn, too.
 * @typedef {{width: number, height: number, columns: Column[], target: Spot}} Places
 * @typedef {Places & {lines: Line[], edges: number}} Layout
 */

/**
 * The layout of a graph.
 * @param {any} graph
 * @param {number} room pixels that there are at least
 * @returns {Layout}
 */
export function layoutOf(graph, room) {
  const shown = graph.layers.map((/** @type {any} */ layer) => shownOf(layer));
  const rows = Math.min(ROWS, Math.max(1, ...shown.map((/** @type {any[]} */ nodes) => nodes.length)));
  const height = 2 * PAD + rows * STEP;
  const least = shown.length > MANY ? 72 : 96;
  const rooms = shown.map((/** @type {any[]} */ nodes) =>
    Math.max(least, Math.ceil(nodes.length / ROWS) * STEP + 34),
  );
  const used = rooms.reduce((/** @type {number} */ sum, /** @type {number} */ each) => sum + each, 0);
  const spare = Math.min(90, Math.max(0, room - used - CLASS_ROOM) / Math.max(1, shown.length));
  let x = 0;
  const columns = graph.layers.map((/** @type {any} */ layer, /** @type {number} */ place) => {
    const column = columnOf(layer, shown[place], { x, room: rooms[place] + spare, height, place });
    x += column.room;
    return column;
  });
  const target = {
    ...{ node: null, layer: "classes", x: x + 12, y: height / 2, radius: 7 },
    ...{ column: columns.length, row: 0 },
  };
  const edges = graph.layers.flatMap((/** @type {any} */ layer) => layer.edges).length;
  return { width: x + CLASS_ROOM, height, columns, lines: linesOf(graph, columns, target), edges, target };
}

/**
 * All nodes with a role, the strongest first, and the first of the others.
 * @param {any} layer
 */
function shownOf(layer) {
  const [necessary, distracting, others] = ROLES.map((role) =>
    layer.nodes.filter((/** @type {any} */ node) => node.role === role),
  );
  return [...byEffect(necessary), ...byEffect(distracting), ...others.slice(0, MOST_OTHERS)];
}

/** @param {any[]} nodes */
export const byEffect = (nodes) =>
  nodes.toSorted((one, other) => Math.abs(other.effect) - Math.abs(one.effect));

/**
 * @param {any} layer
 * @param {any[]} nodes
 * @param {{x: number, room: number, height: number, place: number}} frame
 * @returns {Column}
 */
function columnOf(layer, nodes, { x, room, height, place }) {
  const most = largest(nodes.map(({ effect }) => effect));
  const wide = Math.ceil(nodes.length / ROWS) * STEP;
  const top = (height - (Math.min(nodes.length, ROWS) - 1) * STEP) / 2;
  const left = x + (room - wide + STEP) / 2;
  const spots = nodes.map((node, row) => ({
    node,
    layer: layer.name,
    x: left + Math.floor(row / ROWS) * STEP,
    y: top + (row % ROWS) * STEP,
    radius: node.role ? 3.5 + (2 * Math.abs(node.effect)) / most : 2,
    column: place,
    row,
  }));
  return { layer, x, room, spots, left: layer.nodes.length - nodes.length };
}

/**
 * @param {any} graph
 * @param {Column[]} columns
 * @param {Spot} target
 * @returns {Line[]} the weakest first, so that the others lie upon them
 */
function linesOf(graph, columns, target) {
  const known = new Map(
    columns.flatMap(({ spots }) => spots.map((spot) => [`${spot.layer}/${spot.node.index}`, spot])),
  );
  known.set(`classes/${graph.target}`, target);
  const room = Math.ceil(MOST_EDGES / graph.layers.length);
  return graph.layers
    .flatMap((/** @type {any} */ layer) => {
      const most = largest(layer.edges.map((/** @type {any} */ each) => each.response));
      return layer.edges
        .map((/** @type {any} */ edge) => ({
          from: known.get(`${layer.name}/${edge.node}`),
          to: known.get(`${edge.layer}/${edge.child}`),
          response: edge.response,
          strength: Math.abs(edge.response) / most,
        }))
        .filter((/** @type {Line} */ line) => line.from && line.to)
        .sort((/** @type {Line} */ one, /** @type {Line} */ other) => one.strength - other.strength)
        .slice(-room);
    })
    .sort((/** @type {Line} */ one, /** @type {Line} */ other) => one.strength - other.strength);
}

/**
 * The largest magnitude; 1 where all are zero, so that one can divide by it.
 * @param {number[]} values of which there may be very many
 */
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
