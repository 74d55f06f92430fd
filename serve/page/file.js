// A file of the reader's own: its gaps filled, or its least likely rows found.

import { Attempts } from "./attempts.js";
import { filledName, pythonGaps, pythonUnlikely } from "./code.js";
import { decoded, parse, written } from "./csv.js";
import { $, announce, counted, make, save } from "./dom.js";
import { isNumber } from "./fields.js";
import { fault, named, plain, records, rowsOfText } from "./given.js";
import { keyNow } from "./key.js";
import { mend, sayAll } from "./problems.js";
import { newSeed, wrongSeed } from "./seeds.js";
import { call } from "./service.js";
import { cell, headings, legend, looksOf } from "./tables.js";

const SHOWN = 20;
const MOST_BYTES = 50e6;
const EXAMPLE = { name: "rows.csv", mark: ",", encoding: "utf-8", commas: [] };
const form = $("upload");
const attempts = new Attempts({
  form, rest: $("file-problem"), status: $("file-status"), stop: $("file-stop"), buttons: [$("gaps"), $("unlikely")],
});
let model = null;
let limits = null;
let file = null;

/** Make the form work, once; `known` is what the service says of all models. */
export function fileForm(known) {
  limits = known;
  $("file-hint").textContent = `With a header that names the columns, and at most ${counted(known.most_given, "row")}. Empty cells are missing. The file goes to the service, which keeps nothing of it.`;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => mend(event.target));
  $("file").addEventListener("change", () => attempts.make(read, false));
  $("file-seed").addEventListener("input", code);
  $("gaps").addEventListener("click", () => attempts.make(gaps));
  $("unlikely").addEventListener("click", () => attempts.make(unlikely));
  $("file-save").addEventListener("click", () => save(new Blob([file.filled], { type: "text/csv" }), filledName(file.name)));
}

/** Read files as rows of this model from now on. */
export function fileOfModel(known) {
  attempts.reset();
  model = known;
  $("unlikely").classList.toggle("first", !known.completes);
  $("file-seed").value = newSeed();
  empty();
  if ($("file").files.length) attempts.make(read, false);
  else code();
}

/** Forget the file and what came of it. */
function empty() {
  file = null;
  for (const id of ["file-note", "found", "found-note", "found-broken"]) $(id).replaceChildren();
  $("found-title").textContent = "What comes of it";
  $("found-note").textContent = "Nothing yet: choose a file, and what to do with it.";
  $("file-save").hidden = true;
}

/** Read the file that is chosen, and tell how it goes with the model; a file chosen meanwhile ends it. */
async function read(signal) {
  empty();
  code();
  const [chosen] = $("file").files;
  if (!chosen) return;
  if (chosen.size > MOST_BYTES) throw fault(`the file is larger than ${MOST_BYTES / 1e6} MB: choose a part of it, or use gtcoder complete and gtcoder score on the command line`);
  const bytes = await bytesOfFile(chosen);
  signal.throwIfAborted();
  const { text, encoding } = decoded(bytes);
  file = { ...rowsOfText(chosen.name, text, model, limits.most_given), encoding };
  code();
  const { rows, header, lacks, strange, unknown, doubt } = file;
  $("file-note").textContent = [
    `${counted(rows.length, "row")} of ${counted(header.length, "column")}.`,
    ...(strange.length ? [`The model has no ${named(strange)}: left as ${strange.length > 1 ? "they are" : "it is"}, and not sent.`] : []),
    ...(lacks.length ? [`The file has no ${named(lacks)}, which the model has: ${model.completes ? "drawn whole" : "needed"}.`] : []),
    ...(unknown.length ? [`The model does not know ${named(unknown)}: what is drawn beside may not go with it.`] : []),
    ...(doubt ? [doubt] : []),
  ].join(" ");
}

/** A file's bytes; browsers refuse those of one that has changed meanwhile. */
async function bytesOfFile(chosen) {
  try {
    return new Uint8Array(await chosen.arrayBuffer());
  } catch {
    throw fault("the file cannot be read, or has changed since it was chosen: choose it again");
  }
}

function code() {
  const keyed = Boolean(keyNow());
  $("gaps-python").textContent = pythonGaps(model.name, file ?? EXAMPLE, Number($("file-seed").value), keyed);
  $("unlikely-python").textContent = pythonUnlikely(model.name, file ?? EXAMPLE, SHOWN, keyed);
  $("fill-code-key").textContent = keyed ? "All read your key from the environment variable GTCODER_API_KEY." : "";
}

/** A call with the file's rows; that they are too many is said at the file. */
async function sent(path, wanted, options) {
  try {
    return await call("POST", `v1/models/${model.name}/${path}`, { body: { rows: records(file), ...wanted }, ...options });
  } catch (error) {
    if (error.status === 413) throw fault(`the file is too large for one call (${error.message}): choose fewer rows, or use gtcoder ${path} on the command line`);
    throw error;
  }
}

function chosen() {
  sayAll(form, { rows: $("file").files.length ? "" : "Choose a file first.", seed: model.completes ? wrongSeed($("file-seed").value) : "" });
}

async function gaps(signal) {
  chosen();
  await read(signal);
  $("file-status").textContent = `Filling the gaps of ${counted(file.rows.length, "row")} …`;
  const answer = await sent("complete", { seed: Number($("file-seed").value) }, { headers: { Accept: "text/csv" }, signal });
  const lines = parse(await answer.text());
  const merged = mergedWith(lines);
  file.filled = (file.mark === ";" ? "\ufeff" : "") + written([merged.header, ...merged.rows.map((row) => row.map(({ value }) => value))], file.mark);
  const [filled, broken] = ["Filled", "Broken"].map((each) => Number(answer.headers.get(`GTCoder-${each}`)));
  showGaps(merged, filled);
  $("found-broken").textContent = broken ? `In ${counted(broken, "row")} a drawn value does not go with the others, by a rule of the table: see that those can stand in one row.` : "";
  $("file-save").hidden = false;
  $("file-status").textContent = "";
  announce(`${counted(filled, "cell")} drawn`);
}

