/** The causal graphs that this browser has asked for. */

import { GRAPH, place, shelf } from "./analyses.js";
import { read, Refusal } from "./api.js";
import { element } from "./dom.js";
import { erase, finished } from "./jobs.js";

/** @typedef {import("./analyses.js").Kept} Kept */

export class Earlier {
  /** @param {{show: (document: any, label: string) => void, gone: (id: string) => void}} told */
  constructor(told) {
    this.told = told;
    this.root = element("ul", { class: "earlier" });
  }

  /** List them as the service knows them now. */
  list() {
    const known = shelf.all().filter(({ kind }) => kind === GRAPH);
    this.root.replaceChildren(...known.map((each) => this.row(each)));
    if (!known.length) this.root.append(element("li", { class: "hint" }, "Nothing yet."));
  }

  /** @param {Kept} kept */
  row(kept) {
    const state = element("span", { class: "hint" }, "…");
    const actions = element("span", { class: "actions" });
    const about = `${kept.label}, ${kept.model}`;
    this.look(kept, state, actions, about);
    return element("li", {}, element("span", { class: "what" }, about), state, actions);
  }

  /**
   * @param {Kept} kept
   * @param {HTMLElement} state
   * @param {HTMLElement} actions
   * @param {string} about
   */
  async look(kept, state, actions, about) {
    const act = (/** @type {string} */ title, /** @type {() => unknown} */ onclick) => {
      const properties = { type: "button", class: "quiet", "aria-label": `${title} ${about}`, onclick };
      return element("button", properties, title);
    };
    const remove = () => this.remove(kept);
    try {
      const document = await read(place(kept.id));
      state.textContent = `${document.state}, ${new Date(kept.at).toLocaleString()}`;
      actions.replaceChildren(
        act("Show", () => this.told.show(document, kept.label)),
        act(finished(document.state) ? "Erase" : "Cancel", remove),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      state.textContent = error.status === 404 ? "expired or erased" : error.message;
      actions.replaceChildren(act("Forget", remove));
    }
  }

  /**
   * Erase a graph, and what it was used for.
   * @param {Kept} kept
   */
  async remove({ id }) {
    const uses = shelf.all().filter(({ graph }) => graph === id);
    for (const each of [id, ...uses.map((use) => use.id)]) {
      await erase(place(each)).catch((error) => {
        if (!(error instanceof Refusal) || error.status !== 404) throw error;
      });
      shelf.drop(each);
    }
    this.told.gone(id);
    this.list();
  }
}
