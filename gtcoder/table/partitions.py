"""Which files a table has, and what the names of their folders say (Hive partitions).

Names that start with `_` or `.` are not data, as everywhere in the Hive world.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.table.delimited.reader import COMPRESSIONS
from gtcoder.table.files import Uri, explained, resolve

_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WILDCARD = re.compile(r"[*?\[]")


class Format(StrEnum):
    """How a table's files are written."""

    PARQUET = "parquet"
    CSV = "csv"


_ENDINGS = {
    ".parquet": Format.PARQUET,
    ".parq": Format.PARQUET,
    ".pq": Format.PARQUET,
    **{
        f"{ending}{packed}": Format.CSV
        for ending in (".csv", ".tsv", ".txt")
        for packed in ("", *COMPRESSIONS)
    },
}
_FOREIGN = {
    "an Arrow (Feather) file": (".feather", ".arrow", ".ipc"),
    "JSON": (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz"),
    "an Excel workbook": (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
    "ORC": (".orc",),
    "Avro": (".avro",),
    "an archive": (".zip", ".tar", ".tar.gz", ".tgz", ".7z"),
    "a file of pandas or R": (".pkl", ".pickle", ".rds", ".rdata"),
    "a file of SAS, SPSS or Stata": (".sas7bdat", ".sav", ".dta"),
}
_CURES = {
    "an Arrow (Feather) file": "pandas.read_feather(...).to_parquet(...)",
    "JSON": "pandas.read_json(..., lines=True).to_parquet(...)",
    "an Excel workbook": "save the sheet as CSV there, or pandas.read_excel(...).to_parquet(...)",
    "an archive": "unpack it",
}


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file of a table."""

    path: str
    """URI that any process can open."""
    partition: Mapping[str, str | None]
    """What its folders say: key to value as text; nothing for Hive's null."""
    stamp: str
    """Changes when the file does: size and modification time or ETag."""


def find_files(uri: Uri, *, all_csv: bool = False) -> tuple[list[TableFile], Format]:
    """The files of a table at a path, folder, glob or URI, sorted, and their one format.

    Args:
        uri: where they are.
        all_csv: take them for CSV where their endings say nothing (Hive's have none).

    Raises:
        TableError: nothing is there, or files of no or of several known formats are.
    """
    try:
        filesystem, path = resolve(uri)
        with explained(uri):
            root, found = _list(filesystem, path)
    except OSError as error:
        raise TableError(f"no table: {error}") from error
    names = sorted(name for name in found if _is_data(name, root))
    if not names:
        raise TableError(
            f"{uri}: no Parquet or CSV file there; name a file, folder or glob of them"
        )
    form = _one_format(names, all_csv=all_csv)
    files = [
        TableFile(
            str(filesystem.unstrip_protocol(name)).removeprefix("file://"),
            _partition(name, root),
            _stamp(found[name]),
        )
        for name in names
    ]
    _same_keys(files)
    return files, form


def stamp_of(path: str) -> str:
    """The stamp of a file as it is now.

    Raises:
        OSError: it is not there, or its storage does not answer.
    """
    filesystem, name = resolve(path)
    with explained(path):
        return _stamp(filesystem.info(name))


def partition_schema(files: Sequence[TableFile]) -> pa.Schema:
    """The partition columns with the types that all their values allow: int, date, else text."""
    return pa.schema(
        [(key, _type_of({f.partition[key] for f in files} - {None})) for key in files[0].partition]
    )


def partition_value(text: str | None, kind: pa.DataType) -> pa.Scalar:
    """A folder's value as a scalar of the column's type."""
    return pa.scalar(text).cast(kind) if text is not None else pa.scalar(None, kind)


def _list(filesystem: Any, path: str) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """The folder below which names mean something, and every file with its information."""
    if _WILDCARD.search(path) and not filesystem.exists(path):
        root = path[: path.rfind("/", 0, _WILDCARD.search(path).start())]  # type: ignore[union-attr]
        hits = filesystem.glob(path, detail=True)
        found = {}
        for name, info in hits.items():
            if info["type"] == "directory":
                found.update(filesystem.find(name, detail=True))
            else:
                found[name] = info
        return root, found
    if filesystem.isfile(path):
        return path.rpartition("/")[0], {path: filesystem.info(path)}
    found = filesystem.find(path, detail=True)
    if not found and not filesystem.isdir(path):
        raise FileNotFoundError
    return path, found


def _is_data(name: str, root: str) -> bool:
    below = name.removeprefix(root).strip("/").split("/")
    return not any(part.startswith((".", "_")) for part in below)


def _one_format(names: Iterable[str], *, all_csv: bool) -> Format:
    seen: dict[Format, str] = {}
    for name in names:
        ending = next((e for e in _ENDINGS if name.lower().endswith(e)), None)
        if ending is None and not all_csv:
            raise _foreign(name)
        seen.setdefault(_ENDINGS[ending] if ending else Format.CSV, name)
    if len(seen) > 1:
        raise TableError(
            f"one table in two formats: {' and '.join(seen.values())}; "
            "name those that belong to it with a glob such as 'folder/*.parquet'"
        )
    return next(iter(seen))


def _foreign(name: str) -> TableError:
    for what, endings in _FOREIGN.items():
        if name.lower().endswith(endings):
            cure = _CURES.get(what, "pandas can read it: .to_parquet(...)")
            return TableError(
                f"{name} is {what}; expected Parquet or CSV: convert it ({cure}), "
                "or name the table's files with a glob such as 'folder/*.parquet'"
            )
    return TableError(
        f"{name} is neither Parquet nor CSV by its ending (.parquet, .csv, .tsv, .txt, .csv.gz, …);"
        " name the table's files with a glob such as 'folder/*.parquet', or say that they are CSV "
        "with `csv='sep=,'`"
    )


def _partition(name: str, root: str) -> dict[str, str | None]:
    folders = name.removeprefix(root).strip("/").split("/")[:-1]
    pairs = [folder.split("=", 1) for folder in folders if "=" in folder]
    return {unquote(key): None if value == _NULL else unquote(value) for key, value in pairs}


def _same_keys(files: Sequence[TableFile]) -> None:
    first = files[0]
    for file in files:
        if list(file.partition) != list(first.partition):
            raise TableError(
                f"partition folders differ: {first.path} has {list(first.partition) or 'none'}, "
                f"{file.path} has {list(file.partition) or 'none'}; "
                "name those that belong together with a glob such as 'folder/month=*/*.parquet'"
            )


def _type_of(values: Iterable[str | None]) -> pa.DataType:
    texts = [value for value in values if value is not None]
    if texts and all(_INTEGER.fullmatch(text) for text in texts):
        fits = all(-(2**31) <= int(text) < 2**31 for text in texts)
        return pa.int32() if fits else pa.int64()
    if texts and all(_is_date(text) for text in texts):
        return pa.date32()
    return pa.string()


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _stamp(info: Mapping[str, Any]) -> str:
    tag = str(info.get("ETag") or "").strip('"')  # some stores list it without quotes
    changed = tag or info.get("mtime") or info.get("LastModified") or ""
    return f"{info['size']} {changed}"