/** The file's cells where it has them, and the service's elsewhere, each with whether it was drawn. */
function mergedWith([names, ...drawn]) {
  const header = [...file.header, ...file.lacks];
  const places = header.map((name) => names.indexOf(name));
  const columns = header.map((name) => model.columns.find((column) => column.name === name) ?? null);
  const rows = file.rows.map((row, at) => header.map((_, to) => {
    const column = columns[to];
    const own = row[to] ?? null;
    if (places[to] < 0 || (own !== null && column && plain(column, own, file.comma) !== null)) return { value: own, drawn: false };
    const value = drawn[at][places[to]];
    return { value: value !== null && file.comma && isNumber(column ?? {}) ? value.replace(".", ",") : value, drawn: value !== null };
  }));
  return { header, rows };
}

/** Show the first rows that had gaps, with the columns that had them first. */
function showGaps(merged, filled) {
  const { header, rows } = gapsFirst(merged);
  const looks = looksOf(header, model.columns);
  const those = rows.map((row, at) => [row, at + 1]).filter(([row]) => row.some((each) => each.drawn));
  const line = ([row, number]) => make("tr", {}, make("th", { scope: "row" }, String(number)), ...row.map(({ value, drawn }, at) => cell(value, looks[at], drawn)));
  $("found-title").textContent = "The file, filled";
  $("found-note").textContent = filled
    ? `${counted(filled, "cell")} drawn in ${counted(those.length, "row")}${those.length > SHOWN ? `, of which the first ${SHOWN} are shown` : ""}. `
    : "The file has no gaps: nothing was drawn.";
  if (filled) $("found-note").append(...legend("the rest is the file’s. Columns that had gaps come first here").childNodes);
  $("found").replaceChildren(...(filled ? [make("table", {}, headings(["Row", ...header], ["", ...looks]), make("tbody", {}, ...those.slice(0, SHOWN).map(line)))] : []));
}

function gapsFirst({ header, rows }) {
  const had = header.map((_, at) => rows.some((row) => row[at].drawn));
  const order = [...header.keys()].sort((a, b) => had[b] - had[a]); // a stable sort
  return { header: order.map((at) => header[at]), rows: rows.map((row) => order.map((at) => row[at])) };
}

async function unlikely(signal) {
  chosen();
  await read(signal);
  if (file.lacks.length) throw fault(`the file has no ${named(file.lacks)}, and rows can only be judged whole: add ${file.lacks.length > 1 ? "these columns" : "the column"}, with empty cells where values are missing`);
  $("file-status").textContent = `Looking at ${counted(file.rows.length, "row")} …`;
  const { rows } = await (await sent("score", {}, { signal })).json();
  const least = rows.map((score, at) => ({ ...score, at })).sort((a, b) => (a.log_likelihood ?? -Infinity) - (b.log_likelihood ?? -Infinity)).slice(0, SHOWN);
  showUnlikely(least, rows.length);
  $("file-status").textContent = "";
  announce(`${counted(least.length, "least likely row")} found`);
}

function showUnlikely(least, all) {
  const looks = looksOf(file.header, model.columns);
  const why = (score) => {
    const names = score.most_surprising === null ? [] : namesIn(score.most_surprising);
    const said = names.map((name) => `${name} = ${file.rows[score.at][file.header.indexOf(name)] ?? "missing"}`).join(", ");
    return [names, said ? `${said}: ${timesOf(score.excess)}` : ""];
  };
  const line = (score) => {
    const [names, text] = why(score);
    const likely = score.log_likelihood === null ? "−∞" : score.log_likelihood.toFixed(2).replace("-", "−");
    return make("tr", {},
      make("th", { scope: "row" }, (score.at + 1).toLocaleString("en")),
      make("td", { class: "number" }, likely),
      ...(model.completes ? [make("td", { class: "why" }, text)] : []),
      ...file.rows[score.at].map((value, at) => marked(cell(value, looks[at]), names.includes(file.header[at]))));
  };
  $("found-title").textContent = "The least likely rows";
  $("found-note").textContent = `The ${least.length} least likely of ${counted(all, "row")}. Row 1 is the first below the header; the log-likelihood is in nats, and the lower it is, the less likely is the row.${model.completes ? " What surprises most, beside the rest of its row, is outlined." : ""}`;
  $("found").replaceChildren(make("table", {},
    headings(["Row", "Log-likelihood", ...(model.completes ? ["What surprises most"] : []), ...file.header], ["", "number", ...(model.completes ? [""] : []), ...looks]),
    make("tbody", {}, ...least.map(line))));
}

/** The columns that a surprise is of: one, or several that go together. */
function namesIn(text) {
  if (file.header.includes(text)) return [text];
  return text.split(", ").filter((name) => file.header.includes(name));
}

/** How much less likely than in general a value is beside the row's others; `excess` in nats. */
function timesOf(excess) {
  if (excess === null) return "it cannot be there";
  if (excess < 0.05) return "no less likely here than in general";
  const times = Math.exp(excess);
  const said = times >= 1e6 ? "over a million" : times.toLocaleString("en", { maximumSignificantDigits: 2 });
  return `${said} times less likely here than in general`;
}

function marked(td, is) {
  if (is) td.classList.add("surprising");
  return td;
}
