"""How fast generation and the codec are, beside what they could be at best."""

import io
import multiprocessing
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from gtcoder.bundle import Bundle
from gtcoder.codec.codec import Codec
from gtcoder.progress import Reporter, peak_bytes
from gtcoder.sampling.draw import TILE_ROWS
from gtcoder.sampling.sample import Sampler
from gtcoder.schema.schema import Schema
from gtcoder.sketch.table import TableSketch
from gtcoder.table.locate import locate
from ray_jobs.generate import GenerateRequest, run_generation

_PROBE_ROWS = 1 << 15
_GROUP_ROWS = 250_000


def benchmark_generate(
    bundle: str, rows: int, num_workers: int | None, address: str | None, reporter: Reporter
) -> None:
    """Rows a second of each step of one process, then of the whole job at two sizes.

    The floor is what the decoder's matrix products alone take.
    """
    loaded = Bundle.load(bundle)
    sampler = Sampler(loaded.model(), loaded.codec)
    reporter.result(f"one thread, {_PROBE_ROWS:,} rows:")
    steps: list[tuple[str, Callable[[], object]]] = [
        ("floor: the decoder's matrix products alone", lambda: _products(sampler)),
        ("rows as an Arrow table", lambda: sampler.rows(0, 0, _PROBE_ROWS)),
    ]
    for name, step in steps:
        reporter.result(f"  {_PROBE_ROWS / _fastest(step):>12,.0f} rows/s  {name}")
    for count in (max(1, rows // 10), rows):
        with tempfile.TemporaryDirectory() as folder:
            inner = Reporter(quiet=True)
            started = time.perf_counter()
            request = GenerateRequest(
                bundle=bundle,
                rows=count,
                out=str(Path(folder) / "rows"),
                num_workers=num_workers,
                address=address,
            )
            with redirect_stdout(io.StringIO()):
                run_generation(request, inner)
            seconds = time.perf_counter() - started
        reporter.result(
            f"  {count / inner.seconds['generate']:>12,.0f} rows/s  the job, {count:,} rows to "
            f"Parquet ({seconds:.1f} s with Ray's start); peak memory of a process "
            f"{inner.peak_bytes / 1e6:,.0f} MB"
        )


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


def _products(sampler: Sampler) -> None:
    """The matrix products that drawing `_PROBE_ROWS` rows cannot do without."""
    decoder, tile = sampler.drawer.decoder, TILE_ROWS
    z = torch.randn(tile, sampler.drawer.latent)
    with torch.inference_mode():
        for _ in range(0, _PROBE_ROWS, tile):
            state = decoder.expand(z)
            for weight, bias in sampler.drawer.heads:
                torch.addmm(bias, state, weight)


def _fastest(step: Callable[[], object]) -> float:
    """Seconds of the fastest of a few runs on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return min(times)


if __name__ == "__main__":  # python -m ray_jobs.benchmark is gtcoder benchmark
    sys.argv[:1] = ["gtcoder", "benchmark"]
    runpy.run_module("ray_jobs.cli", run_name="__main__")
