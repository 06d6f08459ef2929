/** The pictures of an image set: files, folders or an archive, with the classes that they are of. */

import { call } from "./api.js";
import { element, quantity, unique } from "./dom.js";
import { dropped, labelsOf, named } from "./picked.js";

const PICTURE = /\.(png|jpe?g|webp|tiff?)$/i;
const LABELS = "labels.json";
const SHOWN = 5; // names of what is wrong

/** @typedef {import("./picked.js").Named} Named */

export class Pictures {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {Named[]} */
    this.files = [];
    /** @type {File|null} */
    this.archive = null;
    /** @type {Record<string, string>} */
    this.given = {}; // what a file of labels says
    /** @type {string[]} */
    this.classes = [];
    /** @type {{key: string, id: string}|null} */
    this.sent = null;
    this.turn = 0; // tells what was picked from what was picked before
    this.left = 0;
    this.build();
  }

  build() {
    const id = unique();
    this.input = picker({ id, accept: "image/*,.tif,.tiff,.zip,.json", "aria-describedby": `${id}-problem` });
    this.folder = picker({ webkitdirectory: "", hidden: true });
    this.labelling = element("select", { id: `${id}-labels`, onchange: () => this.told() });
    this.about = element("p", { class: "hint", role: "status" });
    this.counts = element("ul", { class: "counts" });
    this.problem = element("p", { class: "problem", id: `${id}-problem`, role: "alert", hidden: true });
    this.zone = element(
      "label",
      { class: "drop", for: id },
      this.input,
      element("span", {}, "Drop or pick pictures, a folder, or a zip archive"),
    );
    this.root = element(
      "div",
      { class: "field" },
      this.zone,
      element("div", { class: "row" }, button("A folder …", () => this.folder.click()), this.folder),
      element("label", { for: `${id}-labels` }, "Their classes"),
      this.labelling,
      this.about,
      this.counts,
      this.problem,
    );
    for (const input of [this.input, this.folder]) {
      input.addEventListener("change", () => this.take([...input.files].map(named)));
    }
    this.listen();
    this.setClasses([]);
  }

  listen() {
    for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
      this.zone.addEventListener(name, (/** @type {DragEvent} */ event) => {
        event.preventDefault();
        event.stopPropagation(); // else the page takes it for an image to explain
        this.zone.classList.toggle("over", name === "dragenter" || name === "dragover");
      });
    }
    this.zone.addEventListener("drop", async (/** @type {DragEvent} */ event) => {
      this.take(await dropped([...(event.dataTransfer?.items ?? [])]));
    });
  }

  /** @param {string[]} classes of the chosen model */
  setClasses(classes) {
    this.classes = classes;
    const before = this.labelling.value;
    this.labelling.replaceChildren(
      element("option", { value: "" }, `named by folders or ${LABELS}`),
      ...classes.map((label) => element("option", { value: label }, `all are ${label}`)),
    );
    this.labelling.value = classes.includes(before) ? before : "";
    this.describe();
  }

  /** @param {Named[]} found */
  async take(found) {
    const turn = (this.turn += 1);
    const archives = found.filter(({ name }) => /\.zip$/i.test(name));
    const labels = found.find(({ name }) => name.split("/").at(-1) === LABELS);
    const files = found.filter(({ name }) => PICTURE.test(name) && !/(^|\/)(masks|__MACOSX)\//.test(name));
    const given = labels ? await labelsOf(labels.file) : {};
    if (turn !== this.turn) return;
    this.archive = files.length ? null : (archives[0]?.file ?? null);
    this.files = files.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    this.given = given ?? {};
    this.left = found.length - files.length - (labels ? 1 : 0) - (this.archive ? 1 : 0);
    this.tell(given === null ? [{ field: LABELS, message: "is no JSON object of names to classes" }] : []);
    this.told();
  }

  told() {
    this.describe();
    this.changed();
  }

  /** The classes that the pictures are of. */
  get labels() {
    const found = new Set(this.files.map(({ name }) => this.labelOf(name)));
    return [...found].filter((label) => label !== null);
  }

  get any() {
    return this.files.length > 0 || this.archive !== null;
  }

  /**
   * The class of a picture; null when nothing names one.
   * @param {string} name
   */
  labelOf(name) {
    if (this.labelling.value) return this.labelling.value;
    const parts = name.split("/");
    const known = parts.map((_, from) => parts.slice(from).join("/")).find((each) => each in this.given);
    if (known) return String(this.given[known]);
    const folder = parts.at(-2) ?? "";
    return this.classes.includes(folder) ? folder : null;
  }

  describe() {
    this.labelling.disabled = this.archive !== null;
    const left = this.left ? ` ${this.left} other files are left out.` : "";
    if (this.archive) {
      this.about.textContent = `${this.archive.name}; its folders or labels name the classes.${left}`;
    } else if (this.files.length) {
      this.about.textContent = `${quantity(this.files.length, "picture")}.${left}`;
    } else this.about.textContent = left.trim() || "Those of a class stand in a folder of its name.";
    const counts = Map.groupBy(this.files, ({ name }) => this.labelOf(name) ?? "without a class");
    this.counts.replaceChildren(
      ...[...counts].map(([label, members]) =>
        element("li", {}, element("span", {}, label), element("span", {}, String(members.length))),
      ),
    );
  }

  /**
   * Send them, unless that was done.
   * @returns {Promise<string>} the id of the image set
   */
  async send() {
    const labels = Object.fromEntries(
      this.files.flatMap(({ name }) => {
        const label = this.labelOf(name);
        return label === null ? [] : [[name, label]];
      }),
    );
    const key = `${this.turn} ${JSON.stringify(labels)}`;
    if (this.sent?.key !== key) {
      const { id } = await post(this.archive ?? form(this.files, labels));
      this.sent = { key, id };
    }
    return this.sent.id;
  }

  /**
   * Say what is wrong with the pictures; the other errors are left.
   * @param {{field: string, message: string}[]} errors
   */
  tell(errors) {
    const own = errors.filter(({ field }) => /^(images|masks|labels|archive|image_set|body)\b/.test(field));
    if (own.some(({ field }) => field === "image_set")) this.sent = null;
    const more = own.length > SHOWN ? ` And ${own.length - SHOWN} more.` : "";
    const words = own.slice(0, SHOWN).map(({ field, message }) => `${field.replace("_", " ")} ${message}.`);
    this.problem.textContent = words.join(" ") + more;
    this.problem.hidden = own.length === 0;
    return errors.filter((error) => !own.includes(error));
  }
}

/** @param {Record<string, unknown>} properties */
const picker = (properties) => element("input", { type: "file", multiple: true, ...properties });

/**
 * @param {string} title
 * @param {() => void} work
 */
const button = (title, work) => element("button", { type: "button", class: "quiet", onclick: work }, title);

/**
 * @param {Named[]} files
 * @param {Record<string, string>} labels
 */
function form(files, labels) {
  const made = new FormData();
  for (const { name, file } of files) made.append("images", file, name);
  made.set("labels", JSON.stringify(labels));
  return made;
}

/** @param {FormData|File} body */
async function post(body) {
  const headers = body instanceof File ? { "Content-Type": "application/zip" } : undefined;
  return (await call("/api/v1/image-sets", { method: "POST", body, headers })).json();
}
