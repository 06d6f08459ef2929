/** The state of the service: workers, models, queues, and for operators the dead letters. */

import { call, read, Refusal } from "./api.js";
import { byId, element, figure } from "./dom.js";

const LETTERS = "/api/v1/dead-letters";

/** Read and show everything anew. */
export async function showOperations() {
  await Promise.all([showService(), showLetters()]);
}

async function showService() {
  try {
    const ready = await read("/readyz");
    const samples = parseMetrics(await (await call("/metrics")).text());
    byId("service-state").textContent =
      ready.status === "ready" ? "Ready." : "No worker is live: jobs are accepted and wait.";
    byId("service-figures").replaceChildren(...figures(ready, samples));
    byId("models-body").replaceChildren(...models(ready, samples));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    byId("service-state").textContent = error.message;
  }
}

/**
 * The samples of Prometheus' text format.
 * @param {string} text
 * @returns {{name: string, labels: Record<string, string>, value: number}[]}
 */
export function parseMetrics(text) {
  return text.split("\n").flatMap((line) => {
    const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) return [];
    const labels = [...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
      name,
      value.replace(/\\(.)/g, "$1"),
    ]);
    return [{ name: found[1], labels: Object.fromEntries(labels), value: Number(found[3]) }];
  });
}

/**
 * @param {any} ready
 * @param {ReturnType<typeof parseMetrics>} samples
 */
function figures(ready, samples) {
  const sum = (/** @type {string} */ name) =>
    samples.filter((each) => each.name === name).reduce((total, { value }) => total + value, 0);
  const differing = [...ready.differing_catalogues, ...Object.keys(ready.differing_models)];
  /** @type {[string, unknown][]} */
  const rows = [
    ["live workers", ready.workers],
    ["unfinished jobs", sum("rationale_queue_depth")],
    ["dead letters", sum("rationale_dead_letters")],
    ["calls to webhooks that wait", sum("rationale_webhook_calls")],
    ["differ from the others", differing.join(", ") || "none"],
  ];
  return rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
}

/**
 * @param {any} ready
 * @param {ReturnType<typeof parseMetrics>} samples
 */
function models(ready, samples) {
  const of = (/** @type {string} */ name, /** @type {string} */ model) =>
    samples
      .filter((each) => each.name === name && each.labels.model.split("@")[0] === model)
      .reduce((total, { value }) => total + value, 0);
  const names = Object.keys(ready.models).sort();
  return names.map((name) =>
    element(
      "tr",
      {},
      element("td", {}, name),
      element("td", {}, String(ready.models[name])),
      element("td", {}, figure(of("rationale_queue_depth", name))),
      element("td", {}, `${figure(of("rationale_queue_drain_seconds", name))} s`),
    ),
  );
}

async function showLetters() {
  const state = byId("letters-state");
  const table = byId("letters-table");
  try {
    const page = await read(`${LETTERS}?limit=50`);
    state.textContent = page.total ? `${page.total} in all, the newest first.` : "There are none.";
    table.hidden = page.total === 0;
    byId("letters-body").replaceChildren(...page.letters.map(letter));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    table.hidden = true;
    state.textContent = error.status === 403 ? "Only an operator's key opens them." : error.message;
  }
}

/** @param {any} one */
function letter(one) {
  const method = one.method?.name ?? "unreadable";
  const act = (/** @type {string} */ title, /** @type {string} */ address, /** @type {string} */ verb) => {
    const work = async () => {
      await call(address, { method: verb }).catch((error) => {
        if (!(error instanceof Refusal)) throw error;
        byId("letters-state").textContent = error.message;
      });
      await showOperations();
    };
    return element(
      "button",
      { type: "button", class: "quiet", "aria-label": `${title} ${method} of ${one.tenant}`, onclick: work },
      title,
    );
  };
  return element(
    "tr",
    {},
    element("td", {}, new Date(one.at).toLocaleString()),
    element("td", {}, one.tenant),
    element("td", {}, one.model),
    element("td", {}, method),
    element("td", { class: "words" }, `${one.reason.code}: ${one.reason.detail}`),
    element(
      "td",
      { class: "actions" },
      act("Retry", one.links.retry, "POST"),
      act("Drop", one.links.self, "DELETE"),
    ),
  );
}
