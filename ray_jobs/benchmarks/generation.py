"""How fast generation is, beside what it could be at best."""

import io
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import torch

from gtcoder.bundle import Bundle
from gtcoder.progress import Reporter
from gtcoder.sampling.folded import TILE_ROWS
from gtcoder.sampling.sample import Sampler
from ray_jobs.generate import GenerateRequest, run_generation

_PROBE_ROWS = 1 << 15


def benchmark_generate(
    bundle: str, rows: int, num_workers: int | None, address: str | None, reporter: Reporter
) -> None:
    """Rows a second of each step of one process, then of the whole job at two sizes.

    The floor is what the decoder's matrix products, and the ReLUs between them, take alone.
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


def _products(sampler: Sampler) -> None:
    """The matrix products that drawing `_PROBE_ROWS` rows cannot do without."""
    folded, tile = sampler.drawer.folded, TILE_ROWS
    decoder, z = folded.decoder, torch.randn(TILE_ROWS, folded.mixture.means.shape[1])
    with torch.inference_mode():
        for _ in range(0, _PROBE_ROWS, tile):
            state = decoder.expand(z)
            for s, (weight, bias) in enumerate(folded.heads):
                torch.addmm(bias, decoder.seen_of(s, state), weight)


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
