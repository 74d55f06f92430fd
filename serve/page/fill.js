// The form of one row: what is filled in is kept, what is left empty is drawn.

import { Attempts } from "./attempts.js";
import { curlFill, pythonFill } from "./code.js";
import { parse } from "./csv.js";
import { $, announce, counted, make } from "./dom.js";
import { field, isNumber, isUnknown, valueOf } from "./fields.js";
import { keyNow } from "./key.js";
import { mend, sayAll, sayAt } from "./problems.js";
import { newSeed, wrongSeed } from "./seeds.js";
import { call } from "./service.js";
import { cell, headings, legend } from "./tables.js";

const MANY = 12;
const MOST = 20;
const form = $("fill");
const attempts = new Attempts({
  form, rest: $("fill-problem"), status: $("fill-status"), stop: $("fill-stop"), buttons: [$("fill-get")],
});
let model = null;

/** Make the form work, once. */
export function fillForm() {
  form.addEventListener("input", (event) => {
    mend(event.target);
    if ($("given-error").textContent) mend($("given-error"));
    code();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await attempts.make(fill);
    code();
  });
  $("sought").addEventListener("input", search);
  $("fill-empty").addEventListener("click", () => {
    for (const [, input] of inputs()) input.value = "";
    search();
    code();
    inputs()[0][1].focus();
  });
}

/** Fill in rows of this model from now on. */
export function fillOf(known) {
  attempts.reset();
  model = known;
  $("fill-none").textContent = known.completes ? "" : "This model cannot fill in rows or tell what surprises in them: it was trained with the paper’s preset. Train one with the default preset for that. How likely the rows of a file are, it can tell.";
  for (const part of document.querySelectorAll("[data-completes]")) part.hidden = !known.completes;
  $("given").replaceChildren(...known.columns.map(field));
  $("sought").value = "";
  $("sought").hidden = known.columns.length <= MANY;
  $("fill-seed").value = newSeed();
  for (const id of ["filled", "filled-note", "filled-broken"]) $(id).replaceChildren();
  $("filled-note").textContent = "Nothing is filled in yet.";
  code();
}

/** Each column with its input. */
const inputs = () => model.columns.map((column, at) => [column, $("given").children[at].querySelector("input")]);

/** The row as it stands in the form. */
const given = () => Object.fromEntries(
  inputs().map(([column, input]) => [column.name, valueOf(column, input.value.trim())]).filter(([, value]) => value !== undefined));

const body = () => ({ rows: [given()], n: Number($("versions").value), seed: Number($("fill-seed").value) });

function code() {
  const keyed = Boolean(keyNow());
  $("fill-curl").textContent = curlFill(model.name, body(), keyed);
  $("fill-python").textContent = pythonFill(model.name, body(), keyed);
}

/** Show the columns that are sought, and those that are filled in. */
function search() {
  const sought = $("sought").value.toLowerCase();
  for (const [column, input] of inputs()) {
    input.parentElement.hidden = !column.name.toLowerCase().includes(sought) && !input.value;
  }
}

/** See what can be seen here; the service sees the rest. */
function check() {
  const half = inputs().filter(([, input]) => input.validity.badInput).map(([, input]) => sayAt(input.parentElement, "Fill this in whole, or empty it."));
  if (half.length) half[0].focus();
  const versions = Number($("versions").value);
  sayAll(form, {
    rows: half.length || Object.keys(given()).length ? "" : "Fill in at least one field. Rows of which nothing is given are on the tab Rows.",
    n: Number.isInteger(versions) && versions >= 1 && versions <= MOST ? "" : `Enter a whole number from 1 to ${MOST}.`,
    seed: wrongSeed($("fill-seed").value),
  });
  if (half.length) throw new DOMException("not filled in", "AbortError");
}

async function fill(signal) {
  check();
  const asked = body();
  $("filled").setAttribute("aria-busy", "true");
  try {
    const answer = await call("POST", `v1/models/${model.name}/complete`, { body: asked, headers: { Accept: "text/csv" }, signal });
    const broken = Number(answer.headers.get("GTCoder-Broken"));
    show(parse(await answer.text()), new Set(Object.keys(asked.rows[0])));
    $("filled-broken").textContent = broken ? `In ${broken === asked.n ? "every version" : counted(broken, "version")} a drawn value does not go with what you gave, by a rule of the table: see that what you gave can stand in one row.` : "";
    announce(`${counted(asked.n, "version")} filled in`);
  } finally {
    $("filled").removeAttribute("aria-busy");
  }
}

/** A line for each column, with its value in each version. */
function show([header, ...versions], kept) {
  const line = (name, at) => {
    const look = isNumber(model.columns[at]) ? "number" : "";
    return make("tr", {}, make("th", { scope: "row" }, name), ...versions.map((version) => cell(version[at], look, !kept.has(name))));
  };
  const heads = versions.map((_, at) => (versions.length > 1 ? `Version ${at + 1}` : "Value"));
  $("filled").replaceChildren(make("table", {}, headings(["Column", ...heads]), make("tbody", {}, ...header.map(line))));
  $("filled-note").replaceChildren(...legend("the rest is yours").childNodes, ...unknown());
}

/** A warning of categories that the model does not know, and so cannot go by. */
function unknown() {
  const strange = inputs().filter(([column, input]) => input.value.trim() && isUnknown(column, input.value.trim()));
  return strange.length ? [` The model does not know ${strange.map(([column, input]) => `“${input.value.trim()}” in ${column.name}`).join(", ")}: the rest may not go with it.`] : [];
}
