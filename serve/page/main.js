// The page: models as cards, and what can be asked of the one that is chosen.

import { batches, batchesList } from "./batches.js";
import { columnsOf } from "./columns.js";
import { $, announce, counted, dayOf, make } from "./dom.js";
import { explanationOf } from "./explanation.js";
import { fileForm, fileOfModel } from "./file.js";
import { fillForm, fillOf } from "./fill.js";
import { watchKey } from "./key.js";
import { sentence } from "./problems.js";
import { rowsForm, rowsOf } from "./rows.js";
import { json, open } from "./service.js";
import { tabs } from "./tabs.js";

const known = new Map();
let chosen = null;

const show = tabs($("tabs"), (name) => {
  if (!chosen) return;
  if (name === "explanation") explanationOf(chosen);
  if (name === "batches") batches();
});

async function start() {
  watchKey();
  try {
    const service = await json("GET", "v1/models");
    $("tab-batches").hidden = !service.batches;
    rowsForm(service);
    fillForm();
    fileForm(service);
    batchesList(() => {
      show("batches");
      $("tab-batches").focus();
    });
    await Promise.all(service.models.map(async ({ name, url }) => {
      const card = make("li", { class: "card" }, make("h2", {}, make("a", { href: `#/${name}` }, name)), make("p", { class: "muted" }, "…"));
      $("models").append(card);
      await fill(card, name, url);
    }));
    if (!service.models.length) $("models-problem").textContent = "This service has no models: start it with a bundle.";
    addEventListener("hashchange", () => choose(named(), true));
    const [first] = known.keys();
    choose(known.size === 1 ? first : named(), false);
  } catch (error) {
    $("models-problem").textContent = sentence(error.message);
  }
}

/** The model that the address names. */
const named = () => /^#\/(.+)/.exec(location.hash)?.[1];

/** Say on a card what is known of its model. */
async function fill(card, name, url) {
  try {
    const model = await json("GET", url);
    const { report } = model;
    known.set(name, { ...model, card });
    const learned = model.rows_trained_on ? `, learned from ${counted(model.rows_trained_on, "row")}` : "";
    card.replaceChildren(
      card.firstChild,
      make("p", {}, `${counted(model.columns.length, "column")}${learned}`),
      make("p", { class: "muted" }, `Trained ${dayOf(model.written)}`));
    if (!report) return;
    const old = Date.parse(report.written) < Date.parse(model.written);
    card.append(make("button", { type: "button", class: "plain", "aria-label": `Report of ${name}`, onclick: () => told(() => open(report.url)) },
      old ? `Report of an earlier training, ${dayOf(report.written)}` : "How good is it? The report"));
  } catch (error) {
    card.lastChild.replaceWith(make("p", { class: "problem" }, sentence(error.message)));
  }
}

async function told(work) {
  $("models-problem").textContent = "";
  try {
    await work();
  } catch (error) {
    $("models-problem").textContent = sentence(error.message);
  }
}

/** Show a model; `go` to it too. */
function choose(name, go) {
  const model = known.get(name);
  if (!model) return;
  for (const { card } of known.values()) card.querySelector("a").removeAttribute("aria-current");
  model.card.querySelector("a").setAttribute("aria-current", "true");
  chosen = name;
  $("model-title").textContent = name;
  $("model").hidden = false;
  columnsOf(model);
  show("rows");
  rowsOf(model);
  fillOf(model);
  fileOfModel(model);
  if (!go) return;
  announce(`Model ${name}`);
  $("model-title").focus({ preventScroll: true });
  $("model").scrollIntoView();
}

start();
