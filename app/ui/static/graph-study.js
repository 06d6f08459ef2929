/** One causal graph: its progress, its picture, its nodes, the maps of its layers, and its uses. */

import { Progress } from "./analyses.js";
import { read, Refusal } from "./api.js";
import { CausalGraph } from "./causal-graph.js";
import { nodeFacts, nodeTables } from "./causal-nodes.js";
import { fidelityCurves, repairCurves } from "./curves.js";
import { element, quantity } from "./dom.js";
import { save } from "./facts.js";
import { GraphUse } from "./graph-use.js";
import { LayerMap } from "./layer-map.js";
import { steadiness } from "./steadiness.js";

/**
 * What a study is made with.
 * @typedef {object} Source
 * @property {any} menu
 * @property {any[]} kinds
 * @property {import("./pictures.js").Pictures} pictures
 * @property {import("./decide.js").Around} around
 * @property {() => void} ended
 * @property {() => Promise<void>} modelsChanged
 */

export class GraphStudy {
  /**
   * @param {any} document
   * @param {string} label
   * @param {Source} source
   */
  constructor(document, label, source) {
    this.document = document;
    this.source = source;
    this.closed = false;
    /** @type {LayerMap|null} */
    this.map = null;
    this.title = `What decides ${label}`;
    this.heading = element("h2", {}, this.title);
    this.about = element("p", { class: "hint" }, `in ${document.model.id}`);
    this.progress = new Progress(this.title);
    this.saving = element("div", { class: "files" });
    this.body = element("div", { class: "body" });
    this.root = element(
      "article",
      {},
      element("header", {}, element("div", {}, this.heading, this.about), this.saving),
      this.progress.root,
      this.body,
    );
    this.follow();
  }

  close() {
    this.closed = true;
  }

  async follow() {
    const end = await this.progress.follow(this.document);
    this.source.ended();
    if (!end || this.closed) return;
    this.document = end;
    try {
      this.draw(await read(end.links.result));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.progress.end(error.message, true);
    }
  }

  /** @param {any} graph */
  draw(graph) {
    const { pictures, menu, kinds, around, modelsChanged } = this.source;
    this.about.textContent = described(graph);
    if (!graph.layers.length) {
      this.body.replaceChildren(element("p", {}, "No layer of the model has nodes with paths to the class."));
      return;
    }
    this.saving.replaceChildren(...this.files());
    const facts = element("div", { class: "node", role: "status" }, element("p", { class: "hint" }, HINT));
    const map = new LayerMap(graph, pictures, { menu, ...around });
    this.map = map;
    const drawn = new CausalGraph(graph, {
      point: (spot) =>
        facts.replaceChildren(...(spot ? nodeFacts(graph, spot) : [element("p", { class: "hint" }, HINT)])),
      pick: (layer, spot) => map.show({ layer, node: spot?.node.index ?? null }),
    });
    const pick = (/** @type {string} */ layer, /** @type {number} */ node) => {
      drawn.mark(layer, node);
      map.show({ layer, node });
      map.root.scrollIntoView({ block: "nearest" });
    };
    const card = menu.models.find((/** @type {any} */ each) => each.id === graph.model.id);
    const making = { name: card?.title || graph.model.id, made: modelsChanged };
    const shared = { document: this.document, graph, pictures, kinds };
    this.body.replaceChildren(
      signs(drawn.layout),
      element("p", { hidden: graph.layers.some(hasNecessary) }, NONE),
      drawn.root,
      facts,
      map.root,
      nodeTables(graph, pick),
      new GraphUse({ ...RELIABILITY, draw: steadiness }, shared).root,
      new GraphUse({ ...FIDELITY, draw: fidelityCurves }, shared).root,
      new GraphUse({ ...REPAIR, draw: (found, of) => repairCurves(found, of, making) }, shared).root,
    );
  }

  picturesChanged() {
    this.map?.offer();
  }

  /** Buttons that save the graph in each of its forms. */
  files() {
    const { links } = this.document;
    const name = this.title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    const wrong = element("p", { class: "problem", role: "alert", hidden: true });
    const button = (/** @type {string} */ title, /** @type {string} */ link) => {
      const onclick = () =>
        save(link, `${name}.${title.toLowerCase()}`).catch((error) => {
          if (!(error instanceof Refusal)) throw error;
          wrong.textContent = error.message;
          wrong.hidden = false;
        });
      return element("button", { type: "button", class: "quiet", onclick }, title);
    };
    return [
      button("JSON", `${links.result}.json`),
      button("GraphML", links.graphml),
      button("PNG", links.png),
      wrong,
    ];
  }
}

const HINT =
  "Point at a node to read it, click it to see its map. With the keyboard, arrows go from node to node and " +
  "from layer to layer, and Enter shows the map.";
const NONE =
  "No node stands out as necessary, so the graph ends here. It needs pictures of the class that the model " +
  "gets right; with a higher level more nodes stand out.";
/** @param {any} document */
const byGraph = ({ id }) => ({ graph: id });
/** @param {any} document */
const asGraph = ({ params: { target, level, correction, seed } }) => ({ target, level, correction, seed });
const RELIABILITY = {
  name: "causal-reliability",
  title: "Is it steady?",
  given: asGraph,
  about:
    "More graphs are grown, with the weights on the paths weakened by chance instead of removed, less and " +
    "less. A node that is found in all of them does not hang on how strong the intervention is. " +
    "It takes as long as that many graphs.",
};
const FIDELITY = {
  name: "causal-fidelity",
  given: byGraph,
  title: "Is it so?",
  about:
    "The paths out of the most necessary nodes of each layer are blocked, and out of as many random ones. " +
    "If the graph is right, the accuracy on the class falls with the first and not with the others.",
};
const REPAIR = {
  name: "causal-repair",
  given: byGraph,
  title: "Does repair help?",
  about:
    "The paths from the distracting nodes to the necessary ones are cut out of the weights, a growing " +
    "share of them.",
};

/** @param {any} graph */
function described({ model, images, treatment }) {
  const { intervention, highest, level, correction } = treatment;
  const done = intervention === "remove" ? "paths removed" : `paths weakened to at most ${highest}`;
  const corrected = correction === "none" ? "" : `, ${correction}`;
  return `in ${model.id}: ${quantity(images, "picture")}, ${done}, level ${level}${corrected}`;
}

/** @param {import("./causal-layout.js").Layout} layout */
const signs = ({ lines, edges }) =>
  element(
    "ul",
    { class: "signs" },
    element("li", { class: "necessary" }, "● necessary: without it the class loses"),
    element("li", { class: "distracting" }, "■ distracting: without it the class gains"),
    element("li", {}, "· neither"),
    element("li", {}, "dashed: a response below zero"),
    element("li", { hidden: lines.length === edges }, `the ${lines.length} strongest of ${edges} edges`),
  );

/** @param {any} layer */
const hasNecessary = (layer) => layer.nodes.some((/** @type {any} */ node) => node.role === "necessary");
