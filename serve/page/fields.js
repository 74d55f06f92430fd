// What suits a column's values: an input, a hint, and the value that a text in it stands for.

import { brief, make } from "./dom.js";

const INPUTS = { integer: "number", decimal: "number", real: "number", date: "date", time: "time", timestamp: "datetime-local" };
const HINTS = { duration: "seconds", constant: "always the same", identifier: "made anew: says nothing of the rest", pattern: "made anew: says nothing of the rest", text: "left empty: says nothing of the rest" };
let made = 0;

export const isNumber = (column) => INPUTS[column.kind] === "number";
export const inputType = (column) => INPUTS[column.kind] ?? "text";

/** A number, if JavaScript has it exactly; else its digits, which the service takes as well. */
export const numberOf = (text) => (String(Number(text)) === text ? Number(text) : text);

/** A field for one value of a column, which may stay empty. */
export function field(column) {
  const id = `field-${++made}`;
  const type = inputType(column);
  const step = { number: "any", time: "1", "datetime-local": "1" }[type];
  const input = make("input", { id, type, step, list: `${id}-known`, autocomplete: "off", placeholder: "drawn", "aria-describedby": `${id}-hint ${id}-error` });
  const box = make("div", { class: "field" },
    make("label", { for: id }, column.name),
    input,
    ...(column.categories ? [make("datalist", { id: `${id}-known` }, ...column.categories.map((each) => make("option", { value: String(each) })))] : []),
    make("p", { class: "hint", id: `${id}-hint` }, hintOf(column)),
    make("p", { class: "error", id: `${id}-error` }));
  box.dataset.column = column.name;
  return box;
}

/** The value that a field's text stands for; undefined if it is empty. */
export function valueOf(column, text) {
  if (!text) return undefined;
  if (isNumber(column)) return numberOf(text);
  if (column.kind === "boolean" && ["true", "false"].includes(text)) return text === "true";
  return column.kind === "timestamp" && isZoned(column) ? `${text}Z` : text;
}

/** Whether a text is a category that a model does not know, as far as they are listed. */
export function isUnknown({ kind, categories, categories_in_all: all }, text) {
  if (!categories || categories.length !== all) return false;
  const known = kind === "boolean" ? text.trim().toLowerCase() : text;
  return !categories.some((each) => String(each) === known);
}

const isZoned = ({ type }) => type.includes("tz=");

function hintOf(column) {
  const { kind, low, high, rule } = column;
  if (low !== null && low !== undefined) return `${brief(low)} to ${brief(high)}${kind === "timestamp" && isZoned(column) ? ", in UTC" : ""}`;
  return HINTS[kind] ?? (rule ? `rule: ${rule}` : "");
}
