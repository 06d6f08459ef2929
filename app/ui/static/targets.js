/** The model, what it says of the image, and the classes to explain. */

import { call, read, Refusal } from "./api.js";
import { byId, element, percent, unique } from "./dom.js";
import { finished } from "./jobs.js";
import { keep } from "./shelf.js";

/**
 * @typedef {{index: number, label: string, score?: number}} Target
 */

/**
 * Those that a worker serves.
 * @param {any[]} models
 */
export const live = (models) => models.filter((each) => each.workers > 0);

/** @param {any[]} models */
export const modelOptions = (models) =>
  models.map((each) => element("option", { value: each.id }, each.title || each.id));

/** Chooses the model and the classes; asks for the predictions as soon as there is an image. */
export class TargetPicker {
  /**
   * @param {any[]} models
   * @param {string} lookMethod the method whose answer brings the predictions
   */
  constructor(models, lookMethod) {
    this.lookMethod = lookMethod;
    this.asked = 0;
    /** @type {File|null} */
    this.image = null;
    this.select = byId("model");
    this.take(models);
    this.select.addEventListener("change", () => this.modelChanged());
    byId("target-add").addEventListener("click", () => this.addByName());
    byId("other-target").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.addByName();
    });
  }

  /** @param {any[]} models to choose from; what was chosen stays so, if it is still there */
  take(models) {
    this.models = live(models);
    const before = this.select.value;
    this.select.replaceChildren(...modelOptions(this.models));
    if (this.models.some(({ id }) => id === before)) this.select.value = before;
    this.describe();
  }

  /** The card of the chosen model; undefined while no model is live. */
  get model() {
    return this.models.find((each) => each.id === this.select.value);
  }

  /** The indices that are ticked; none for the predicted class. */
  get targets() {
    return [...byId("predictions").querySelectorAll("input:checked")].map((box) => box.value);
  }

  /** @param {File} file */
  imageChanged(file) {
    this.image = file;
    this.look();
  }

  modelChanged() {
    this.describe();
    byId("predictions").replaceChildren();
    this.look();
  }

  describe() {
    const model = this.model;
    byId("model-about").textContent = model
      ? [model.description, model.intended_use].filter(Boolean).join(" ")
      : "No worker serves a model just now.";
    byId("labels").replaceChildren(
      ...(model?.labels ?? []).map((/** @type {string} */ label) => element("option", { value: label })),
    );
  }

  /** Ask the model what it sees. */
  async look() {
    if (!this.image || !this.model) return;
    const turn = (this.asked += 1);
    this.say("Asking the model …");
    try {
      const document = await this.predicted(this.image, this.model.id);
      if (turn !== this.asked) return;
      this.show(document.predictions);
      this.say(document.error ? document.error.detail : "");
    } catch (error) {
      if (turn !== this.asked || !(error instanceof Refusal)) throw error;
      this.say(
        error.errors.length
          ? error.errors.map((each) => `${each.field} ${each.message}`).join("; ")
          : error.message,
        true,
      );
    }
  }

  /**
   * @param {File} image
   * @param {string} model
   */
  async predicted(image, model) {
    const form = new FormData();
    form.set("image", image, image.name || "image");
    form.set("model", model);
    form.set("method", this.lookMethod);
    const posted = await (await call("/api/v1/explanations", { method: "POST", body: form })).json();
    keep({ id: posted.id, method: this.lookMethod, model, image: image.name || "image", at: Date.now() });
    return finished(posted.state) ? posted : read(`${posted.links.self}`, { Prefer: "wait=30" });
  }

  /**
   * @param {string} words
   * @param {boolean} [wrong]
   */
  say(words, wrong = false) {
    const place = byId("predictions-state");
    place.textContent = words;
    place.classList.toggle("problem", wrong);
  }

  /** @param {Target[]} predictions */
  show(predictions) {
    const kept = new Set(this.targets);
    byId("predictions").replaceChildren(
      ...predictions.map((each) => this.row(each, kept.has(String(each.index)))),
    );
  }

  addByName() {
    const input = byId("other-target");
    const label = input.value.trim();
    const named = this.model?.labels.indexOf(label) ?? -1;
    const index = named >= 0 ? named : /^\d+$/.test(label) ? Number(label) : -1;
    const known = this.model?.labels[index];
    byId("target-problem").hidden = known !== undefined;
    byId("target-problem").textContent =
      known === undefined ? `${label || "This"} is no class of the model.` : "";
    if (known === undefined) return;
    const box = [...byId("predictions").querySelectorAll("input")].find(
      (each) => each.value === String(index),
    );
    if (box) box.checked = true;
    else byId("predictions").append(this.row({ index, label: known }, true));
    input.value = "";
  }

  /**
   * @param {Target} target
   * @param {boolean} checked
   */
  row(target, checked) {
    const id = unique();
    const bar = element(
      "span",
      { class: "bar", "aria-hidden": "true" },
      element("span", { class: "length" }),
    );
    bar.firstChild.style.inlineSize = `${100 * (target.score ?? 0)}%`;
    return element(
      "li",
      {},
      element("input", { type: "checkbox", id, value: target.index, checked }),
      element("label", { for: id }, target.label),
      bar,
      element("span", { class: "number" }, target.score === undefined ? "" : percent(target.score)),
    );
  }
}
