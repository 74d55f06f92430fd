// What a model reads: how much of each column, and which columns look at which.

import { $, counted, make, share } from "./dom.js";
import { sentence } from "./problems.js";
import { json } from "./service.js";

const MOST = 40;
const WITH_VALUES = 16;
let shown = null;

/** Show the explanation of a model, once. */
export async function explanationOf(model) {
  if (shown === model) return;
  const root = $("explanation");
  root.replaceChildren(make("p", { class: "hint" }, "Loading …"));
  $("explanation-problem").textContent = "";
  shown = model;
  try {
    const found = await json("POST", `v1/models/${model}/explain`, { body: {} });
    if (shown !== model) return;
    const byShare = found.columns.map((name, at) => ({ name, at, part: found.contributions[name] }))
      .sort((a, b) => b.part - a.part);
    root.replaceChildren(bars(byShare, found.rows), heatMap(byShare, found.matrix));
  } catch (error) {
    if (shown !== model) return;
    shown = null;
    root.replaceChildren();
    $("explanation-problem").textContent = sentence(error.message);
  }
}

function bars(columns, rows) {
  const even = 1 / columns.length;
  const most = Math.max(columns[0].part, even);
  const line = ({ name, part }) => {
    const bar = make("div", { class: "bar" }, make("div", { class: "fill" }), make("div", { class: "alike" }));
    bar.style.setProperty("--part", part / most);
    bar.style.setProperty("--even", even / most);
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "drawn" }, bar), make("td", { class: "number" }, share(part)));
  };
  return make("section", { class: "box", "aria-labelledby": "bars-title" },
    make("h3", { id: "bars-title" }, "How much the model reads each column"),
    make("p", { class: "hint" }, `Shares of its attention, a mean over ${counted(rows, "row")}: what it reads, not what causes what. The line marks ${share(even)}, 1/${columns.length}: each column’s share if it read all alike.`),
    make("table", { class: "bars" }, make("tbody", {}, ...columns.map(line))));
}

function heatMap(all, matrix) {
  const columns = all.slice(0, MOST);
  const most = Math.max(...columns.flatMap((row) => columns.map((column) => matrix[row.at][column.at])), 1e-9);
  const values = columns.length <= WITH_VALUES;
  const cell = (row, column) => {
    const part = matrix[row.at][column.at];
    const text = make("span", values ? {} : { class: "away" }, (100 * part).toFixed(values ? 0 : 1));
    const td = make("td", { class: part / most > 0.5 ? "strong" : "", title: `${row.name} → ${column.name}: ${share(part)}` }, text);
    td.style.setProperty("--part", part / most);
    return td;
  };
  const head = columns.map(({ name }) => make("th", { scope: "col" }, make("span", {}, name)));
  const lines = columns.map((row) => make("tr", {}, make("th", { scope: "row" }, row.name), ...columns.map((column) => cell(row, column))));
  const left = all.length - columns.length;
  return make("section", { class: "box", "aria-labelledby": "heat-title" },
    make("h3", { id: "heat-title" }, "Which columns look at which"),
    make("p", { class: "hint" }, `Each line is a column, and says in % where it looks; over all columns that adds up to 100.${left ? ` The ${MOST} that are read most are shown, ${left} more are not.` : ""}`),
    make("p", { class: "legend" }, "0 %", make("span", { class: "scale", "aria-hidden": "true" }), share(most)),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "heat-title" },
      make("table", { class: `heat ${values ? "values" : ""}` },
        make("thead", {}, make("tr", {}, make("td", {}), ...head)),
        make("tbody", {}, ...lines))));
}
