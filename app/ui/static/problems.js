/** What is wrong, said beside the control where it went wrong. */

/**
 * Show each error at the control of its field, or of the nearest field around it; return the others.
 * @param {ParentNode} root
 * @param {{field: string, message: string}[]} errors
 */
export function showProblems(root, errors) {
  const fields = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-field]")]);
  return errors.filter(({ field, message }) => {
    const place = nearest(fields, field);
    if (place) mark(place, message);
    return !place;
  });
}

/**
 * Take all messages away.
 * @param {ParentNode} root
 */
export function clearProblems(root) {
  for (const note of root.querySelectorAll(".problem")) {
    note.textContent = "";
    /** @type {HTMLElement} */ (note).hidden = true;
  }
  for (const control of root.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
}

/**
 * @param {HTMLElement[]} fields
 * @param {string} name
 */
function nearest(fields, name) {
  for (let path = name; path; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    const found = fields.find((field) => field.dataset.field === path);
    if (found) return found;
  }
  return null;
}

/**
 * @param {HTMLElement} field
 * @param {string} message
 */
function mark(field, message) {
  const note = /** @type {HTMLElement} */ (field.querySelector(".problem"));
  const said = note.textContent ?? "";
  // Each method that is asked for says of the image what is wrong with it.
  if (!said.includes(message)) note.textContent = said ? `${said} ${message}` : message;
  note.hidden = false;
  field.querySelector("input:not([type=checkbox]), select")?.setAttribute("aria-invalid", "true");
  for (let around = field.parentElement; around; around = around.parentElement) {
    if (around instanceof HTMLDetailsElement) around.open = true;
  }
}
