// Tables of rows, in which what was drawn can be told from what was there.

import { make } from "./dom.js";
import { isNumber } from "./fields.js";

/** How the columns of a header look, by what a model knows of them. */
export function looksOf(header, columns) {
  const numbers = new Set(columns.filter(isNumber).map((each) => each.name));
  return header.map((name) => (numbers.has(name) ? "number" : ""));
}

/** A cell of a value, or of null for what is missing; `drawn` marks it. */
export function cell(value, look = "", drawn = false) {
  const [text, tone] = value === null ? ["missing", "muted"] : [value, ""];
  if (!drawn) return make("td", { class: `${tone} ${look}` }, text);
  return make("td", { class: `filled ${tone} ${look}` }, make("ins", {}, text || "(empty)"), make("span", { class: "away" }, " (drawn)"));
}

export const headings = (names, looks = []) =>
  make("thead", {}, make("tr", {}, ...names.map((name, at) => make("th", { scope: "col", class: looks[at] ?? "" }, name))));

/** What the marks of `cell` mean. */
export const legend = (rest) =>
  make("p", { class: "hint" }, make("ins", { class: "example" }, "So"), ` is what was drawn; ${rest}.`);
