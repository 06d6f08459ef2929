/** Asking for explanations and following them to their end. */

import { call, read, Refusal } from "./api.js";
import { pause } from "./dom.js";
import { events } from "./events.js";

const STREAMS = 3; // a browser opens six connections to a host, and pictures need some
const POLL_MILLISECONDS = 700;
const AGAIN_MILLISECONDS = 2000;
const PASSING = new Set([0, 502, 503, 504]); // the service is away; its jobs are not
let streams = 0;

/** @param {string} state */
export const finished = (state) => ["done", "failed", "cancelled"].includes(state);

/** @param {string} id */
export const path = (id) => `/api/v1/explanations/${id}`;

/**
 * What to explain, and how.
 * @typedef {object} Wish
 * @property {File} image
 * @property {string} model
 * @property {string} method
 * @property {object} params
 * @property {string[]} targets
 * @property {string[]} metrics
 * @property {object} metricParams
 * @property {number} seed
 * @property {Object<string, File>} files what stands beside the image
 */

/**
 * Ask for one explanation.
 * @param {Wish} wish
 * @returns {Promise<any>} its document
 */
export async function ask(wish) {
  const form = new FormData();
  form.set("image", wish.image, wish.image.name || "image");
  for (const [name, file] of Object.entries(wish.files)) form.set(name, file, file.name || name);
  form.set("model", wish.model);
  form.set("method", wish.method);
  form.set("params", JSON.stringify(wish.params));
  form.set("seed", String(wish.seed));
  for (const target of wish.targets) form.append("target", target);
  for (const metric of wish.metrics) form.append("metrics", metric);
  if (wish.metrics.length) form.set("metric_params", JSON.stringify(wish.metricParams));
  return (await call("/api/v1/explanations", { method: "POST", body: form })).json();
}

/**
 * Follow an explanation or an analysis; a few are streamed at a time, the others are looked at now and then.
 * @param {string} place its path
 * @param {(change: any) => void} changed told of every state on the way
 * @returns {Promise<any>} the document at the end; null when it was erased
 */
export async function follow(place, changed) {
  for (;;) {
    try {
      if (streams < STREAMS) return await streamed(place, changed);
      const document = await read(place);
      if (finished(document.state)) return document;
      changed(document);
      await pause(POLL_MILLISECONDS);
    } catch (error) {
      if (!(error instanceof Refusal && PASSING.has(error.status))) throw error;
      await pause(AGAIN_MILLISECONDS);
    }
  }
}

/**
 * @param {string} place
 * @param {(change: any) => void} changed
 */
async function streamed(place, changed) {
  streams += 1;
  try {
    for await (const { name, data } of events(`${place}/events`)) {
      if (!finished(name)) changed(data);
      else if (name === "cancelled" || !data.model) return null;
      else return data;
    }
    return await read(place);
  } finally {
    streams -= 1;
  }
}

/**
 * Cancel or erase.
 * @param {string} place the path of an explanation or an analysis
 */
export async function erase(place) {
  await call(place, { method: "DELETE" });
}
