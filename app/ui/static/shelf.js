/** The jobs that this browser has asked for: their ids are kept here, all else with the service. */

import { read, Refusal } from "./api.js";
import { byId, element } from "./dom.js";
import { erase, finished, path } from "./jobs.js";
import { keeping } from "./keeping.js";

/** @typedef {{id: string, method: string, model: string, image: string, at: number}} Kept */

/** @type {ReturnType<typeof keeping<Kept>>} */
const jobs = keeping("rationale.jobs", 200);

export const { keep } = jobs;

/**
 * Show the list as the service knows it now.
 * @param {{show: (document: any) => void, gone: (id: string) => void}} options
 */
export async function showShelf(options) {
  const body = byId("jobs-body");
  const known = jobs.all();
  body.replaceChildren(...known.map((job) => row(job, options)));
  byId("jobs-none").hidden = known.length > 0;
}

/**
 * @param {Kept} job
 * @param {{show: (document: any) => void, gone: (id: string) => void}} options
 */
function row(job, options) {
  const state = element("td", { class: "job-state" }, "…");
  const actions = element("td", { class: "actions" });
  const made = element(
    "tr",
    {},
    element("td", {}, job.method),
    state,
    actions,
    element("td", {}, job.image),
    element("td", {}, job.model),
    element("td", {}, new Date(job.at).toLocaleString()),
  );
  const remove = async () => {
    await erase(path(job.id)).catch((error) => {
      if (!(error instanceof Refusal) || error.status !== 404) throw error;
    });
    jobs.drop(job.id);
    options.gone(job.id);
    made.remove();
    byId("jobs-none").hidden = jobs.all().length > 0;
  };
  look(job, state, actions, { ...options, remove });
  return made;
}

/**
 * @param {Kept} job
 * @param {HTMLElement} state
 * @param {HTMLElement} actions
 * @param {{show: (document: any) => void, remove: () => Promise<void>}} options
 */
async function look(job, state, actions, { show, remove }) {
  const about = `${job.method} of ${job.image}`;
  const button = (/** @type {string} */ title, /** @type {() => void} */ work) =>
    element(
      "button",
      { type: "button", class: "quiet", "aria-label": `${title} ${about}`, onclick: work },
      title,
    );
  try {
    const document = await read(path(job.id));
    const runs = !finished(document.state);
    state.textContent =
      document.state === "running" ? `running, ${Math.round(100 * document.progress)} %` : document.state;
    actions.replaceChildren(
      button("Show", () => show(document)),
      button(runs ? "Cancel" : "Erase", remove),
    );
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    state.textContent = error.status === 404 ? "expired or erased" : error.message;
    actions.replaceChildren(button("Forget", remove));
  }
}
