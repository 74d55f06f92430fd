"""Encoded rows as files: Arrow IPC parts in a folder, complete once its manifest stands."""

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from gtcoder.codec.layout import Encoded, Layout, Scalar, concat, some, take
from gtcoder.errors import TableError
from gtcoder.seeds import Purpose, generator
from gtcoder.table.files import read_bytes, write_bytes
from gtcoder.training.rows.held_out import held_out

MANIFEST = "_encoded.json"


VALIDATION_ROWS = 20_000
"""About so many validation rows are kept at most, some of every part, however large the table."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of encoded training rows that is loaded at once."""

    rows: int
    load: Callable[[], Encoded]


def open_parts(folder: str, layout: Layout) -> tuple[list[Part], Encoded]:
    """The parts of training rows in a folder, the largest first, and the held-out rows.

    Raises:
        TableError: the folder has no manifest.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise TableError(f"{folder} holds no finished encoding; run the training again")
    parts = [
        Part(int(p["train"]), partial(read_part, _join(folder, p["name"], "train"), layout))
        for p in manifest["parts"]
        if p["train"]
    ]
    held = _read_held(folder, manifest, layout)
    return sorted(parts, key=lambda part: -part.rows), held


def write_part(
    folder: str, name: str, encoded: Encoded, layout: Layout, *, seed: int, fraction: float
) -> dict[str, str | int]:
    """Write one part, the held-out rows in a file of their own; its line for the manifest."""
    held = held_out(encoded, seed, fraction)
    for kind, rows in (("train", take(encoded, ~held)), ("validation", take(encoded, held))):
        if len(rows):
            write_bytes(_join(folder, name, kind), _to_ipc(rows, layout))
    return {"name": name, "train": int((~held).sum()), "validation": int(held.sum())}


def write_manifest(folder: str, parts: Sequence[dict[str, str | int]]) -> None:
    """Mark the folder complete, naming its parts."""
    text = json.dumps({"parts": sorted(parts, key=lambda part: str(part["name"]))})
    write_bytes(f"{folder}/{MANIFEST}", text.encode())


def read_manifest(folder: str) -> dict[str, list[dict[str, str | int]]] | None:
    """The manifest, or nothing where the encoding never finished."""
    try:
        manifest: dict[str, list[dict[str, str | int]]] = json.loads(
            read_bytes(f"{folder}/{MANIFEST}")
        )
    except FileNotFoundError:
        return None
    return manifest


def _read_held(
    folder: str, manifest: dict[str, list[dict[str, str | int]]], layout: Layout
) -> Encoded:
    """The held-out rows, of every part its share of about `VALIDATION_ROWS`."""
    counts = {str(p["name"]): int(p["validation"]) for p in manifest["parts"] if p["validation"]}
    share = min(1.0, VALIDATION_ROWS / max(sum(counts.values()), 1))
    rng = generator(0, Purpose.HELD_OUT)
    width = len(layout.fields)
    held = [Encoded(np.zeros((0, width), np.int16), np.zeros((0, width), np.float32))]
    for name, count in counts.items():
        rows = read_part(_join(folder, name, "validation"), layout)
        held.append(some(rows, math.ceil(share * count), rng))
    return concat(held)


def read_part(path: str, layout: Layout) -> Encoded:
    """One file that `write_part` wrote."""
    table = pa.ipc.open_file(pa.BufferReader(read_bytes(path))).read_all().combine_chunks()
    width = len(layout.fields)
    codes = table["codes"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    scalars = np.zeros(codes.shape, np.float32)
    with_scalar = _scalar_fields(layout)
    if with_scalar:
        flat = table["scalars"].combine_chunks().flatten().to_numpy()
        scalars[:, with_scalar] = flat.reshape(-1, len(with_scalar))
    return Encoded(codes, scalars)


def _to_ipc(rows: Encoded, layout: Layout) -> bytes:
    columns = {"codes": _fixed_lists(rows.codes)}
    with_scalar = _scalar_fields(layout)
    if with_scalar:
        columns["scalars"] = _fixed_lists(rows.scalars[:, with_scalar])
    table = pa.table(columns)
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _fixed_lists(matrix: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _scalar_fields(layout: Layout) -> list[int]:
    return [k for k, f in enumerate(layout.fields) if f.scalar is not Scalar.NONE]


def _join(folder: str, name: object, kind: str) -> str:
    return f"{folder}/{PurePosixPath(str(name)).name}.{kind}.arrow"
