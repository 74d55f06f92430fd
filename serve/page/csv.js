// CSV: what is missing is empty, an empty text is `""`; as the service writes it, or as files have it.

/** The cells of each line: texts, or null for what is missing; `mark` stands between cells. */
export function parse(text, mark = ",") {
  const plain = new RegExp(`[^${mark}\\r\\n]*`, "y");
  const lines = [];
  let line = [];
  for (let at = 0; at < text.length;) {
    const [value, after] = text[at] === '"' ? quoted(text, at, lines.length + 1) : [null, at];
    plain.lastIndex = after;
    const [rest] = plain.exec(text);
    line.push(value === null ? rest || null : value + rest);
    at = after + rest.length;
    const more = text[at] === mark;
    if (more && at + 1 < text.length) {
      at += 1;
      continue;
    }
    if (more) line.push(null);
    at += text.startsWith("\r\n", at) ? 2 : 1;
    lines.push(line);
    line = [];
  }
  return lines;
}

/** What stands in quotes from a place on, and the place after it. */
function quoted(text, from, number) {
  const parts = [];
  for (let at = from + 1; ;) {
    const end = text.indexOf('"', at);
    if (end < 0) throw new Error(`a quote that line ${number.toLocaleString("en")} opens is never closed: close it, or take it out`);
    parts.push(text.slice(at, end));
    if (text[end + 1] !== '"') return [parts.join('"'), end + 1];
    at = end + 2;
  }
}

/** Lines as the text of a file. */
export const written = (lines, mark = ",") => lines.map((line) => `${line.map((value) => cell(value, mark)).join(mark)}\r\n`).join("");

function cell(value, mark) {
  if (value === null) return "";
  const bare = value !== "" && !value.includes(mark) && !/["\r\n]/.test(value);
  return bare ? value : `"${value.replaceAll('"', '""')}"`;
}

/** The text of a file's bytes, UTF-8 or what Excel writes else, and its `encoding` as Python calls it. */
export function decoded(bytes) {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  try {
    const text = new TextDecoder(utf16 ? "utf-16le" : "utf-8", { fatal: true }).decode(bytes);
    return { text, encoding: utf16 ? "utf-16" : "utf-8" };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), encoding: "cp1252" };
  }
}

/** The sign between cells by which most of the first line's cells are among `names`. */
export function markOf(text, names) {
  const [first] = text.split(/\r\n|\r|\n/, 1);
  const known = new Set(names);
  const found = (mark) => first.split(mark).filter((each) => known.has(each.replaceAll('"', "").trim())).length;
  return [",", ";", "\t"].reduce((best, mark) => (found(mark) > found(best) ? mark : best));
}
