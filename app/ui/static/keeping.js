/** Lists that this browser keeps: ids with a few words beside them; all else is with the service. */

/**
 * The list of a name.
 * @template {{id: string}} Entry
 * @param {string} name
 * @param {number} most entries, the newest
 * @returns {{all: () => Entry[], keep: (entry: Entry) => void, drop: (id: string) => void}} newest first
 */
export function keeping(name, most) {
  const all = () => {
    try {
      const found = JSON.parse(localStorage.getItem(name) ?? "[]");
      return Array.isArray(found) ? found.filter((each) => typeof each?.id === "string") : [];
    } catch {
      return [];
    }
  };
  const without = (/** @type {string} */ id) => all().filter((each) => each.id !== id);
  const write = (/** @type {Entry[]} */ entries) => localStorage.setItem(name, JSON.stringify(entries));
  return {
    all,
    keep: (entry) => write([entry, ...without(entry.id)].slice(0, most)),
    drop: (id) => write(without(id)),
  };
}
