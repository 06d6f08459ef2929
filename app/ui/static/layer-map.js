/** What a layer of a causal graph, or one of its nodes, receives of a picture: by the method `causal`. */

import { call, Refusal } from "./api.js";
import { element, figure, unique } from "./dom.js";
import { PHANTOMS, radiograph } from "./image.js";
import { ask, finished, follow, path } from "./jobs.js";
import { parseNpy } from "./npy.js";
import { Panel, readBase } from "./panel.js";
import { keep } from "./shelf.js";

const METHOD = "causal";
const FILTERS = 16; // single filters that are looked at
const MOST_NAMES = 200;
const LOOK = /** @type {const} */ ({ clip: 99, sign: "both", alone: false, contour: null });

/**
 * @typedef {{layer: string, node: number|null}} Wanted
 * @typedef {{menu: any, palettes: any, explain: (document: any) => void}} Around
 */

export class LayerMap {
  /**
   * @param {any} graph
   * @param {import("./pictures.js").Pictures} pictures
   * @param {Around} around
   */
  constructor(graph, pictures, around) {
    this.graph = graph;
    this.pictures = pictures;
    this.around = around;
    this.turn = 0;
    /** @type {Wanted|null} */
    this.wanted = null;
    this.able = around.menu.methods.some((/** @type {any} */ card) => card.name === METHOD);
    const id = unique();
    this.select = element("select", { id, onchange: () => this.again() });
    this.own = element("input", {
      type: "file",
      accept: "image/*,.tif,.tiff",
      "aria-label": "Another picture",
      onchange: () => this.again(),
    });
    this.state = element("p", { class: "state", role: "status" });
    this.maps = element("div", { class: "grid maps" });
    this.more = element("div", { class: "row" });
    const label = element("label", { for: id }, "On");
    this.root = element(
      "section",
      { class: "part" },
      element("h3", {}, "What reaches a layer"),
      element("p", { class: "hint" }, this.able ? ABOUT : MISSING),
      element("div", { class: "row choose", hidden: !this.able }, label, this.select, this.own),
      this.state,
      this.maps,
      this.more,
    );
    this.offer();
  }

  /** Offer the pictures that were chosen, those of the class first, and the drawn ones. */
  offer() {
    const before = this.select.value;
    const { files } = this.pictures;
    const isOwn = (/** @type {{name: string}} */ one) => this.pictures.labelOf(one.name) === this.graph.label;
    const ordered = [...files.filter(isOwn), ...files.filter((one) => !isOwn(one))].slice(0, MOST_NAMES);
    const { label } = this.graph;
    const drawn = PHANTOMS.toSorted((one, other) => Number(other === label) - Number(one === label));
    this.select.replaceChildren(
      ...ordered.map(({ name }) => element("option", { value: `file:${name}` }, name)),
      ...drawn.map((name) => element("option", { value: `drawn:${name}` }, `drawn radiograph: ${name}`)),
    );
    if ([...this.select.options].some(({ value }) => value === before)) this.select.value = before;
  }

  again() {
    if (this.wanted) this.show(this.wanted);
  }

  /** @returns {Promise<File>} the picture to explain */
  async picture() {
    if (this.own.files[0]) return this.own.files[0];
    const [kind, name] = this.select.value.split(/:(.*)/s);
    const found = this.pictures.files.find((each) => each.name === name);
    if (kind === "file" && found) return found.file;
    return radiograph(name);
  }

  /**
   * Show the map of a layer, and the filters that lead to a node of it.
   * @param {Wanted} wanted
   */
  async show(wanted) {
    this.wanted = wanted;
    if (!this.able) return;
    const turn = (this.turn += 1);
    const isLast = () => turn === this.turn;
    this.say(`Asking for the map of ${wanted.layer} …`);
    try {
      const image = await this.picture();
      const asked = await this.asked(image, wanted);
      const end = finished(asked.state) ? asked : await follow(path(asked.id), () => {});
      if (!isLast()) return;
      if (end === null || end.error) this.say(end?.error?.detail ?? "It was cancelled.", true);
      else await this.draw(end, wanted, isLast);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const wrong = error.errors.map(({ field, message }) => `${field} ${message}.`);
      if (isLast()) this.say(wrong.length ? wrong.join(" ") : error.message, true);
    }
  }

  /**
   * @param {File} image
   * @param {Wanted} wanted
   */
  async asked(image, { layer, node }) {
    const model = this.graph.model.id;
    const params = node === null ? { layer } : { layer, filters: FILTERS };
    const document = await ask({
      ...{ image, model, method: METHOD, params, targets: [String(this.graph.target)] },
      ...{ metrics: [], metricParams: {}, seed: 0, files: {} },
    });
    keep({ id: document.id, method: METHOD, model, image: image.name || "image", at: Date.now() });
    return document;
  }

  /**
   * @param {any} document
   * @param {Wanted} wanted
   * @param {() => boolean} isLast
   */
  async draw(document, { layer, node }, isLast) {
    const [target] = document.targets;
    const { heatmap, overlay, parts } = target.links;
    const filters = node === null ? [] : filtersOf(target, node);
    const base = await readBase(`${overlay}&opacity=0&format=png`);
    const wanted = [
      { title: layer, words: `for ${target.label}`, link: heatmap },
      ...filters.map(({ part, words }) => ({ title: `to node ${node}`, words, link: parts[part] })),
    ];
    const made = await Promise.all(wanted.map((one) => this.panel(one, base, target)));
    if (!isLast()) return;
    this.maps.replaceChildren(...made.map(({ root }) => root));
    const none = node !== null && !filters.length;
    const words = `None of the ${FILTERS} filters that add most to this map leads to node ${node}.`;
    this.say(none ? words : "");
    const onclick = () => this.around.explain(document);
    const button = { type: "button", class: "quiet", onclick };
    this.more.replaceChildren(element("button", button, "Open among the maps"));
  }

  /**
   * @param {{title: string, words: string, link: string}} one
   * @param {import("./panel.js").Base} base
   * @param {any} target
   */
  async panel({ title, words, link }, base, target) {
    const panel = new Panel(title, () => {});
    const { values, shape } = parseNpy(await (await call(`${link}&format=npy`)).arrayBuffer());
    panel.setSubtitle(words);
    panel.setBase(base);
    panel.setMap({ values, height: shape[0], width: shape[1], box: target.map.box });
    const { palettes } = this.around;
    panel.paint({ ...LOOK, palette: palettes.defaults.signed }, palettes); // one for all that stand together
    panel.setEnd("done");
    panel.closing.hidden = true;
    return panel;
  }

  /**
   * @param {string} words
   * @param {boolean} [wrong]
   */
  say(words, wrong = false) {
    this.state.textContent = words;
    this.state.classList.toggle("problem", wrong);
    if (!wrong) return;
    this.maps.replaceChildren();
    this.more.replaceChildren();
  }
}

const ABOUT =
  "Pick a node or the name of a layer: its map shows what of a picture reaches the layer's necessary " +
  "nodes. It does not show where a finding is.";
const MISSING = "This service has no method that draws what reaches a layer.";

/**
 * The filters that lead to a node, the strongest first.
 * @param {any} target
 * @param {number} node
 * @returns {{part: string, words: string}[]}
 */
function filtersOf(target, node) {
  const known = target.map.details?.filters ?? [];
  return known
    .filter((/** @type {any} */ one) => one.node === node && one.part in target.links.parts)
    .map((/** @type {any} */ one) => ({
      part: one.part,
      words: `from ${one.layer} ${one.parent}, ${figure(one.strength)}`,
    }));
}
