/** Files as they were picked or dropped, with those of folders. */

/** @typedef {{name: string, file: File}} Named */

/**
 * A file by its path below the folder that was picked, with that folder's own name.
 * @param {File} file
 * @returns {Named}
 */
export const named = (file) => ({ name: file.webkitRelativePath || file.name, file });

/**
 * All files that were dropped, with those of folders.
 * @param {DataTransferItem[]} items
 * @returns {Promise<Named[]>}
 */
export async function dropped(items) {
  // The items are empty once anything was waited for.
  const found = items
    .filter(({ kind }) => kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files = found.map(({ entry, file }) => (entry ? walk(entry) : file ? [named(file)] : []));
  return (await Promise.all(files)).flat();
}

/**
 * @param {any} entry a file, or a folder
 * @returns {Promise<Named[]>}
 */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((found, failed) => entry.file(found, failed));
    return [{ name: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  /** @type {Named[]} */
  const found = [];
  for (;;) {
    const some = await new Promise((read, failed) => reader.readEntries(read, failed));
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
}

/**
 * The classes that a file of labels names.
 * @param {File} file
 * @returns {Promise<Record<string, string>|null>} null when it is no object
 */
export async function labelsOf(file) {
  try {
    const found = JSON.parse(await file.text());
    return found && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}
