// Bulk batches: begun, watched, cancelled, and their files.

import { $, announce, bytesOf, counted, make, minuteOf, secondsOf } from "./dom.js";
import { sentence } from "./problems.js";
import { json, open } from "./service.js";

const EVERY_MS = 2000;
const ACTIVE = new Set(["queued", "running"]);
const WORDS = { queued: "waiting", running: "writing", succeeded: "done", failed: "failed", cancelled: "cancelled" };
const BEGUN = "gtcoder-batches";
const known = new Map();
let timer = null;
let next = null;
let show = null;

/** Make the list work, once; `go` shows it. */
export function batchesList(go) {
  show = go;
  $("more-batches").addEventListener("click", () => load(next));
}

/** Load the list, and watch what is not at its end. */
export async function batches() {
  clearTimeout(timer);
  await load(null);
}

/** Begin a batch, or go on with the one of a key, and show it. */
export async function startBatch(model, body, key = newKey()) {
  const batch = await json("POST", `v1/models/${model}/batches`, { body, headers: { "Idempotency-Key": key } });
  sessionStorage.setItem(BEGUN, JSON.stringify({ ...begun(), [batch.id]: [model, body, key] }));
  announce(`Batch of ${counted(batch.rows, "row")} begun`);
  put(batch);
  show();
}

/** What was begun in this tab, by which it can go on: its model, its request, its key. */
const begun = () => JSON.parse(sessionStorage.getItem(BEGUN) ?? "{}");

const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

async function load(after) {
  try {
    const page = await json("GET", `v1/batches${after ? `?after=${after}` : ""}`);
    page.batches.forEach((batch) => put(batch));
    if (after !== null || next === null) next = page.next;
    $("more-batches").hidden = next === null;
    $("batches-problem").textContent = "";
    $("batches-note").textContent = known.size ? "" : "There are none yet. Begin one on the tab Rows: choose Large batch.";
  } catch (error) {
    $("batches-problem").textContent = sentence(error.message);
  }
  watch();
}

/** Ask again in a while about those that wait or write, as long as someone looks. */
function watch() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const active = [...known.values()].filter(({ state }) => ACTIVE.has(state));
    if (!document.hidden) await Promise.all(active.map((one) => one.ask()));
    if (active.length) watch();
  }, EVERY_MS);
}

/** Show a batch, the newest first. */
function put(batch) {
  const there = known.get(batch.id);
  if (there) {
    there.tell(batch);
    return;
  }
  const one = new Item(batch);
  known.set(batch.id, one);
  const older = [...$("batches").children].find((each) => each.dataset.created < batch.created);
  $("batches").insertBefore(one.element, older ?? null);
  one.tell(batch);
}

/** A batch in the list. */
class Item {
  constructor({ id, model, rows, created }) {
    this.id = id;
    this.name = `${counted(rows, "row")} of ${model}`;
    this.title = make("h3", { id: `batch-${id}` }, this.name);
    this.chip = make("span", { class: "chip" });
    this.bar = make("progress", { max: rows, value: 0, "aria-labelledby": `batch-${id}` });
    this.line = make("p", { class: "hint" });
    this.message = make("p", { class: "message" });
    this.cancel = make("button", { type: "button", "aria-label": `Cancel ${this.name}`, onclick: () => this.end() }, "Cancel");
    this.again = make("button", { type: "button", "aria-label": `Go on with ${this.name}`, onclick: () => this.attempt(() => startBatch(...begun()[id])) }, "Go on");
    this.files = make("ul", { class: "files" });
    this.details = make("details", { ontoggle: () => this.details.open && this.ask() }, make("summary", {}, "Files"), this.files);
    this.element = make("li", { class: "box", "data-created": created },
      make("div", { class: "line between" }, this.title, this.chip),
      make("p", { class: "muted small" }, `Begun ${minuteOf(created)}`),
      this.bar, this.line, this.message, this.details, make("div", { class: "actions" }, this.cancel, this.again));
  }

  /** Show it as it stands. */
  tell(batch) {
    if (this.state && this.state !== batch.state) announce(`${this.name}: ${WORDS[batch.state]}`);
    this.state = batch.state;
    this.chip.textContent = WORDS[batch.state];
    this.chip.dataset.state = batch.state;
    this.bar.value = batch.rows_written;
    const speed = batch.rows_per_s ? `, ${counted(Math.round(batch.rows_per_s), "row")} a second` : "";
    const left = batch.seconds_left ? `, about ${secondsOf(batch.seconds_left)} left` : "";
    this.line.textContent = `${batch.rows_written.toLocaleString("en")} of ${counted(batch.rows, "row")} written${speed}${left}. Seed ${batch.seed}.`;
    this.message.textContent = batch.message && batch.state !== "cancelled" ? sentence(batch.message) : "";
    this.cancel.hidden = !ACTIVE.has(batch.state);
    this.again.hidden = ACTIVE.has(batch.state) || batch.state === "succeeded" || !begun()[batch.id];
    this.details.hidden = !batch.rows_written;
    if (batch.files) this.list(batch.files);
  }

  /** Only new files are added: whoever is on a button stays there. */
  list(files) {
    for (const file of files.slice(this.files.children.length)) {
      const save = make("button", { type: "button", class: "plain", onclick: () => this.attempt(() => open(file.url)) }, file.name);
      this.files.append(make("li", {}, save, make("span", { class: "muted" }, ` ${bytesOf(file.bytes)}`)));
    }
  }

  ask() {
    return this.attempt(async () => this.tell(await json("GET", `v1/batches/${this.id}`)));
  }

  async end() {
    if (!await confirmed()) return;
    this.cancel.disabled = true;
    await this.attempt(async () => this.tell(await json("DELETE", `v1/batches/${this.id}`)));
    this.cancel.disabled = false;
    watch();
  }

  async attempt(work) {
    try {
      await work();
    } catch (error) {
      this.message.textContent = sentence(error.message);
    }
  }
}

/** Whether a batch is really to be cancelled. */
function confirmed() {
  const [box, form] = [$("cancel-dialog"), $("cancel-form")];
  box.returnValue = "";
  box.showModal();
  form.onsubmit = (event) => {
    event.preventDefault();
    box.close("yes");
  };
  $("cancel-no").onclick = () => box.close("");
  return new Promise((resolve) => {
    box.onclose = () => resolve(box.returnValue === "yes");
  });
}
