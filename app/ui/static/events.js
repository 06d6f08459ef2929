/** Server-sent events read through fetch, so that the key can be sent in a header. */

import { call } from "./api.js";
import { pause } from "./dom.js";

const AGAIN_MILLISECONDS = 1000;
const LAST = new Set(["done", "failed", "cancelled"]);

/**
 * The events of an explanation up to its last one; a line that is cut is taken up where it broke.
 * @param {string} path
 * @returns {AsyncGenerator<{name: string, data: any}>}
 */
export async function* events(path) {
  let seen = "";
  for (;;) {
    const headers = { Accept: "text/event-stream", ...(seen ? { "Last-Event-ID": seen } : {}) };
    const response = await call(path, { headers, cache: "no-store" });
    if (response.status === 204 || response.body === null) return;
    try {
      for await (const event of parsed(lines(response.body))) {
        seen = event.id || seen;
        yield event;
        if (LAST.has(event.name)) return;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the line was cut
    }
    await pause(AGAIN_MILLISECONDS);
  }
}

/** @param {AsyncIterable<string>} source */
async function* parsed(source) {
  let event = { name: "", id: "", text: "" };
  for await (const line of source) {
    if (line === "") {
      if (event.text) yield { name: event.name, id: event.id, data: JSON.parse(event.text) };
      event = { name: "", id: "", text: "" };
      continue;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? ["", "", ""];
    if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
    else if (field === "data") event.text += event.text ? `\n${value}` : value;
  }
}

/** @param {ReadableStream<Uint8Array>} body */
async function* lines(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const found = (rest + value).split(/\r?\n/);
      rest = found.pop() ?? "";
      yield* found;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
