/** Putting a causal graph to use: how steady and faithful it is, and what repair by it brings, as curves. */

import { ask, place, Progress, shelf } from "./analyses.js";
import { read, Refusal } from "./api.js";
import { element, unique } from "./dom.js";
import { parameterForm } from "./form.js";
import { clearProblems, showProblems } from "./problems.js";

/**
 * A kind of use: `given` makes the parameters that the graph settles, `draw` the curves of a result.
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {(document: any) => Record<string, unknown>} given
 * @property {(result: any, document: any) => HTMLElement[]} draw
 *
 * The graph's analysis, and the pictures that are chosen now.
 * @typedef {{document: any, graph: any, pictures: import("./pictures.js").Pictures, kinds: any[]}} Source
 */

export class GraphUse {
  /**
   * @param {Kind} kind
   * @param {Source} source
   */
  constructor(kind, source) {
    this.kind = kind;
    this.source = source;
    const card = source.kinds.find(({ name }) => name === kind.name);
    const given = kind.given(source.document);
    const free = Object.entries(card.parameters.properties).filter(([name]) => !(name in given));
    const properties = Object.fromEntries(free);
    this.form = parameterForm({ ...card.parameters, properties }, "params");
    const id = unique();
    this.where = element(
      "select",
      { id },
      element("option", { value: "" }, "the pictures of the graph"),
      element("option", { value: "chosen" }, "the pictures that are chosen now"),
    );
    this.problem = element("p", { class: "problem refusal", role: "alert", hidden: true });
    this.button = element("button", { class: "main" }, "Measure");
    this.progress = new Progress(kind.title);
    this.result = element("div", { class: "curves" });
    const asking = element(
      "form",
      { class: "asking", novalidate: "" },
      element("div", { class: "row choose" }, element("label", { for: id }, "On"), this.where, this.button),
      this.form.root,
      this.problem,
    );
    asking.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.ask();
    });
    this.root = element(
      "section",
      { class: "part" },
      element("h3", {}, kind.title),
      element("p", { class: "hint" }, kind.about),
      asking,
      this.progress.root,
      this.result,
    );
    this.reopen();
  }

  /** What was asked for before is shown again. */
  async reopen() {
    const known = shelf
      .all()
      .find((each) => each.kind === this.kind.name && each.graph === this.source.document.id);
    if (!known) return;
    try {
      await this.follow(await read(place(known.id)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 404) shelf.drop(known.id);
    }
  }

  async ask() {
    clearProblems(this.root);
    const { document, graph, pictures } = this.source;
    if (this.where.value && !pictures.any) return this.tell("Choose pictures first.");
    this.button.disabled = true;
    try {
      const imageSet = this.where.value ? await pictures.send() : document.image_set;
      const params = { ...this.form.values(), ...this.kind.given(document) };
      const wish = { kind: this.kind.name, model: graph.model.id, image_set: imageSet, params };
      const asked = await ask(wish, { label: graph.label, graph: document.id });
      this.result.replaceChildren();
      this.follow(asked);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refused(error);
    } finally {
      this.button.disabled = false;
    }
  }

  /** @param {Refusal} refusal */
  refused(refusal) {
    const left = showProblems(this.form.root, refusal.errors);
    if (refusal.errors.length && !left.length) return;
    const words = left.map(({ field, message }) => `${field.replace("_", " ")} ${message}.`);
    this.tell(words.join(" ") || refusal.message);
  }

  /** @param {string} words what is wrong */
  tell(words) {
    this.problem.textContent = words;
    this.problem.hidden = false;
  }

  /** @param {any} document */
  async follow(document) {
    const end = await this.progress.follow(document);
    if (!end) return;
    try {
      this.result.replaceChildren(...this.kind.draw(await read(end.links.result), end));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.tell(error.message);
    }
  }
}
