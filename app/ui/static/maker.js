/** Makes a model of a share of a repair. */

import { call, Refusal } from "./api.js";
import { element, percent, unique } from "./dom.js";

const MOST_TITLE = 128; // characters

/**
 * What makes a model of a share at which anything is cut.
 * @param {any} result
 * @param {any} document its analysis
 * @param {{name: string, made: () => Promise<void>}} options what the model is called now; told of a new one
 */
export function maker(result, document, { name, made }) {
  const able = result.steps.filter((/** @type {any} */ step) => step.weights.length);
  if (!able.length) return element("p", { class: "hint" }, "At no share is anything cut.");
  const id = unique();
  const select = element(
    "select",
    { id },
    ...able.map((/** @type {any} */ step) => {
      const best = step.share === result.best ? " (best)" : "";
      return element("option", { value: step.share }, `${percent(step.share)}${best}`);
    }),
  );
  if (able.some((/** @type {any} */ step) => step.share === result.best)) select.value = String(result.best);
  const state = element("p", { class: "state", role: "status" });
  const make = async () => {
    button.disabled = true;
    state.classList.remove("problem");
    try {
      const share = Number(select.value);
      const title = `${name}, repaired at ${percent(share)} for ${result.label}`;
      const repair = await repaired(document.id, share, title);
      await made();
      state.textContent = `${repair.title} is among the models now, as ${repair.model.id}.`;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      state.classList.add("problem");
      const none = [404, 405].includes(error.status) && !error.errors.length;
      const wrong = error.errors.map(({ field, message }) => `${field} ${message}.`).join(" ");
      state.textContent = none ? "This service makes no models of repairs." : wrong || error.message;
    } finally {
      button.disabled = false;
    }
  };
  const button = element("button", { type: "button", onclick: make }, "Make this a model");
  const warning =
    "The share was chosen on these very pictures, so what it promises is too good: measure the model again " +
    "on pictures that neither the graph nor the repair has seen.";
  return element(
    "div",
    { class: "maker" },
    element("div", { class: "row choose" }, element("label", { for: id }, "Share"), select, button),
    state,
    element("p", { class: "hint" }, warning),
  );
}

/**
 * @param {string} analysis
 * @param {number} share
 * @param {string} title
 */
async function repaired(analysis, share, title) {
  const body = JSON.stringify({ analysis, share, title: title.slice(0, MOST_TITLE) });
  const headers = { "Content-Type": "application/json" };
  return (await call("/api/v1/repairs", { method: "POST", headers, body })).json();
}
