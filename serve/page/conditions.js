// The form of conditions, built from what a model knows of its columns.

import { brief, make } from "./dom.js";
import { inputType, numberOf } from "./fields.js";
import { sayAt } from "./problems.js";
import { shareOf, wrongShares } from "./shares.js";

const WITHOUT_ORDER = new Set(["boolean", "categorical", "high_cardinality"]);
const MANY = 8;
const WAYS = { any: "any of these", shares: "set shares", equal: "all equally common" };
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
    const found = [...this.byColumn].map(([name, one]) => [name, one.value()]);
    const wrong = [...this.byColumn.values()].filter((one) => one.wrong());
    if (check && wrong.length) {
      wrong.map((one) => sayAt(one.box, one.wrong()))[0].focus();
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

/** Categories of which any will do, or shares of them. */
class Choice {
  constructor(column) {
    const known = column.categories ?? [];
    this.options = make("div", { class: "options" }, ...known.map((value) => option(value)));
    if (column.missing !== false) this.options.append(option(null));
    this.listed = known.length === (column.categories_in_all ?? 0) && known.length > 0;
    this.box = framed(column, this.listed ? "" : `${known.length} of ${column.categories_in_all ?? "its"} categories are listed; any other can be typed.`);
    this.note = make("p", { class: "hint" });
    this.box.append(this.ways(column), this.note);
    this.sought = known.length > MANY || !this.listed ? [this.search(column, this.listed)] : [];
    this.box.append(...this.sought, this.options, make("p", { class: "error" }));
    this.show("any");
  }

  /** What may be asked of categories. */
  ways(column) {
    const name = `${this.box.id}-way`;
    const radio = (way) => make("label", { class: "choice" }, make("input", { type: "radio", name, value: way, checked: way === "any", oninput: () => this.show(way) }), " ", WAYS[way]);
    return make("div", { class: "ways", role: "radiogroup", "aria-label": `What is asked of ${column.name}` }, ...Object.keys(WAYS).map(radio));
  }

  show(way) {
    this.way = way;
    this.box.dataset.way = way; // by which the style sheet shows checkboxes or shares
    this.note.textContent = way === "shares" ? "In % of all rows. Those left empty have the rest, as in the table." : "";
    for (const each of [...this.sought, this.options]) each.hidden = way === "equal";
  }

  /** A search among the categories, which adds what is not listed. */
  search(column, listed) {
    const input = make("input", { type: "search", "aria-label": `Search the categories of ${column.name}`, placeholder: "Search", autocomplete: "off", oninput: () => this.filter(input.value) });
    const add = () => {
      if (!input.value) return;
      const there = [...this.options.children].find((each) => each.text === input.value);
      const one = there ?? option(input.value);
      if (!there) this.options.prepend(one);
      if (this.way === "any") one.querySelector("input").checked = true;
      else one.querySelector(".share").focus();
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
      const set = this.way === "any" ? each.querySelector("input").checked : each.querySelector(".share")?.value;
      each.hidden = !each.text.toLowerCase().includes(sought) && !set;
    }
  }

  value() {
    if (this.way === "equal") return { mix: {} };
    if (this.way === "shares") {
      const shares = this.shares().filter(({ input }) => input.value);
      return shares.length ? { mix: Object.fromEntries(shares.map(({ category, input }) => [String(category), shareOf(input.value)])) } : undefined;
    }
    const values = [...this.options.querySelectorAll("input:checked")].map((input) => input.category);
    return values.length > 1 ? values : values[0];
  }

  /** What is wrong with it as it stands, or nothing. */
  wrong() {
    if (this.way === "any") return this.value() === undefined ? "Choose at least one." : "";
    return this.way === "shares" ? wrongShares(this.shares().map(({ input }) => input), this.listed) : "";
  }

  shares() {
    return [...this.options.querySelectorAll(".share")].map((input) => ({ input, category: input.category }));
  }
}

/** Numbers, dates or times from one value to another. */
class Stretch {
  constructor(column) {
    this.type = stretchType(column);
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

  plain(text) {
    return this.type === "number" ? numberOf(text) : text;
  }

  /** What is wrong with it as it stands, or nothing. */
  wrong() {
    return this.value() === undefined ? "Fill in from, to, or both." : "";
  }
}

/** A category, or null for what is missing, which has no share. */
function option(value) {
  const text = value === null ? "missing" : String(value);
  const input = make("input", { type: "checkbox" });
  const share = make("input", { type: "number", class: "share", min: "0", max: "100", step: "any", placeholder: "as is", autocomplete: "off", "aria-label": `Share of ${text} in %` });
  input.category = share.category = value;
  const one = make("div", { class: `option ${value === null ? "muted" : ""}` },
    make("label", { class: "choice" }, input, " ", text || "(empty)"),
    ...(value === null ? [] : [share]));
  one.text = text;
  return one;
}

function framed(column, hint) {
  const box = make("fieldset", { class: "condition" }, make("legend", {}, column.name));
  box.dataset.column = column.name;
  box.id = `condition-${++made}`;
  if (hint) box.append(make("p", { class: "hint" }, hint));
  return box;
}

function stretchType(column) {
  if (column.kind === "duration") return "text";
  if (column.kind !== "timestamp") return inputType(column);
  const days = (Date.parse(column.high) - Date.parse(column.low)) / 86_400_000;
  return days < 3 ? "datetime-local" : "date"; // a date stands for its whole day
}
