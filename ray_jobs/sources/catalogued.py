"""Delta and Iceberg tables as the Parquet files of one version, which always have the same order.

What only the library of such a table makes of its files, rows that are deleted beside them or
columns that were renamed, is refused: rows would come back that are gone, or cells be missing.
"""

import re
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from gtcoder.errors import TableError
from gtcoder.table.files import absolute, join
from gtcoder.table.locate import Each, catalogued
from gtcoder.table.table import Table

_UNREAD = ("deletionVectors", "columnMapping")
"""Features of Delta tables by which files do not say alone what the rows are."""


def see_plain(uri: str, path: str, table: Any) -> None:
    """See that the files of a `deltalake.DeltaTable` say alone what its rows are.

    Raises:
        TableError: they do not.
    """
    odd = [name for name in _UNREAD if name in (table.protocol().reader_features or ())]
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    if odd or mapped:
        raise TableError(
            f"{uri} has {' and '.join(odd or _UNREAD[1:])}, so its files alone do not say what "
            f"the rows are; export it first, in Spark: spark.read.format('delta').load({path!r})"
            ".write.parquet('FOLDER')"
        )


def delta_files(uri: str, path: str, table: Any, each: Each) -> Table:
    """The files of a `deltalake.DeltaTable`.

    Raises:
        TableError: files do not say alone what the rows are, or cannot be read.
    """
    see_plain(uri, path, table)
    schema = pa.schema(table.schema().to_arrow())
    actions = pa.table(table.get_add_actions(flatten=True))
    values = {
        name: actions[f"partition.{name}"].cast(pa.string()).to_pylist()
        for name in table.metadata().partition_columns
    }
    files = {
        _place(absolute(path), name): {key: texts[at] for key, texts in values.items()}
        for at, name in enumerate(actions["path"].to_pylist())
    }
    return catalogued(uri, files, schema, each=each)


def iceberg_files(uri: str, table: Any, each: Each) -> Table:
    """The files of the current snapshot of a `pyiceberg.table.Table`.

    Raises:
        TableError: files do not say alone what the rows are, or cannot be read.
    """
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    scan = table.scan(snapshot_id=table.current_snapshot().snapshot_id)
    tasks, schema = list(scan.plan_files()), scan.projection()
    formats = {task.file.file_format.value.lower() for task in tasks} - {"parquet"}
    odd = _renamed(table, schema) or (f"files of {min(formats)}" if formats else "")
    if any(task.delete_files for task in tasks):
        odd = "rows that are deleted beside its files"
    if odd:
        raise TableError(
            f"{uri} has {odd}, so its files alone do not say what the rows are; export it first, "
            f"in Python: import ray.data; ray.data.read_iceberg(table_identifier="
            f"{uri.split('.', 1)[1]!r}, catalog_kwargs={{'name': {_catalogue(uri)!r}}})"
            ".write_parquet('FOLDER')"
        )
    arrow = pa.schema(
        [field.with_type(_short(field.type)) for field in schema_to_pyarrow(schema)]
    ).remove_metadata()
    arrow = pa.schema([field.remove_metadata() for field in arrow])
    files = {absolute(task.file.file_path): dict[str, str | None]() for task in tasks}
    found = catalogued(uri, files, arrow, each=each)
    _see_partitions(found, table)
    return found


def _renamed(table: Any, schema: Any) -> str:
    """A column of which older files may say something else, in words; empty if there is none."""
    now = {field.field_id: field.name for field in schema.fields}
    there = {name: key for key, name in now.items()}
    for field in (field for old in table.schemas().values() for field in old.fields):
        if now.get(field.field_id, field.name) != field.name:
            return f"a column that has been called {now[field.field_id]!r} and {field.name!r}"
        if there.get(field.name, field.field_id) != field.field_id:
            return f"a column {field.name!r} beside an earlier one of that name"
    filled = [f.name for f in schema.fields if getattr(f, "initial_default", None) is not None]
    return f"a column {filled[0]!r} that is filled with a value in older files" if filled else ""


def _see_partitions(found: Table, table: Any) -> None:
    """See that partition columns are in the files too, as they are where Iceberg wrote them."""
    sources = {field.source_id for spec in table.specs().values() for field in spec.fields}
    names = [field.name for field in table.schema().fields if field.field_id in sources]
    for file, footer in zip(found.files, found.footers, strict=True):
        for name in names:
            if name not in footer.schema.names:
                raise TableError(
                    f"{file.path} lacks column {name!r}, by which {found.uri} is partitioned; "
                    "rewrite the table's files"
                )


def _place(root: str, name: str) -> str:
    """Where a file of a Delta table is; a clone names those of another by their URIs."""
    return unquote(name) if re.match(r"[a-z0-9]+:/", name) else join(root, unquote(name))


def _catalogue(uri: str) -> str:
    return uri.partition(":")[2].partition(".")[0]


def _short(kind: pa.DataType) -> pa.DataType:
    """Text and bytes as Parquet files give them."""
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(kind, kind)
