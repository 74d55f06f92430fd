// The rows of a file of the reader's own, as the service takes them, and what is wrong with them.

import { markOf, parse } from "./csv.js";
import { counted } from "./dom.js";
import { isNumber, isUnknown } from "./fields.js";
import { Problem } from "./service.js";

const LONG = 60;
const COMMA = /^\s*-?\d+,\d+\s*$/;
const POINT = /^\s*[-+]?[\d,]*\.\d/;

/** What is wrong with the file, said at its field. */
export const fault = (detail) => new Problem(0, { detail, errors: [{ field: "rows", detail }] });

/**
 * The rows of a file's text: its `header`, `rows` of cells, the model's `columns` or null for each of
 * the header, what it `lacks` of them, which are `strange` to the model, the categories that are
 * `unknown` to it, the `mark` between cells, whether numbers have a decimal `comma`, the
 * header's names of those with `commas`, and what is to be told of that where it is in `doubt`.
 */
export function rowsOfText(name, text, model, most) {
  if (text.includes("\0") || /^PK\x03\x04|^PAR1/.test(text)) throw fault("this is no CSV file: save the table as CSV (in Excel: CSV UTF-8), and choose that");
  const mark = markOf(text, model.columns.map((each) => each.name));
  const known = new Map(model.columns.map((column) => [column.name, column]));
  const [names, ...rows] = linesOf(text, mark);
  const header = names.map((name) => (known.has(name) ? name : (name ?? "").trim()));
  const columns = header.map((each) => known.get(each) ?? null);
  const twice = header.find((each, at) => header.indexOf(each) !== at);
  if (twice !== undefined) throw fault(`the column “${twice}” comes twice in the header: rename or remove one`);
  if (!columns.some(Boolean)) throw fault(`the header has none of the model’s columns (${named([...known.keys()])}): see that the first line names them`);
  if (!rows.length) throw fault("the file has a header but no rows");
  const short = rows.findIndex((row) => row.length !== header.length);
  if (short >= 0) throw fault(`row ${(short + 1).toLocaleString("en")} has ${counted(rows[short].length, "cell")}, the header ${header.length}: give each row as many as the header`);
  if (rows.length > most) throw fault(`the file has ${counted(rows.length, "row")}, and the service takes at most ${most.toLocaleString("en")} at once: choose a part of it, or use gtcoder complete and gtcoder score on the command line`);
  const lacks = [...known.keys()].filter((each) => !header.includes(each));
  const strange = header.filter((_, at) => !columns[at]);
  const { comma, doubt } = commaOf(rows, columns, mark);
  const commas = comma ? names.filter((_, at) => columns[at] && isNumber(columns[at]) && rows.some((row) => row[at]?.includes(","))) : [];
  return { name, mark, header, rows, columns, lacks, strange, unknown: unknownOf(rows, columns), comma, commas, doubt };
}

/** Whether the commas in numbers are decimal: not beside points; three digits after each may be thousands as well. */
function commaOf(rows, columns, mark) {
  const cells = rows.flatMap((row) => row.filter((value, at) => value !== null && columns[at] && isNumber(columns[at])));
  const commas = cells.filter((value) => COMMA.test(value)).map((value) => value.trim());
  if (mark === "," || !commas.length) return { comma: false, doubt: "" };
  const [one] = commas;
  const point = cells.find((value) => POINT.test(value));
  if (point !== undefined) return { comma: false, doubt: `Numbers have points, as in ${point.trim()}: the comma in ${one} is not read as a decimal one. Take it out if it parts thousands.` };
  const doubtful = commas.every((value) => /,\d{3}$/.test(value));
  return { comma: true, doubt: doubtful ? `The comma in ${one} is read as a decimal one, as ${one.replace(",", ".")}: take it out if it parts thousands.` : "" };
}

/** The lines of a text; blank ones are left out where they can be no row. */
function linesOf(text, mark) {
  let lines = null;
  try {
    lines = parse(text, mark);
  } catch (error) {
    throw fault(error.message);
  }
  if (!lines.length) throw fault("the file is empty");
  return lines.filter((line) => lines[0].length === 1 || line.length > 1 || line[0] !== null);
}

/** The categories that the model does not know, in words. */
const unknownOf = (rows, columns) => columns.flatMap((column, at) => (column
  ? [...new Set(rows.map((row) => row[at]))].filter((value) => value !== null && isUnknown(column, value)).map((value) => `“${value}” in ${column.name}`)
  : []));

/** Some names, and how many more there are. */
export const named = (names) => `${names.slice(0, 5).map((name) => (name.length > LONG ? `${name.slice(0, LONG)} …` : name)).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;

/** The rows as the service takes them: texts, of which it reads each digit. */
export const records = ({ rows, columns, comma }) => rows.map((row) => Object.fromEntries(
  row.map((value, at) => [columns[at], value]).filter(([column]) => column).map(([column, value]) => [column.name, plain(column, value, comma)])));

/** A cell's text; around what is no text, spaces mean nothing, and a decimal comma is a point. */
export function plain({ type, kind }, value, comma) {
  if (value === null || type.includes("string")) return value;
  const bare = value.trim();
  return (comma && isNumber({ kind }) ? bare.replace(",", ".") : bare) || null;
}
