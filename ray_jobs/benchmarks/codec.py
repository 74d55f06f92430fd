"""How long the codec takes for tables of several sizes, and in how much memory."""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gtcoder.codec.codec import Codec
from gtcoder.progress import Reporter, peak_bytes
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.locate import locate

_GROUP_ROWS = 250_000


def benchmark_codec(sizes: Sequence[int], reporter: Reporter) -> None:
    """Seconds and memory of sketching, fitting and encoding tables of several sizes."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            _write_mixed(path, rows)
            with spawn.Pool(1) as process:  # a process of its own, for a peak of its own
                cost = process.apply(_codec_cost, (str(path),))
            path.unlink()
            total = cost.sketch_s + cost.encode_s
            reporter.result(
                f"{rows:>12,} rows  sketch {cost.sketch_s:6.1f} s  fit {cost.fit_s:4.1f} s  "
                f"encode {cost.encode_s:6.1f} s  {rows / total:>9,.0f} rows/s  "
                f"peak memory {cost.peak_bytes / 1e6:,.0f} MB"
            )


@dataclass(frozen=True, slots=True)
class CodecCost:
    """What the codec took for one table."""

    sketch_s: float
    fit_s: float
    encode_s: float
    peak_bytes: int


def _codec_cost(path: str) -> CodecCost:
    table = locate(path)
    laps = [time.perf_counter()]
    sketch: TableSketch | None = None
    for batch in table.batches():
        partial = TableSketch.of(batch)
        sketch = partial if sketch is None else sketch.merge(partial)
    assert sketch is not None
    laps.append(time.perf_counter())
    codec = Codec.fit(Schema.infer(table.schema, sketch), sketch)
    laps.append(time.perf_counter())
    for batch in table.batches():
        codec.encode(batch)
    laps.append(time.perf_counter())
    sketch_s, fit_s, encode_s = np.diff(laps).tolist()
    return CodecCost(sketch_s, fit_s, encode_s, peak_bytes())


def _write_mixed(path: Path, rows: int) -> None:
    """A table of fifteen columns of most kinds, written group by group."""
    first = _mixed(0, 1)
    with pq.ParquetWriter(path, first.schema) as writer:
        for start in range(0, rows, _GROUP_ROWS):
            writer.write_table(_mixed(start, min(_GROUP_ROWS, rows - start)))


def _mixed(start: int, rows: int) -> pa.Table:
    rng = np.random.default_rng([7, start])
    moment = rng.integers(1_300_000_000, 1_700_000_000, rows)
    columns: dict[str, pa.Array] = {
        "id": pa.array(np.arange(start, start + rows)),
        "age": pa.array(rng.integers(17, 91, rows).astype(np.int8)),
        "amount": pa.array(rng.lognormal(3, 2, rows).round(2), mask=rng.random(rows) < 0.05),
        "balance": pa.array(rng.normal(0, 1e6, rows)),
        "rate": pa.array(rng.random(rows).astype(np.float32)),
        "visits": pa.array(rng.poisson(4, rows).astype(np.int32), mask=rng.random(rows) < 0.2),
        "flag": pa.array(rng.random(rows) < 0.3),
        "day": pa.array((moment // 86_400).astype(np.int32), pa.date32()),
        "at": pa.array(moment, pa.timestamp("s", "UTC")),
    }
    for name, distinct in (("state", 5), ("city", 300), ("shop", 20_000), ("plate", 500_000)):
        drawn = np.minimum(rng.zipf(1.3, rows), distinct)
        columns[name] = pa.array(np.char.add(name, drawn.astype(str)))
    columns["gap"] = pa.array(rng.exponential(500, rows).astype(np.int64), pa.duration("s"))
    columns["kind"] = pa.array(rng.choice(["a", "b", "c"], rows)).dictionary_encode()
    return pa.table(columns)
