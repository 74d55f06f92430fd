"""How one CSV file is laid out: what is said of it, and for the rest a guess from its head."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gtcoder.errors import TableError
from gtcoder.table.delimited.csv_format import CsvFormat
from gtcoder.table.delimited.readings import NULL_WORDS

SEPARATORS = ";\t|\x01,"
"""Those that are tried; the first of two that fit as well, since text has more commas."""
_SAMPLE_RECORDS = 200
_NUMBER = re.compile(r"[+-]?[\d.,' ]*\d-?")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_MAGIC = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a file is cut into fields."""

    sep: str
    quote: str
    escape: str
    encoding: str
    comment: str
    """Lines in the file that begin with it are not read."""
    lines: int
    """Lines before the first row: preamble and header."""
    characters: int
    """In those lines."""
    names: tuple[str, ...]
    """Of the columns."""
    rowless: bool
    """Nothing stands below the header."""
    quoted_words: bool
    """Text stands in quotes, so that a null word without them is no text."""


def layout_of(path: str, head: bytes, said: CsvFormat, *, whole: bool) -> Layout:
    """The layout of a file that begins with `head`, or is no more than that if it is `whole`.

    Raises:
        TableError: the head is not in its encoding, or two columns share a name.
    """
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind is not None:
        raise TableError(f"{path} is {kind}, not CSV as its name says; rename or convert it")
    encoding = _encoding(path, head, said)
    text = _decoded(path, head, encoding, whole)
    preamble, sep, comment = _preamble(text, said)
    body = text[len(preamble) :]
    escape = said.escape if said.escape is not None else _escape(body)
    quote = said.quote if said.quote is not None else _quote(body)
    sep = said.sep or sep or _separator(body, quote, escape, whole)
    records = list(_records(body, sep, quote, escape, whole))
    header, rows = (records[0], records[1:]) if records else ([], [])
    span = _span(body, sep, quote, escape)
    if said.names and records:
        header, rows, span = list(said.names), records, 0
    names = _names(header, rows)
    twin = next((name for name, count in Counter(names).items() if count > 1), None)
    if twin is not None:
        raise TableError(f"{path} has two columns named {twin!r}; rename one")
    return Layout(
        sep=sep,
        quote=quote,
        escape=escape,
        encoding=encoding,
        comment=comment,
        lines=_line_count(preamble + body[:span]),
        characters=len(preamble) + span,
        names=tuple(names),
        rowless=whole and not body[span:].strip("\r\n"),
        quoted_words=bool(quote) and _quoted_words(body[span:], sep, quote),
    )


def _encoding(path: str, head: bytes, said: CsvFormat) -> str:
    """UTF-8 unless something else is said, or marked at the beginning."""
    encoding = said.encoding or next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if encoding is None and 10 * head[:1000].count(0) > len(head[:1000]):
        raise TableError(
            f"{path} holds many zero bytes; if it is UTF-16, say so: `csv='encoding=utf-16-le'`"
        )
    return encoding or "utf-8"


def _decoded(path: str, head: bytes, encoding: str, whole: bool) -> str:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=whole)
    except UnicodeDecodeError as error:
        raise not_encoded(path, encoding, head[error.start : error.end]) from error
    return text.removeprefix("\ufeff")


def not_encoded(path: str, encoding: str, found: bytes, line: int | None = None) -> TableError:
    """The error about bytes that are not of the file's encoding."""
    other = "cp1252" if found and 0x80 <= found[0] <= 0x9F else "latin-1"
    where = f"line {line:,} of {path}" if line else path
    return TableError(
        f"{where} is not {encoding.upper()}: it holds the byte 0x{found[:1].hex()}; "
        f"say its encoding, e.g. `csv='encoding={other}'`"
    )


def _preamble(text: str, said: CsvFormat) -> tuple[str, str | None, str]:
    """The lines before the header, the separator that one of them names, what begins comments."""
    at, sep = 0, None
    for _ in range(said.skip or 0):
        at = _LINE.match(text, at).end()  # type: ignore[union-attr]
    line = _line(text, at)
    named = _SEP_LINE.fullmatch(line)
    if named:
        sep, at = named[1], at + len(line)
    mark = "#" if said.comment is None else said.comment
    while at < len(text):
        line = _line(text, at)
        if line.strip() and not (mark and line.startswith(mark)):
            break
        if said.comment is None and line.strip() and _is_header(line, _line(text, at + len(line))):
            break
        at += len(line)
    return text[:at], sep, said.comment or ""


