// The form of conditions, built from what a model knows of its columns.

import { brief, make } from "./dom.js";
import { sayAt } from "./problems.js";

const WITHOUT_ORDER = new Set(["boolean", "categorical", "high_cardinality"]);
const MANY = 8;
let made = 0;

/** The conditions of one model. */
export class Conditions {
  /** `root` takes them, `select` names columns without one, `changed` hears of new ones. */
  constructor(root, select, columns, changed) {
    Object.assign(this, { root, select, columns, changed });
    this.byColumn = new Map();
    root.replaceChildren();
    this.list();
  }

  /** Add a condition on the column that is chosen. */
  add() {
    const column = this.columns[this.select.value];
    if (!column) return;
    const one = WITHOUT_ORDER.has(column.kind) ? new Choice(column) : new Stretch(column);
    one.box.querySelector("legend").after(make("button", {
      type: "button", class: "plain remove", "aria-label": `Remove the condition on ${column.name}`,
      onclick: () => this.remove(column.name),
    }, "Remove"));
    this.byColumn.set(column.name, one);
    this.root.append(one.box);
    this.list();
    one.box.querySelector("input").focus();
    this.changed();
  }

  remove(name) {
    this.byColumn.get(name).box.remove();
    this.byColumn.delete(name);
    this.list();
    this.select.focus();
    this.changed();
  }

  /** Conditions as the service takes them, or null; `check` says what is not filled in. */
  where(check = false) {
    const found = [...this.byColumn].map(([name, one]) => [name, one.value(), one]);
    const empty = found.filter(([, value]) => value === undefined);
    if (check && empty.length) {
      empty.forEach(([, , one]) => sayAt(one.box, one.asks));
      empty[0][2].box.querySelector("input").focus();
      throw new DOMException("not filled in", "AbortError");
    }
    const said = found.filter(([, value]) => value !== undefined);
    return said.length ? Object.fromEntries(said) : null;
  }

  /** Offer the columns that may have a condition and have none yet. */
  list() {
    const free = this.columns.map((column, at) => [column, at]).filter(([column]) => !this.byColumn.has(column.name));
    const may = free.filter(([column]) => column.conditions);
    const others = free.filter(([column]) => !column.conditions);
    this.select.replaceChildren(
      make("option", { value: "" }, "Choose a column"),
      ...may.map(([column, at]) => make("option", { value: at }, column.name)),
      ...others.map(([column]) => make("option", { disabled: true }, `${column.name} (not learned: no condition)`)),
    );
  }
}

/** Categories of which any will do. */
class Choice {
  constructor(column) {
    const known = column.categories ?? [];
    this.asks = "Choose at least one.";
    this.options = make("div", { class: "options" }, ...known.map((value) => option(value, String(value))));
    if (column.missing !== false) this.options.append(option(null, "missing", "muted"));
    const listed = known.length === (column.categories_in_all ?? 0) && known.length > 0;
    this.box = framed(column, listed ? "" : `${known.length} of ${column.categories_in_all ?? "its"} categories are listed; any other can be typed.`);
    if (known.length > MANY || !listed) this.box.append(this.search(column, listed));
    this.box.append(this.options, make("p", { class: "error" }));
  }

  /** A search among the categories, which adds what is not listed. */
  search(column, listed) {
    const input = make("input", { type: "search", "aria-label": `Search the categories of ${column.name}`, placeholder: "Search", autocomplete: "off", oninput: () => this.filter(input.value) });
    const add = () => {
      if (!input.value) return;
      const there = [...this.options.children].find((each) => each.textContent.trim() === input.value);
      const one = there ?? option(input.value, input.value);
      if (!there) this.options.prepend(one);
      one.querySelector("input").checked = true;
      input.value = "";
      this.filter("");
      this.box.dispatchEvent(new Event("input", { bubbles: true }));
    };
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (!listed) add();
    });
    return make("div", { class: "line" }, input, ...(listed ? [] : [make("button", { type: "button", onclick: add }, "Add")]));
  }

  filter(text) {
    const sought = text.toLowerCase();
    for (const each of this.options.children) {
      each.hidden = !each.textContent.toLowerCase().includes(sought) && !each.querySelector("input").checked;
    }
  }

  value() {
    const values = [...this.options.querySelectorAll("input:checked")].map((input) => input.category);
    return values.length > 1 ? values : values[0];
  }
}

/** Numbers, dates or times from one value to another. */
class Stretch {
  constructor(column) {
    this.type = inputType(column);
    this.asks = "Fill in from, to, or both.";
    const [low, high] = [column.low, column.high];
    this.box = framed(column, low === null || low === undefined ? "" : `The table had ${brief(low)} to ${brief(high)}.`);
    this.from = this.input(column, "from");
    this.to = this.input(column, "to");
    this.box.append(make("div", { class: "line" },
      make("label", {}, "from ", this.from), make("label", {}, "to ", this.to)));
    if (column.missing !== false) {
      this.missing = make("input", { type: "checkbox" });
      this.box.append(make("label", { class: "choice" }, this.missing, " or missing"));
    }
    this.box.append(make("p", { class: "error" }));
  }

  input(column, end) {
    const hint = this.type === "text" ? { placeholder: "1:30:00" } : {};
    return make("input", { type: this.type, step: "any", "aria-label": `${column.name} ${end}`, autocomplete: "off", ...hint });
  }

  value() {
    const [from, to] = [this.from.value.trim(), this.to.value.trim()];
    if (!from && !to) return this.missing?.checked ? null : undefined;
    if (this.missing?.checked) return [`${from}..${to}`, null];
    return { ...(from && { from: this.plain(from) }), ...(to && { to: this.plain(to) }) };
  }

  /** A number, if JavaScript has it exactly; else its digits, which the service takes as well. */
  plain(text) {
    return this.type === "number" && String(Number(text)) === text ? Number(text) : text;
  }
}

function option(value, text, look = "") {
  const input = make("input", { type: "checkbox" });
  input.category = value;
  return make("label", { class: `choice ${look}` }, input, " ", text || "(empty)");
}

function framed(column, hint) {
  const box = make("fieldset", { class: "condition" }, make("legend", {}, column.name));
  box.dataset.column = column.name;
  box.id = `condition-${++made}`;
  if (hint) box.append(make("p", { class: "hint" }, hint));
  return box;
}

function inputType(column) {
  if (column.kind === "date") return "date";
  if (column.kind === "time") return "time";
  if (column.kind === "duration") return "text";
  if (column.kind !== "timestamp") return "number";
  const days = (Date.parse(column.high) - Date.parse(column.low)) / 86_400_000;
  return days < 3 ? "datetime-local" : "date"; // a date stands for its whole day
}
