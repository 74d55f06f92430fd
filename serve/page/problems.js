// Problems where they belong: at the field that the service names, else below the form.

import { Problem } from "./service.js";

/** Clear what was said in a form. */
export function clear(form, rest) {
  for (const error of form.querySelectorAll(".error")) error.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  rest.textContent = "";
}

/** Clear what was said of a field that is being mended. */
export function mend(control) {
  const box = control.closest("[data-column]") ?? control.closest("[data-field]");
  if (!box) return;
  box.querySelector(".error").textContent = "";
  for (const input of box.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Say what is wrong, and go there. */
export function place(form, rest, error) {
  if (error.name === "AbortError") return;
  const named = error instanceof Problem ? error.errors : [];
  let first = null;
  for (const { field, detail } of named) {
    const control = at(form, field, detail);
    if (control) first ??= control;
    else rest.textContent = sentence(detail);
  }
  if (!named.length) rest.textContent = sentence(error.message);
  first?.focus();
}

/** Say what is wrong with a field, known by its box; gives what is to be mended. */
export function sayAt(box, text) {
  box.querySelector(".error").textContent = text;
  const control = box.querySelector("input, select");
  control?.setAttribute("aria-invalid", "true");
  return control;
}

/** Say what is wrong with fields, if anything is, and go to the first; `wrong` is texts by field. */
export function sayAll(form, wrong) {
  const said = Object.entries(wrong).filter(([, text]) => text)
    .map(([field, text]) => sayAt(form.querySelector(`[data-field=${field}]`), text));
  if (!said.length) return;
  said[0].focus();
  throw new DOMException("not filled in", "AbortError");
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function at(form, field, detail) {
  const [top] = field.split(".");
  const box = [...form.querySelectorAll("[data-field]")].find((each) => each.dataset.field === top && !each.hidden);
  if (!box) return null;
  const column = [...box.querySelectorAll("[data-column]")]
    .filter((each) => ["'", '"'].some((mark) => detail.includes(`${mark}${each.dataset.column}${mark}`)))[0];
  return sayAt(column ?? box, sentence(detail));
}