def _line(text: str, at: int) -> str:
    return _LINE.match(text, at)[0]  # type: ignore[index]


def _is_header(line: str, below: str) -> bool:
    """Whether a line that begins like a comment names columns: `#CHROM<tab>POS`."""
    counts = [(line.count(sep), below.count(sep)) for sep in SEPARATORS]
    return line[1:2] not in (" ", "#") and any(a == b > 0 for a, b in counts)


def _escape(body: str) -> str:
    r"""A backslash if quotes in the middle of fields stand behind one, as Spark writes them."""
    return "\\" if re.search(r'\\"[^,;\t|\x01\r\n"]', body) else ""


def _quote(body: str) -> str:
    """A single quote if fields stand in them and none in double ones."""
    if '"' in body:
        return '"'
    lines = body.splitlines()[1:_SAMPLE_RECORDS]
    single = re.compile(r"(?:^|[;\t|,])'[^']*'(?=[;\t|,]|$)")
    return "'" if lines and all(single.search(line) for line in lines) else '"'


def _separator(body: str, quote: str, escape: str, whole: bool) -> str:
    """The separator by which most records have as many fields as the header, and more than one.

    Where the header has one field, it is still the one that all rows have: better an error about
    the header, which may be a title, than one column of whole lines.
    """
    scores = {}
    for sep in SEPARATORS:
        header, *rows = [len(r) for r in _records(body, sep, quote, escape, whole)] or [0]
        usual, often = Counter(rows or [header]).most_common(1)[0]
        if header > 1:
            fits = usual in (header, header + 1)
            scores[sep] = often / max(len(rows), 1) if fits else 0.1
        elif usual > (2 if sep == "," else 1) and often == len(rows) > 1:
            scores[sep] = 0.2
    if scores:
        return max(scores, key=lambda sep: scores[sep])
    return next((sep for sep in "," + SEPARATORS if sep not in body), ",")


def _records(body: str, sep: str, quote: str, escape: str, whole: bool) -> Iterator[list[str]]:
    """The first records; the last of a head may be cut off and is not among them."""
    pending: list[str] | None = None
    try:
        for count, record in enumerate(_reader(body, sep, quote, escape)):
            if pending:
                yield pending
            if count >= _SAMPLE_RECORDS:
                return
            pending = record
    except csv.Error:
        return
    if pending and whole:
        yield pending


def _reader(body: str, sep: str, quote: str, escape: str) -> Iterator[list[str]]:
    return csv.reader(
        io.StringIO(body, newline=""),
        delimiter=sep,
        quotechar=quote or None,
        escapechar=escape or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )


def _span(body: str, sep: str, quote: str, escape: str) -> int:
    """Characters of the header."""
    reader = _reader(body, sep, quote, escape)
    try:
        next(reader, None)
    except csv.Error:
        return len(_line(body, 0))
    at = 0
    for _ in range(reader.line_num):  # type: ignore[attr-defined]
        at += len(_line(body, at))
    return at


def _line_count(text: str) -> int:
    return len(re.findall(r"\r\n|\r|\n", text))


def _names(header: list[str], records: list[list[str]]) -> list[str]:
    """The columns' names; a place takes that of one without.

    Rows that have one field more than the header begin with R's row names, or end with a
    separator.
    """
    names = list(header)
    if len(names) > 1 and records and all(len(r) == len(names) + 1 for r in records):
        names = [*names, ""] if not any(r[-1] for r in records) else ["", *names]
    return [name if name.strip() else f"column_{at + 1}" for at, name in enumerate(names)]


def _quoted_words(rows: str, sep: str, quote: str) -> bool:
    """Whether all text of the head stands in quotes, but null words do not (as R writes)."""
    q, s = re.escape(quote), re.escape(sep)
    field = re.compile(rf"(?:{q}((?:[^{q}]|{q}{q})*){q}|([^{s}\r\n]*))(?:{s}|\r\n|\r|\n|$)")
    quoted, words = 0, 0
    for count, match in enumerate(field.finditer(rows)):
        if count > 20 * _SAMPLE_RECORDS:
            break
        bare = match[2]
        if bare is None:
            quoted += not _NUMBER.fullmatch(match[1])
        elif bare in NULL_WORDS:
            words += bool(bare)
        elif not _NUMBER.fullmatch(bare.strip()) and bare not in ("TRUE", "FALSE"):
            return False
    return bool(quoted and words)
