// CSV as the service writes it: what is missing is empty, an empty text is `""`.

/** The cells of each line: texts, or null for what is missing. */
export function parse(text) {
  const lines = [];
  let line = [];
  const cell = /("(?:[^"]|"")*"|[^,\n]*)(,|\n|$)/g;
  while (cell.lastIndex < text.length) {
    const [, value, end] = cell.exec(text);
    line.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value || null);
    if (end === ",") continue;
    lines.push(line);
    line = [];
  }
  return lines;
}
