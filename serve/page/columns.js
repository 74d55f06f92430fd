// What a model knows of its table's columns.

import { $, brief, make } from "./dom.js";

const KINDS = {
  boolean: "yes or no",
  integer: "whole number",
  decimal: "decimal number",
  real: "number",
  categorical: "category",
  high_cardinality: "category, of many",
  date: "date",
  timestamp: "date and time",
  time: "time of day",
  duration: "duration",
  constant: "always the same",
  identifier: "identifier, made anew",
  pattern: "code, made anew",
  text: "free text, left empty",
};
const NAMED = 6;

export function columnsOf(model) {
  const line = (column) => make("tr", {},
    make("th", { scope: "row" }, column.name),
    make("td", {}, KINDS[column.kind] ?? column.kind),
    make("td", {}, valuesOf(column)),
    make("td", {}, column.missing ? "may be missing" : ""));
  $("columns").replaceChildren(
    make("thead", {}, make("tr", {}, ...["Column", "Kind", "Values", "Missing"].map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...model.columns.map(line)));
}

function valuesOf({ categories, categories_in_all: all, low, high, rule }) {
  const found = [];
  if (categories) {
    found.push(`${categories.slice(0, NAMED).join(", ")}${all > NAMED ? `, … ${all.toLocaleString("en")} in all` : ""}`);
  }
  if (low !== null && low !== undefined) found.push(`${brief(low)} to ${brief(high)}`);
  if (rule) found.push(`rule: ${rule}`);
  return found.join("; ");
}
