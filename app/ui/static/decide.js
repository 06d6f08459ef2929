/** The section about what decides a class: a form, what was asked before, and the graph that is open. */

import { ask, GRAPH } from "./analyses.js";
import { read, Refusal } from "./api.js";
import { element, prose, unique } from "./dom.js";
import { Earlier } from "./earlier.js";
import { parameterForm } from "./form.js";
import { GraphStudy } from "./graph-study.js";
import { Pictures } from "./pictures.js";
import { clearProblems, showProblems } from "./problems.js";
import { live, modelOptions } from "./targets.js";

const STYLES = "/ui/decide.css";

/**
 * What the rest of the page lends: the colours, the tab of maps, and who wants to know of new models.
 * @typedef {{palettes: any, explain: (document: any) => void, modelsChanged: () => void}} Around
 */

export class Decide {
  /**
   * Build the section once its styles are there.
   * @param {HTMLElement} root
   * @param {any} menu
   * @param {Around} around
   */
  static async open(root, menu, around) {
    const [{ kinds }] = await Promise.all([read("/api/v1/analyses-catalogue"), styled()]);
    const made = new Decide(menu, kinds, around);
    root.replaceChildren(made.form, made.results);
    made.earlier.list();
    return made;
  }

  /**
   * @param {any} menu
   * @param {any[]} kinds
   * @param {Around} around
   */
  constructor(menu, kinds, around) {
    this.menu = menu;
    this.kinds = kinds;
    this.around = around;
    /** @type {GraphStudy|null} */
    this.study = null;
    this.card = kinds.find(({ name }) => name === GRAPH);
    const { target: _, intervention, level, ...others } = this.card.parameters.properties;
    const formOf = (/** @type {object} */ properties) =>
      parameterForm({ ...this.card.parameters, properties }, "params");
    this.usual = formOf({ intervention, level });
    this.others = formOf(others);
    this.pictures = new Pictures(() => this.picturesChanged());
    this.model = element("select", { id: unique(), onchange: () => this.modelChanged() });
    this.target = element("select", { id: unique(), onchange: () => clearProblems(this.form) });
    this.problem = element("p", { class: "problem refusal", role: "alert", hidden: true });
    this.button = element("button", { class: "main" }, "Find what decides");
    this.earlier = new Earlier({
      show: (document, label) => this.show(document, label),
      gone: (id) => this.study?.document.id === id && this.close(),
    });
    this.results = element("section", { class: "study", "aria-label": "What decides" }, this.empty());
    this.form = this.build();
    this.takeModels();
  }

  build() {
    const form = element(
      "form",
      { class: "asking", novalidate: "", autocomplete: "off" },
      element("section", {}, element("h2", {}, "Pictures"), this.pictures.root),
      element(
        "section",
        {},
        element("h2", {}, "Model and class"),
        field("model", "Model", this.model),
        field("params.target", "Class", this.target),
        ...this.usual.root.querySelectorAll(":scope > .field"),
        this.others.root,
        this.problem,
      ),
      element("div", { class: "go" }, this.button),
      element("section", {}, element("h2", {}, "Asked before"), this.earlier.root),
    );
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.ask();
    });
    return form;
  }

  empty() {
    return element(
      "div",
      { class: "empty" },
      element("p", {}, ...prose(this.card.summary)),
      element("p", { class: "hint" }, EMPTY),
      element("p", { class: "hint" }, this.card.reference),
    );
  }

  takeModels() {
    const before = this.model.value;
    const models = live(this.menu.models);
    this.model.replaceChildren(...modelOptions(models));
    if (models.some(({ id }) => id === before)) this.model.value = before;
    this.modelChanged();
  }

  modelChanged() {
    const model = this.menu.models.find((/** @type {any} */ each) => each.id === this.model.value);
    const before = this.target.value;
    /** @type {string[]} */
    const labels = model?.labels ?? [];
    this.target.replaceChildren(...labels.map((label, index) => element("option", { value: index }, label)));
    if (labels[before] !== undefined) this.target.value = before;
    this.pictures.setClasses(labels);
  }

  /** Pictures of one class alone are meant for that class. */
  picturesChanged() {
    const { labels } = this.pictures;
    const only = [...this.target.options].find(({ textContent }) => textContent === labels[0]);
    if (labels.length === 1 && only) this.target.value = only.value;
    this.study?.picturesChanged();
  }

  async ask() {
    clearProblems(this.form);
    if (!this.pictures.any) {
      this.pictures.tell([{ field: "images", message: "are missing: choose some first" }]);
      return;
    }
    this.button.disabled = true;
    this.button.textContent = "Sending the pictures …";
    try {
      const imageSet = await this.pictures.send();
      const params = {
        ...this.usual.values(),
        ...this.others.values(),
        target: Number(this.target.value),
      };
      const wish = { kind: GRAPH, model: this.model.value, image_set: imageSet, params };
      const label = this.target.selectedOptions[0]?.textContent ?? "";
      const document = await ask(wish, { label, graph: null });
      this.earlier.list();
      this.show(document, label);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refused(error);
    } finally {
      this.button.disabled = false;
      this.button.textContent = "Find what decides";
    }
  }

  /** @param {Refusal} refusal */
  refused(refusal) {
    const left = showProblems(this.form, this.pictures.tell(refusal.errors));
    if (refusal.errors.length && !left.length) return;
    const words = left.map(({ field: name, message }) => `${name} ${message}.`);
    this.problem.textContent = words.join(" ") || refusal.message;
    this.problem.hidden = false;
  }

  /**
   * @param {any} document
   * @param {string} label
   */
  show(document, label) {
    this.study?.close();
    this.study = new GraphStudy(document, label, {
      ...{ menu: this.menu, kinds: this.kinds, pictures: this.pictures, around: this.around },
      ended: () => this.earlier.list(),
      modelsChanged: () => this.readModels(),
    });
    this.results.replaceChildren(this.study.root);
    if (matchMedia("(max-width: 860px)").matches) this.results.scrollIntoView();
  }

  close() {
    this.study?.close();
    this.study = null;
    this.results.replaceChildren(this.empty());
  }

  async readModels() {
    this.menu.models = (await read("/api/v1/models")).models;
    this.takeModels();
    this.around.modelsChanged();
  }
}

const EMPTY =
  "It needs pictures of the class that the model gets right; the more there are, the smaller the errors of " +
  "the effects. With pictures of other classes beside them, the graph can be put to the proof.";

/**
 * @param {string} name under which the service reports what is wrong
 * @param {string} title
 * @param {HTMLElement} control
 */
const field = (name, title, control) =>
  element(
    "div",
    { class: "field", "data-field": name },
    element("label", { for: control.id }, title),
    control,
    element("p", { class: "problem", role: "alert", hidden: true }),
  );

/** The styles of this section, which the page does without until it is opened. */
function styled() {
  const link = element("link", { rel: "stylesheet", href: STYLES });
  document.head.append(link);
  return new Promise((loaded, failed) => {
    link.onload = loaded;
    link.onerror = () => failed(new Error(`${STYLES} could not be loaded.`));
  });
}
