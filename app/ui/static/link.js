/** The fragment of the address: with it the same view is opened again. */

const ID = /^[a-z2-7]{32}$/;
const PAIR = /^([a-z2-7]{32}\.\d+)-([a-z2-7]{32}\.\d+)$/;
const MOST = 64;

/**
 * Write the view into the address, without a step in the history.
 * @param {import("./grid.js").Grid} grid
 */
export function writeLink(grid) {
  const words = new URLSearchParams();
  if (grid.jobs.size) words.set("show", [...grid.jobs.keys()].join(","));
  const pairs = grid.differences.map(({ of }) => of.join("-"));
  if (pairs.length) words.set("differences", pairs.join(","));
  for (const [name, value] of Object.entries(grid.look.words)) words.set(name, String(value));
  const { zoom, x, y } = grid.view;
  if (zoom > 1) words.set("view", [zoom, x, y].map((value) => value.toFixed(4)).join(","));
  const text = words.toString().replaceAll("%2C", ",");
  history.replaceState(null, "", text ? `#${text}` : location.pathname);
}

/**
 * What an address asks to be shown.
 * @param {string} fragment
 * @returns {{ids: string[], pairs: [string, string][], view: number[]|null, look: URLSearchParams}}
 */
export function readLink(fragment) {
  const look = new URLSearchParams(fragment.replace(/^#/, ""));
  const list = (/** @type {string} */ name) => (look.get(name) ?? "").split(",").slice(0, MOST);
  const pairs = list("differences")
    .map((text) => PAIR.exec(text))
    .filter((found) => found !== null);
  const view = list("view").map(Number);
  return {
    ids: list("show").filter((id) => ID.test(id)),
    pairs: pairs.map((found) => [found[1], found[2]]),
    view: view.length === 3 && view.every(Number.isFinite) ? view : null,
    look,
  };
}
