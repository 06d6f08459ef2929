/** The form on the left: an image, a model, classes, methods and metrics, and the button that asks. */

import { Refusal } from "./api.js";
import { choiceList, fileField, filterChoices } from "./choice.js";
import { byId } from "./dom.js";
import { imagePicker } from "./image.js";
import { ask } from "./jobs.js";
import { clearProblems, showProblems } from "./problems.js";
import { keep } from "./shelf.js";
import { TargetPicker } from "./targets.js";

const USUAL = "grad-cam";

export class AskForm {
  /**
   * @param {{methods: any[], metrics: any[], models: any[]}} menu
   * @param {(document: any) => void} accepted is told of every explanation that was asked for
   */
  constructor(menu, accepted) {
    this.accepted = accepted;
    this.root = byId("ask");
    this.picker = new TargetPicker(menu.models, lookMethod(menu.methods));
    this.image = imagePicker((file) => {
      clearProblems(this.root);
      this.picker.imageChanged(file);
    });
    const changed = () => this.describe();
    this.methods = choiceList(byId("methods"), menu.methods, {
      group: (card) => card.family,
      prefix: () => "params",
      files: (card) => (card.needs.includes("reference") ? ["reference"] : []),
      preset: [USUAL],
      changed,
    });
    this.metrics = choiceList(byId("metrics"), menu.metrics, {
      group: (card) => card.aspect,
      prefix: (card) => `metric_params.${card.name}`,
      files: () => [],
      changed,
    });
    this.mask = fileField("mask");
    byId("mask").append(this.mask.root);
    byId("filter").addEventListener("input", () => filterChoices(byId("methods"), byId("filter").value));
    this.root.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.run();
    });
    this.describe();
  }

  /** What the button would do. */
  describe() {
    const methods = this.methods().length;
    const metrics = this.metrics();
    byId("run").textContent = methods === 1 ? "Explain with 1 method" : `Explain with ${methods} methods`;
    byId("metrics-count").textContent = metrics.length ? ` ${metrics.length} chosen` : "";
    byId("mask").hidden = !metrics.some(({ card }) => card.needs_mask);
  }

  /** Ask for one explanation for each method. */
  async run() {
    clearProblems(this.root);
    const image = this.image();
    const model = this.picker.model;
    const methods = this.methods();
    const missing = [
      image ? null : { field: "image", message: "Choose an image first." },
      model ? null : { field: "model", message: "No model is live." },
      methods.length ? null : { field: "method", message: "Choose at least one method." },
    ].filter((each) => each !== null);
    if (!image || !model || missing.length) {
      this.tell(missing);
      return;
    }
    byId("run").disabled = true;
    if (matchMedia("(max-width: 860px)").matches) byId("results").scrollIntoView();
    try {
      for (const chosen of methods) await this.one(image, model, chosen);
    } finally {
      byId("run").disabled = false;
    }
  }

  /**
   * @param {File} image
   * @param {any} model
   * @param {import("./choice.js").Chosen} chosen
   */
  async one(image, model, chosen) {
    const metrics = this.metrics();
    const mask = metrics.some(({ card }) => card.needs_mask) ? this.mask.input.files[0] : null;
    try {
      const document = await ask({
        image,
        model: model.id,
        method: chosen.card.name,
        params: chosen.values,
        targets: this.picker.targets,
        metrics: metrics.map(({ card }) => card.name),
        metricParams: Object.fromEntries(metrics.map(({ card, values }) => [card.name, values])),
        seed: byId("seed").valueAsNumber || 0,
        files: { ...chosen.files, ...(mask ? { mask } : {}) },
      });
      keep({
        id: document.id,
        method: chosen.card.name,
        model: model.id,
        image: image.name || "image",
        at: Date.now(),
      });
      this.accepted(document);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refused(error, chosen);
    }
  }

  /**
   * Say at each control what is wrong with it; what belongs to none is said at the method.
   * @param {Refusal} refusal
   * @param {import("./choice.js").Chosen} chosen
   */
  refused(refusal, chosen) {
    const left = showProblems(chosen.root, refusal.errors);
    const unplaced = /** @type {{field: string, message: string}[]} */ (this.tell(left));
    if (refusal.errors.length && !unplaced.length) return;
    const note = /** @type {HTMLElement} */ (chosen.root.querySelector(".refusal"));
    note.textContent = [
      refusal.message,
      ...unplaced.map(({ field, message }) => `${field}: ${message}`),
    ].join(" ");
    note.hidden = false;
    note.closest("details")?.setAttribute("open", "");
  }

  /**
   * @param {{field: string, message: string}[]} errors
   */
  tell(errors) {
    const shared = this.root.querySelectorAll("[data-shared]");
    const left = [...shared].reduce((rest, part) => showProblems(part, rest), errors);
    this.root.querySelector(".problem:not([hidden])")?.scrollIntoView({ block: "nearest" });
    return left;
  }
}

/**
 * The cheapest method that needs nothing but gradients: nearly every model can answer it.
 * @param {any[]} methods
 */
function lookMethod(methods) {
  const able = methods.filter(({ needs }) =>
    needs.every((/** @type {string} */ need) => need === "input-gradients"),
  );
  return able.sort((one, other) => one.cost - other.cost)[0].name;
}
