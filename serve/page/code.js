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
    `curl --fail-with-body ${quoted(addressOf(`v1/models/${model}/${batch ? "batches" : "sample"}`))}`,
    ...(keyed ? ['-H "Authorization: Bearer $GTCODER_API_KEY"'] : []),
    "-H 'Content-Type: application/json'",
    batch ? `-H 'Idempotency-Key: ${model}-${digest(JSON.stringify(body))}'` : `-H 'Accept: ${MEDIA[format]}'`,
    `-d ${quoted(JSON.stringify(body))}`,
    ...(batch ? [] : [`-o ${quoted(fileOf(model, format))}`]),
  ].join(" \\\n  ");
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
  const key = keyed ? ', key=os.environ["GTCODER_API_KEY"]' : "";
  const head = [
    ...(keyed ? ["import os", ""] : []),
    "from gtcoder.client import Client",
    "",
    `client = Client(${literal(addressOf("").replace(/\/$/, ""))}${key})`,
  ];
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

/** As Python writes it; below the top of conditions an object is a range. */
function literal(value, top = false) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map((each) => literal(each)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  if (!top) return `(${literal(value.from)}, ${literal(value.to)})`;
  return `{${Object.entries(value).map(([name, each]) => `${literal(name)}: ${literal(each)}`).join(", ")}}`;
}
