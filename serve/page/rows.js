// The form that asks for rows: a preview, a file, or a batch, and the same in code.

import { startBatch } from "./batches.js";
import { curl, fileOf, mediaOf, python } from "./code.js";
import { Conditions } from "./conditions.js";
import { parse } from "./csv.js";
import { $, announce, bytesOf, copy, counted, make } from "./dom.js";
import { keyNow } from "./key.js";
import { clear, mend, place, sayAt } from "./problems.js";
import { call } from "./service.js";

const SHOWN = 20;
const NUMBERS = new Set(["integer", "decimal", "real"]);
const form = $("wanted");
let model = null;
let limits = null;
let conditions = null;
let underWay = null;

/** Make the form work, once; `limits` is what the service says of all models. */
export function rowsForm(known) {
  limits = known;
  $("as-batch").hidden = !known.batches;
  $("rows-hint").textContent = `At most ${counted(known.most_rows, "row")} in one file${known.batches ? "; more come as a large batch" : ""}.`;
  form.addEventListener("input", (event) => {
    mend(event.target);
    changed();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(format() === "batch" ? asBatch : asFile);
  });
  $("preview-button").addEventListener("click", () => attempt(preview));
  $("add").addEventListener("click", () => conditions.add());
  $("other-seed").addEventListener("click", () => {
    newSeed();
    changed();
  });
  $("stop").addEventListener("click", () => underWay?.abort());
  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", async () => {
      await copy($(button.dataset.copies).textContent);
      announce("Copied");
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 1500);
    });
  }
}

/** Ask for rows of this model from now on. */
export function rowsOf(known) {
  underWay?.abort();
  model = known;
  conditions = new Conditions($("conditions"), $("column"), known.columns, changed);
  clear(form, $("wanted-problem"));
  $("wanted-status").textContent = "";
  newSeed();
  changed();
  attempt(preview);
}

const format = () => form.elements.format.value;

function newSeed() {
  $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
}

/** The request as it stands in the form. */
function body(rows = Number($("rows").value)) {
  const where = conditions.where();
  const output = format() === "batch" ? $("output").value.trim() : "";
  return { rows, seed: Number($("seed").value), ...(where && { where }), ...(output && { output }) };
}

/** What follows from a change: the words of the button, and the code. */
function changed() {
  const batch = format() === "batch";
  const rows = Number($("rows").value);
  $("output-field").hidden = !batch;
  $("get").textContent = batch ? "Start the batch" : `Download${rows > 0 ? ` ${counted(rows, "row")}` : ""}`;
  const keyed = Boolean(keyNow());
  $("curl").textContent = curl(model.name, format(), body(), keyed);
  $("python").textContent = python(model.name, format(), body(), keyed);
  $("code-key").textContent = keyed ? "Both read your key from the environment variable GTCODER_API_KEY." : "";
}

/** Try to do something with the form as it stands; one thing at a time. */
async function attempt(work) {
  underWay?.abort();
  const mine = (underWay = new AbortController());
  clear(form, $("wanted-problem"));
  $("wanted-status").textContent = "";
  try {
    check();
    busy(work === asFile);
    await work(mine.signal);
  } catch (error) {
    if (underWay !== mine) return;
    $("wanted-status").textContent = mine.signal.aborted ? "Stopped." : "";
    place(form, $("wanted-problem"), error);
  } finally {
    if (underWay === mine) {
      busy(false);
      underWay = null;
      changed();
    }
  }
}

/** While a file comes it can be stopped, and nothing else be begun. */
function busy(is) {
  $("stop").hidden = !is;
  $("get").disabled = $("preview-button").disabled = is;
}

/** See what can be seen here; the service sees the rest. */
function check() {
  const rows = Number($("rows").value);
  const seed = $("seed").value;
  const wrong = [
    ["rows", !(Number.isInteger(rows) && rows >= 1), "Enter a whole number from 1."],
    ["rows", format() !== "batch" && rows > limits.most_rows,
      `At most ${counted(limits.most_rows, "row")} come in one file${limits.batches ? "; choose Large batch for more" : ""}.`],
    ["seed", !/^\d+$/.test(seed) || !Number.isSafeInteger(Number(seed)), "Enter a whole number from 0."],
  ].filter(([, is]) => is);
  wrong.forEach(([field, , text]) => sayAt(form.querySelector(`[data-field=${field}]`), text));
  if (wrong.length) {
    $(wrong[0][0]).focus();
    throw new DOMException("not filled in", "AbortError");
  }
  conditions.where(true);
}

const sample = (asked, media, signal) =>
  call("POST", `v1/models/${model.name}/sample`, { body: asked, headers: { Accept: media }, signal });

async function preview(signal) {
  $("preview-note").textContent = "Drawing rows …";
  $("preview").setAttribute("aria-busy", "true");
  try {
    const { output, ...asked } = body(Math.min(SHOWN, Number($("rows").value)));
    const [header, ...lines] = parse(await (await sample(asked, "text/csv", signal)).text());
    $("preview").replaceChildren(table(header, lines));
    $("preview-note").textContent = `${counted(lines.length, "made-up row")}, the first of those that this seed gives.`;
  } catch (error) {
    $("preview-note").textContent = "";
    throw error;
  } finally {
    $("preview").removeAttribute("aria-busy");
  }
}

function table(header, lines) {
  const numbers = new Set(model.columns.filter((each) => NUMBERS.has(each.kind)).map((each) => each.name));
  const looks = header.map((name) => (numbers.has(name) ? "number" : ""));
  const cell = (value, at) => (value === null
    ? make("td", { class: `muted ${looks[at]}` }, "missing")
    : make("td", { class: looks[at] }, value));
  return make("table", {},
    make("thead", {}, make("tr", {}, ...header.map((name, at) => make("th", { scope: "col", class: looks[at] }, name)))),
    make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map(cell)))));
}

async function asFile(signal) {
  const wanted = format();
  const { rows } = body();
  const answer = await sample(body(), mediaOf(wanted), signal);
  const parts = wanted === "excel" ? ["\ufeff"] : []; // by which Excel knows UTF-8
  let size = 0;
  for await (const part of chunks(answer.body)) {
    parts.push(part);
    size += part.length;
    $("wanted-status").textContent = `${bytesOf(size)} so far …`;
  }
  save(new Blob(parts, { type: mediaOf(wanted) }), fileOf(model.name, wanted));
  $("wanted-status").textContent = `${counted(rows, "row")} saved as ${fileOf(model.name, wanted)} (${bytesOf(size)}).`;
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function asBatch() {
  await startBatch(model.name, body());
}
