// The form that asks for rows: a preview, a file, or a batch, and the same in code.

import { Attempts } from "./attempts.js";
import { startBatch } from "./batches.js";
import { curl, fileOf, mediaOf, python } from "./code.js";
import { Conditions } from "./conditions.js";
import { parse } from "./csv.js";
import { $, announce, bytesOf, copy, counted, make, save } from "./dom.js";
import { keyNow } from "./key.js";
import { mend, sayAll } from "./problems.js";
import { newSeed, wrongSeed } from "./seeds.js";
import { call } from "./service.js";
import { cell, headings, looksOf } from "./tables.js";

const SHOWN = 20;
const form = $("wanted");
const attempts = new Attempts({
  form, rest: $("wanted-problem"), status: $("wanted-status"), stop: $("stop"), buttons: [$("get"), $("preview-button")],
});
let model = null;
let limits = null;
let conditions = null;

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
    $("seed").value = newSeed();
    changed();
  });
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
  attempts.reset();
  model = known;
  conditions = new Conditions($("conditions"), $("column"), known.columns, changed);
  $("seed").value = newSeed();
  changed();
  attempt(preview);
}

const format = () => form.elements.format.value;

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

/** Try to do something with the form as it stands. */
async function attempt(work) {
  await attempts.make((signal) => {
    check();
    return work(signal);
  }, work === asFile);
  changed();
}

/** See what can be seen here; the service sees the rest. */
function check() {
  const rows = Number($("rows").value);
  sayAll(form, {
    rows: !(Number.isInteger(rows) && rows >= 1) ? "Enter a whole number from 1."
      : format() !== "batch" && rows > limits.most_rows
        ? `At most ${counted(limits.most_rows, "row")} come in one file${limits.batches ? "; choose Large batch for more" : ""}.`
        : "",
    seed: wrongSeed($("seed").value),
  });
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
  const looks = looksOf(header, model.columns);
  return make("table", {},
    headings(header, looks),
    make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map((value, at) => cell(value, looks[at]))))));
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

async function asBatch() {
  await startBatch(model.name, body());
}
