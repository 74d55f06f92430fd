// The same request in curl and in Python.

import { addressOf } from "./service.js";

const MEDIA = { csv: "text/csv", excel: "text/csv", parquet: "application/vnd.apache.parquet" };
const ENDINGS = { csv: "csv", excel: "csv", parquet: "parquet" };

export const mediaOf = (format) => MEDIA[format];
export const fileOf = (model, format) => `${model}.${ENDINGS[format]}`;

/** A command line; `body` is what is sent. */
export function curl(model, format, body, keyed) {
  const batch = format === "batch";
  return [
    ...begun(model, batch ? "batches" : "sample", keyed),
    batch ? `-H 'Idempotency-Key: ${model}-${digest(JSON.stringify(body))}'` : `-H 'Accept: ${MEDIA[format]}'`,
    `-d ${quoted(JSON.stringify(body))}`,
    ...(batch ? [] : [`-o ${quoted(fileOf(model, format))}`]),
  ].join(" \\\n  ");
}

/** The command line that fills in a row. */
export function curlFill(model, body, keyed) {
  return [...begun(model, "complete", keyed), "-H 'Accept: text/csv'", `-d ${quoted(JSON.stringify(body))}`].join(" \\\n  ");
}

const begun = (model, call, keyed) => [
  `curl --fail-with-body ${quoted(addressOf(`v1/models/${model}/${call}`))}`,
  ...(keyed ? ['-H "Authorization: Bearer $GTCODER_API_KEY"'] : []),
  "-H 'Content-Type: application/json'",
];

/** Lines of Python that fill in a row. */
export function pythonFill(model, { rows, n, seed }, keyed) {
  const given = `{${Object.entries(rows[0]).map(([name, value]) => `${literal(name)}: ${literal(value)}`).join(", ")}}`;
  return [...imports(keyed, ["import pandas as pd"]), `row = pd.DataFrame([${given}])`, `frame = client.complete(${literal(model)}, row, n=${n}, seed=${seed})`].join("\n");
}

/** Lines of Python that fill the gaps of a file, known by its `name`, `mark`, `encoding` and `commas`. */
export const pythonGaps = (model, file, seed, keyed) => [
  ...reading(file, keyed),
  `frame = client.complete(${literal(model)}, frame, seed=${seed})`,
  `frame.to_csv(${[literal(filledName(file.name)), ...writing(file), "index=False"].join(", ")})`,
].join("\n");

/** Lines of Python that find the least likely rows of a file. */
export const pythonUnlikely = (model, file, most, keyed) => [
  ...reading(file, keyed),
  `scores = client.score(${literal(model)}, frame)`,
  `unlikely = scores.nsmallest(${most}, "log_likelihood")`,
].join("\n");

export const filledName = (name) => name.replace(/(\.[^.]*)?$/, "-filled.csv");

/** Lines that read a file as the page does: texts, of which the empty ones alone are missing. */
function reading({ name, mark, encoding, commas }, keyed) {
  const options = [
    ...(mark === "," ? [] : [`sep=${literal(mark)}`]),
    ...(encoding === "utf-8" ? [] : [`encoding=${literal(encoding)}`]),
    "dtype=str", "keep_default_na=False", 'na_values=[""]',
  ];
  return [
    ...imports(keyed, ["import pandas as pd"]),
    `frame = pd.read_csv(${[literal(name), ...options].join(", ")})`,
    ...(commas.length ? [`numbers = ${literal(commas)}`, 'frame[numbers] = frame[numbers].replace(",", ".", regex=True)'] : []),
  ];
}

/** How a file is written like the one it was read from. */
const writing = ({ mark, commas }) => [
  ...(mark === "," ? [] : [`sep=${literal(mark)}`]),
  ...(commas.length ? ['decimal=","'] : []),
  ...(mark === ";" ? ['encoding="utf-8-sig"'] : []),
];

function imports(keyed, more = []) {
  const key = keyed ? ', key=os.environ["GTCODER_API_KEY"]' : "";
  return [
    ...(keyed ? ["import os", ""] : []),
    ...more,
    "from gtcoder.client import Client",
    "",
    `client = Client(${literal(addressOf("").replace(/\/$/, ""))}${key})`,
  ];
}

/** Lines of Python. */
export function python(model, format, body, keyed) {
  const { rows, seed, where, output } = body;
  const given = [
    literal(model),
    String(rows),
    ...(where ? [`where=${literal(where, true)}`] : []),
    ...(seed === undefined ? [] : [`seed=${seed}`]),
  ];
  const head = imports(keyed);
  if (format === "batch") {
    if (output) given.push(`output=${literal(output)}`);
    return [...head, `batch = client.start_batch(${given.join(", ")})`, 'files = batch.wait(progress=True)["files"]'].join("\n");
  }
  const writes = {
    csv: `to_csv(${literal(fileOf(model, format))}, index=False)`,
    excel: `to_csv(${literal(fileOf(model, format))}, index=False, encoding="utf-8-sig")`,
    parquet: `to_parquet(${literal(fileOf(model, format))})`,
  };
  return [...head, `frame = client.sample(${given.join(", ")})`, `frame.${writes[format]}`].join("\n");
}

/** Of a request: the same again goes on with its batch, another begins one of its own. */
function digest(text) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** As the shell takes it, whatever is in it. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** As Python writes it; below the top of conditions, which names columns, an object is a range, or shares. */
function literal(value, top = false) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map((each) => literal(each)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  if (!top && value.mix) return literal(value.mix, true);
  if (!top) return `(${literal(value.from)}, ${literal(value.to)})`;
  return `{${Object.entries(value).map(([name, each]) => `${literal(name)}: ${literal(each)}`).join(", ")}}`;
}
