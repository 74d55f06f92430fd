// Makes elements. What a model or the service says becomes text, never markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`), and children that are elements or texts. */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const whole = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const minute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

/** Things in words: "1 row", "2,000 rows". */
export const counted = (number, thing) => `${whole.format(number)} ${thing}${number === 1 ? "" : "s"}`;
export const dayOf = (text) => day.format(new Date(text));
export const minuteOf = (text) => minute.format(new Date(text));
export const share = (part) => `${(100 * part).toFixed(1)} %`;

/** A value in as many digits as say something. */
export const brief = (value) =>
  typeof value === "number" ? Number(value.toPrecision(6)) : String(value).replace(/\.0+(?=Z|$)/, "");

export function bytesOf(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(Math.floor(Math.log10(Math.max(size, 1)) / 3), units.length - 1);
  return `${step ? (size / 1000 ** step).toFixed(1) : size} ${units[step]}`;
}

export function secondsOf(seconds) {
  if (seconds < 90) return counted(Math.round(seconds), "second");
  if (seconds < 5400) return counted(Math.round(seconds / 60), "minute");
  return counted(Math.round(seconds / 3600), "hour");
}

/** Tell those who listen to the page. */
export function announce(text) {
  $("live").textContent = text;
}

/** Put a text on the clipboard; on plain HTTP browsers give pages the old way only. */
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = make("textarea", { class: "away" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Have the browser save a file. */
export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
