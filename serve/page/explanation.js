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
    root.replaceChildren(bars(byShare, found.rows), attention(byShare, found.matrix), ...(found.dependence ? [dependence(found.dependence)] : []));
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

function attention(all, matrix) {
  const columns = all.slice(0, MOST);
  const left = all.length - columns.length;
  const parts = columns.map((row) => columns.map((column) => matrix[row.at][column.at]));
  return heatMap({
    id: "heat",
    title: "Which columns look at which",
    hint: `Each line is a column, and says in % where it looks; over all columns that adds up to 100.${left ? ` The ${MOST} that are read most are shown, ${left} more are not.` : ""}`,
    names: columns.map(({ name }) => name),
    parts,
    short: (part, shown) => (100 * part).toFixed(shown ? 0 : 1),
    long: share,
    between: "→",
    least: "0 %",
    dark: 1e-9,
  });
}

function dependence({ rows, columns, nats }) {
  return heatMap({
    id: "dependence",
    title: "How much columns tell of one another",
    hint: `What two columns say of one another beyond what all others say, in nats; 0 means nothing. A mean over ${counted(rows, "row")}.`,
    names: columns,
    parts: nats,
    short: (part) => part.toFixed(2),
    long: (part) => `${part.toFixed(2)} nats`,
    between: "and",
    least: "0 nats",
    dark: 0.1, // so that what is almost nothing stays pale
  });
}

/**
 * A square of `parts` by `names`; `short` and `long` write a part in a cell and in words.
 * The darkest is the greatest part, but at least `dark`.
 */
function heatMap({ id, title, hint, names, parts, short, long, between, least, dark }) {
  const most = Math.max(...parts.flat(), dark);
  const values = names.length <= WITH_VALUES;
  const cell = (part, row, column) => {
    const text = make("span", values ? {} : { class: "away" }, short(part, values));
    const td = make("td", { class: part / most > 0.5 ? "strong" : "", title: `${row} ${between} ${column}: ${long(part)}` }, text);
    td.style.setProperty("--part", Math.max(part / most, 0));
    return td;
  };
  const head = names.map((name) => make("th", { scope: "col" }, make("span", {}, name)));
  const lines = parts.map((line, at) => make("tr", {}, make("th", { scope: "row" }, names[at]), ...line.map((part, to) => cell(part, names[at], names[to]))));
  return make("section", { class: "box", "aria-labelledby": `${id}-title` },
    make("h3", { id: `${id}-title` }, title),
    make("p", { class: "hint" }, hint),
    make("p", { class: "legend" }, least, make("span", { class: "scale", "aria-hidden": "true" }), long(most)),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${id}-title` },
      make("table", { class: `heat ${values ? "values" : ""}` },
        make("thead", {}, make("tr", {}, make("td", {}), ...head)),
        make("tbody", {}, ...lines))));
}
