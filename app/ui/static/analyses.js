/** Analyses: how they are asked for, followed and cancelled, and which ones this browser has asked for. */

import { call, Refusal } from "./api.js";
import { element } from "./dom.js";
import { erase, finished, follow } from "./jobs.js";
import { keeping } from "./keeping.js";

/**
 * An analysis that this browser has asked for; `graph` is the one that it puts to use.
 * @typedef {{id: string, kind: string, model: string, label: string, graph: string|null, at: number}} Kept
 */

/** @type {ReturnType<typeof keeping<Kept>>} */
export const shelf = keeping("rationale.analyses", 100);

export const GRAPH = "causal-graph"; // the kind of analysis that all others here put to use

/** @param {string} id */
export const place = (id) => `/api/v1/analyses/${id}`;

/**
 * Ask for an analysis.
 * @param {{kind: string, model: string, image_set: string, params: object}} wish
 * @param {{label: string, graph: string|null}} about what to call it
 * @returns {Promise<any>} its document
 */
export async function ask(wish, about) {
  const headers = { "Content-Type": "application/json" };
  const document = await (
    await call("/api/v1/analyses", { method: "POST", headers, body: JSON.stringify(wish) })
  ).json();
  shelf.keep({ id: document.id, kind: wish.kind, model: wish.model, at: Date.now(), ...about });
  return document;
}

/** How far an analysis is, with a button that cancels it. */
export class Progress {
  /** @param {string} name of what goes on */
  constructor(name) {
    this.bar = element("progress", { max: 1, value: 0, "aria-label": `Progress of ${name}` });
    this.state = element("p", { class: "state", role: "status" });
    this.button = element(
      "button",
      { type: "button", class: "quiet", "aria-label": `Cancel ${name}`, onclick: () => this.cancel() },
      "Cancel",
    );
    this.root = element(
      "div",
      { class: "running", hidden: true },
      element("div", { class: "row" }, this.bar, this.button),
      this.state,
    );
    /** @type {any} */
    this.document = null;
  }

  /**
   * Follow an analysis to its end and say what becomes of it.
   * @param {any} document
   * @returns {Promise<any>} the document when it is done, else null; null too when another took its place
   */
  async follow(document) {
    this.document = document;
    this.show(document);
    const isLast = () => this.document?.id === document.id;
    try {
      const end = finished(document.state)
        ? document
        : await follow(place(document.id), (change) => isLast() && this.show(change));
      if (!isLast()) return null;
      if (end?.state === "done") {
        this.root.hidden = true;
        return end;
      }
      this.end(end?.error ? end.error.detail : "It was cancelled.", Boolean(end?.error));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (isLast()) this.end(error.status === 404 ? "It was erased." : error.message, true);
    }
    return null;
  }

  /** @param {any} document */
  show({ state, progress, done, total }) {
    this.root.hidden = false;
    this.bar.hidden = this.button.hidden = false;
    this.bar.value = progress;
    this.state.classList.remove("problem");
    this.state.textContent = total === null ? `${state} …` : `${state}, ${done} of ${total} parts`;
  }

  /**
   * @param {string} words
   * @param {boolean} wrong
   */
  end(words, wrong) {
    this.root.hidden = false;
    this.bar.hidden = this.button.hidden = true;
    this.state.classList.toggle("problem", wrong);
    this.state.textContent = words;
  }

  async cancel() {
    shelf.drop(this.document.id);
    await erase(place(this.document.id)).catch(() => {}); // who follows it says how it ended
  }
}
