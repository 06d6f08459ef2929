/** The image to explain: dropped, pasted, picked, or one of the drawn radiographs. */

import { byId, element } from "./dom.js";
import { clearProblems } from "./problems.js";

/** The drawn radiographs that come with the page. */
export const PHANTOMS = ["nodule", "spiculated-mass", "calcifications", "none"];

/**
 * Watch all ways in which an image comes.
 * @param {(file: File) => void} changed
 * @returns {() => File|null} the image, if there is one
 */
export function imagePicker(changed) {
  const zone = byId("drop");
  const input = byId("image");
  /** @type {File|null} */
  let chosen = null;

  const take = (/** @type {File|null|undefined} */ file) => {
    if (!file) return;
    chosen = file;
    clearProblems(byId("image-field"));
    showPreview(file);
    changed(file);
  };

  input.addEventListener("change", () => take(input.files[0]));
  document.addEventListener("paste", (event) => take(event.clipboardData?.files[0]));
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", name === "dragenter" || name === "dragover");
    });
  }
  document.addEventListener("drop", (event) => take(event.dataTransfer?.files[0]));
  byId("phantoms").append(...PHANTOMS.map((name) => phantom(name, take)));
  return () => chosen;
}

/** @param {string} name */
const address = (name) => `/ui/phantom-${name}.png`;

/**
 * A drawn radiograph as a file.
 * @param {string} name
 */
export async function radiograph(name) {
  const blob = await (await fetch(address(name))).blob();
  return new File([blob], `phantom-${name}.png`, { type: "image/png" });
}

/**
 * @param {string} name
 * @param {(file: File) => void} take
 */
function phantom(name, take) {
  const fetched = async () => take(await radiograph(name));
  return element(
    "button",
    { type: "button", class: "phantom", onclick: fetched, "aria-label": `Drawn radiograph: ${name}` },
    element("img", { src: address(name), alt: "", width: 56, height: 56 }),
    element("span", {}, name),
  );
}

/** @param {File} file */
function showPreview(file) {
  const picture = byId("preview");
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  picture.hidden = false;
  picture.onerror = () => {
    picture.hidden = true; // a browser reads fewer formats than the service
  };
  picture.src = URL.createObjectURL(file);
  byId("image-name").textContent = `${file.name || "image"}, ${Math.max(1, Math.round(file.size / 1024))} KB`;
}
