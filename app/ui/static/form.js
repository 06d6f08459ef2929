/** Forms drawn from the JSON Schemas of the menu. */

import { element, prose, unique } from "./dom.js";

/**
 * A control: its element, and its value as JSON; undefined for the default.
 * @typedef {{control: HTMLElement, value: () => unknown}} Control
 */

/**
 * The form of a schema's properties, filled with their defaults.
 * @param {any} schema
 * @param {string} prefix of the names under which the service reports what is wrong
 * @returns {{root: HTMLElement, values: () => Object<string, unknown>}} `values` holds what is not default
 */
export function parameterForm(schema, prefix) {
  const root = element("details", { class: "parameters" }, element("summary", {}, "Parameters"));
  /** @type {[string, any, Control][]} */
  const controls = Object.entries(schema.properties ?? {}).map(([name, given]) => {
    const id = unique();
    const property = resolved(given, schema.$defs);
    const made = controlOf(property, id);
    root.append(field(name, property, made.control, id, `${prefix}.${name}`));
    return [name, property, made];
  });
  root.hidden = controls.length === 0;
  const values = () => {
    const found = controls.map(([name, property, made]) => [name, property.default, made.value()]);
    return Object.fromEntries(
      found.filter(([, usual, value]) => !same(usual, value)).map(([name, , value]) => [name, value]),
    );
  };
  return { root, values };
}

/**
 * @param {string} name
 * @param {any} property
 * @param {HTMLElement} control
 * @param {string} id
 * @param {string} path
 */
function field(name, property, control, id, path) {
  const label = element("label", { for: id }, name);
  const isBox = /** @type {HTMLInputElement} */ (control).type === "checkbox";
  const row = isBox ? [element("span", { class: "box" }, control, label)] : [label, control];
  const hints = [property.description, bounds(property)].filter(Boolean).join(" ");
  return element(
    "div",
    { class: "field", "data-field": path },
    ...row,
    element("p", { class: "hint", id: `${id}-hint` }, ...prose(hints)),
    element("p", { class: "problem", id: `${id}-problem`, role: "alert", hidden: true }),
  );
}

/**
 * @param {any} property
 * @param {string} id
 * @returns {Control}
 */
function controlOf(property, id) {
  const { schema, nullable } = unfolded(property);
  const shared = { id, "aria-describedby": `${id}-hint ${id}-problem` };
  if (schema.type === "boolean") return box(property.default, shared);
  if (schema.enum) return choice(schema.enum, property.default, nullable, shared);
  if (schema.type === "integer" || schema.type === "number")
    return number(schema, property.default, nullable, shared);
  if (schema.type === "array") return list(schema, property.default, shared);
  return text(property, nullable, shared);
}

/**
 * A property with what it refers to.
 * @param {any} property
 * @param {Record<string, any>} [known] by name
 */
function resolved(property, known) {
  const found = property.$ref && known?.[property.$ref.replace("#/$defs/", "")];
  return found ? { ...found, ...property } : property;
}

/** @param {any} property a schema, or one of several of which one may be null */
function unfolded(property) {
  const options = (property.anyOf ?? [property]).filter((/** @type {any} */ each) => each.type !== "null");
  const nullable = options.length < (property.anyOf?.length ?? 1);
  return { schema: options.length === 1 ? options[0] : { type: "string" }, nullable };
}

/**
 * @param {boolean} usual
 * @param {Record<string, unknown>} shared
 * @returns {Control}
 */
function box(usual, shared) {
  const control = element("input", { type: "checkbox", checked: usual, ...shared });
  return { control, value: () => control.checked };
}

/**
 * One of several words, or none where that may be.
 * @param {string[]} options
 * @param {string|null} usual
 * @param {boolean} nullable
 * @param {Record<string, unknown>} shared
 * @returns {Control}
 */
function choice(options, usual, nullable, shared) {
  const none = nullable ? [element("option", { value: "" }, "none")] : [];
  const control = element(
    "select",
    shared,
    ...none,
    ...options.map((each) => element("option", { value: each }, each)),
  );
  control.value = usual ?? "";
  return { control, value: () => control.value || null };
}

/**
 * @param {any} schema
 * @param {number|null} usual
 * @param {boolean} nullable
 * @param {Record<string, unknown>} shared
 * @returns {Control}
 */
function number(schema, usual, nullable, shared) {
  const control = element("input", {
    type: "number",
    step: schema.type === "integer" ? 1 : "any",
    min: schema.minimum ?? schema.exclusiveMinimum,
    max: schema.maximum ?? schema.exclusiveMaximum,
    value: usual ?? "",
    placeholder: nullable ? "none" : null,
    ...shared,
  });
  const value = () => {
    if (control.validity.badInput) return "";
    if (control.value === "") return nullable ? null : usual;
    return Number(control.value);
  };
  return { control, value };
}

/**
 * Values between commas.
 * @param {any} schema
 * @param {unknown[]} usual
 * @param {Record<string, unknown>} shared
 * @returns {Control}
 */
function list(schema, usual, shared) {
  const control = element("input", { type: "text", value: usual.join(", "), spellcheck: false, ...shared });
  const one = (/** @type {string} */ part) =>
    schema.items.type === "string" || part === "" || Number.isNaN(Number(part)) ? part : Number(part);
  const value = () => control.value.split(",").map((/** @type {string} */ part) => one(part.trim()));
  return { control, value };
}

/**
 * A text; where there are known words they are offered.
 * @param {any} property
 * @param {boolean} nullable
 * @param {Record<string, unknown>} shared
 * @returns {Control}
 */
function text(property, nullable, shared) {
  const words = (property.anyOf ?? []).flatMap((/** @type {any} */ each) => each.enum ?? []);
  const control = element("input", {
    type: "text",
    value: property.default ?? "",
    placeholder: nullable ? "none" : null,
    spellcheck: false,
    list: words.length ? `${shared.id}-words` : null,
    ...shared,
  });
  const value = () => (control.value === "" && nullable ? null : control.value);
  if (words.length === 0) return { control, value };
  const offered = element(
    "datalist",
    { id: `${shared.id}-words` },
    ...words.map((/** @type {string} */ each) => element("option", { value: each })),
  );
  const both = element("span", { class: "offered" }, control, offered);
  return { control: both, value };
}

/** @param {any} property */
function bounds(property) {
  const { schema, nullable } = unfolded(property);
  const of = schema.items ?? schema;
  const low =
    of.minimum !== undefined
      ? `from ${of.minimum}`
      : of.exclusiveMinimum !== undefined
        ? `above ${of.exclusiveMinimum}`
        : "";
  const high =
    of.maximum !== undefined
      ? `to ${of.maximum}`
      : of.exclusiveMaximum !== undefined
        ? `below ${of.exclusiveMaximum}`
        : "";
  const words = schema.items?.enum ? `any of ${schema.items.enum.join(", ")}` : "";
  // "from 0 to 1", but "above 0, below 1"
  const between = [low, high].filter(Boolean).join(high.startsWith("below") ? ", " : " ");
  const range = [between, words, schema.items ? "between commas" : "", nullable ? "or none" : ""]
    .filter(Boolean)
    .join(" ");
  return range && `(${range})`;
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
