"""The two passes over a table, by Ray Data: sketches merged here, then encoded parts on storage.

A task takes whole pieces of the table (row groups). What it encodes is complete once a marker
stands beside it, so a pass that was interrupted goes on where it stopped.
"""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from gtcoder.codec.codec import Codec
from gtcoder.codec.layout import Encoded, concat
from gtcoder.errors import OutputError, TableError, UnreachableError
from gtcoder.progress import Stage
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.files import join, read_bytes, write_bytes
from gtcoder.table.table import Piece, Table
from gtcoder.training.rows.parts import write_manifest, write_part
from ray_jobs.cluster.answers import answered, opened
from ray_jobs.cluster.connection import data_context
from ray_jobs.training.run_folder import CODEC, SCHEMA, save_json

PART_ROWS = 500_000
"""At most about so many rows are in one encoded part."""
_TASKS_PER_CPU = 8
"""A pass is cut in so many tasks a CPU, if it has as many pieces."""


def sketch_table(
    table: Table, columns: Sequence[str], cpus: int, stage: Stage, *, skip_bad_files: bool = False
) -> tuple[TableSketch, Table]:
    """The sketch of all rows, and the table that was sketched; memory here does not grow with it.

    A file that turns out to be damaged within is left out if that is wanted. Rows cannot be taken
    out of a sketch, so what is left of the table is then sketched anew.
    """
    merged: TableSketch | None = None
    bad: dict[str, str] = {}
    arguments = {"columns": list(columns), "skip": skip_bad_files}
    for result in _over_pieces(_sketch, table, cpus, stage, **arguments):
        partial, found = pickle.loads(result)
        bad |= found
        if partial is not None and not bad:
            merged = partial if merged is None else merged.merge(partial)
    if bad:
        rest = table.without(bad)
        return sketch_table(rest, columns, cpus, stage, skip_bad_files=skip_bad_files)
    assert merged is not None, "a table has rows"
    return merged, table


def encode_table(
    table: Table, run: str, folder: str, *, seed: int, fraction: float, cpus: int, stage: Stage
) -> None:
    """Encode all rows into a folder with the codec saved in the run's.

    Raises:
        OutputError: a task's machine does not see the run's folder.
    """
    arguments = {"run": run, "folder": folder, "seed": seed, "fraction": fraction}
    results = _over_pieces(_encode, table, cpus, stage, **arguments)
    parts = [part for result in results for part in json.loads(result)]
    write_manifest(folder, parts)


def save_codec(run: str, codec: Codec) -> None:
    """Keep a codec where the tasks and workers of a run find it."""
    save_json(run, SCHEMA, codec.schema.to_dict())
    save_json(run, CODEC, codec.to_dict())


def load_codec(run: str) -> Codec:
    """The codec of a run.

    Raises:
        FileNotFoundError: it has none, or this machine does not see it.
    """
    schema = Schema.from_dict(json.loads(read_bytes(join(run, SCHEMA))))
    return Codec.from_dict(json.loads(read_bytes(join(run, CODEC))), schema)


def _over_pieces(
    work: Callable[..., bytes], table: Table, cpus: int, stage: Stage, **arguments: Any
) -> Iterator[bytes]:
    """Run `work(table, pieces, ...)` over runs of the table's pieces; answers in their order."""
    import ray.data

    pieces = table.pieces()
    tasks = min(len(pieces), max(1, cpus) * _TASKS_PER_CPU)
    bounds = [len(pieces) * i // tasks for i in range(tasks + 1)]
    with ray.data.DataContext.current(data_context()):
        runs = ray.data.from_items(
            [{"start": a, "stop": b} for a, b in pairwise(bounds)], override_num_blocks=tasks
        )
        answers = runs.map_batches(
            _run,
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"work": work, "table": table, "arguments": arguments},
        )
        done = 0
        for row in answers.iter_rows():
            done += row["rows"]
            stage.rows(done, table.rows)
            yield opened(row, stage)


def _run(
    batch: pa.Table, *, work: Callable[..., bytes], table: Table, arguments: dict[str, Any]
) -> pa.Table:
    """One task. What the library finds wrong is an answer too: Ray would wrap it in tracebacks."""
    pieces = [
        piece for run in batch.to_pylist() for piece in table.pieces()[run["start"] : run["stop"]]
    ]
    rows = sum(piece.rows for piece in pieces)
    return answered(lambda: work(table, pieces, **arguments), rows=rows)


def _sketch(table: Table, pieces: Sequence[Piece], columns: Sequence[str], skip: bool) -> bytes:
    """The sketch of some pieces, pickled, with the files in them that are bad: path to why."""
    merged: TableSketch | None = None
    bad: dict[str, str] = {}
    for part in (part for piece in pieces for part in piece.slices):
        try:
            for batch in table.batches(columns, piece=Piece(0, (part,), 0)):
                sketch = TableSketch.of(batch)
                merged = sketch if merged is None else merged.merge(sketch)
        except TableError as error:
            if not skip or isinstance(error, UnreachableError):  # it was there a moment ago
                raise
            bad[table.files[part.file].path] = str(error)
    return pickle.dumps((merged, bad))


def _encode(
    table: Table, pieces: Sequence[Piece], run: str, folder: str, seed: int, fraction: float
) -> bytes:
    try:
        codec = load_codec(run)
    except FileNotFoundError as error:
        raise OutputError(
            f"a machine of the cluster does not see {run}; give --storage a place that all "
            "machines share, such as s3://"
        ) from error
    written = []
    for piece in pieces:
        marker = join(folder, f"piece-{piece.index:06d}.json")
        try:
            parts = json.loads(read_bytes(marker))
        except FileNotFoundError:
            parts = [
                write_part(
                    folder,
                    f"{piece.index:06d}-{number:03d}",
                    encoded,
                    codec.layout,
                    seed=seed,
                    fraction=fraction,
                )
                for number, encoded in enumerate(_encoded(table, piece, codec))
            ]
            write_bytes(marker, json.dumps(parts).encode())
        written += parts
    return json.dumps(written).encode()


def _encoded(table: Table, piece: Piece, codec: Codec) -> Iterator[Encoded]:
    """A piece's rows, encoded, in runs of about `PART_ROWS`."""
    pending: list[Encoded] = []
    for batch in table.batches(codec.schema.names, piece=piece):
        pending.append(codec.encode(batch))
        if sum(map(len, pending)) >= PART_ROWS:
            yield concat(pending)
            pending = []
    if pending:
        yield concat(pending)
