/** Calls to the service, with the key of this session where one is asked for. */

const KEY = "rationale.key";

/**
 * A problem document of the service.
 * @typedef {{field: string, message: string}} Wrong
 * @typedef {{detail?: string, code?: string, errors?: Wrong[], explanation?: string}} Problem
 */

/** What the service says no with: a problem document, or the lack of any answer. */
export class Refusal extends Error {
  /**
   * @param {number} status 0 when there was no answer
   * @param {Problem} problem
   */
  constructor(status, problem) {
    super(problem.detail ?? `The service answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? "";
    this.errors = problem.errors ?? [];
    this.explanation = problem.explanation ?? null;
  }
}

/** @type {() => Promise<string|null>} */
let askForKey = async () => null;
/** @type {Promise<string|null>|null} */
let asking = null;

/**
 * Say how a key is asked for; null when none is given.
 * @param {() => Promise<string|null>} ask
 */
export function whenKeyIsMissing(ask) {
  askForKey = ask;
}

export const currentKey = () => sessionStorage.getItem(KEY);

/** @param {string|null} key */
export function useKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/**
 * The answer to a call. Where a key is missing it is asked for once, and the call is made again.
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} [options]
 * @returns {Promise<Response>}
 * @throws {Refusal} upon every answer that is no success
 */
export async function call(path, options = {}) {
  for (;;) {
    const key = currentKey();
    const response = await answer(path, options, key);
    if (response.ok) return response;
    const refusal = new Refusal(response.status, await problemOf(response));
    if (response.status !== 401) throw refusal;
    if (currentKey() === key && !(await newKey())) throw refusal;
  }
}

/**
 * The JSON at a path.
 * @param {string} path
 * @param {Record<string, string>} [headers]
 */
export const read = async (path, headers = {}) => (await call(path, { headers })).json();

/**
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} options
 * @param {string|null} key
 */
async function answer(path, options, key) {
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  try {
    return await fetch(path, { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, { detail: "The service cannot be reached." });
  }
}

/** Those who miss a key at the same time ask for it together. */
async function newKey() {
  asking ??= askForKey().finally(() => {
    asking = null;
  });
  const key = await asking;
  if (key) useKey(key);
  return key;
}

/** @param {Response} response */
async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}
