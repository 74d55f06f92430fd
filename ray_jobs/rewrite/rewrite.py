"""The job behind `gtcoder complete` and `gtcoder score`.

Each piece of the table becomes a file, whole or not at all, that says in its footer what it is; so
the same command goes on where it was stopped, to the same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from gtcoder.bundle import Bundle
from gtcoder.progress import Reporter, counted, peak_bytes
from gtcoder.table.files import absolute
from ray_jobs.owner import owned
from ray_jobs.rewrite.request import RewriteRequest
from ray_jobs.rewrite.rewriting import Rewriting, file_name
from ray_jobs.rewrite.worker import write
from ray_jobs.rewrite.written import Written
from ray_jobs.sources.find import files_of
from ray_jobs.sources.located import LocatedTable
from ray_jobs.sources.source import tell, tell_skipped
from ray_jobs.stopping import GOES_ON, leaving


def run_rewrite(request: RewriteRequest, reporter: Reporter) -> None:
    """Complete or score the rows of a table.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    bundle = Bundle.load(request.bundle, request.checksum)
    with files_of(request.table, request, request.address, reporter, goes_on=GOES_ON) as source:
        tell(source, reporter)
        tell_skipped(source, reporter)
        request.fits(bundle, source)
        job = Rewriting(
            bundle=absolute(request.bundle),
            checksum=bundle.checksum,
            table=source.fingerprint,
            folder=absolute(request.out),
            score=request.score,
            columns=tuple(request.columns(source)),
            whole=tuple(request.whole),
            seed=request.seed,
            draws=request.draws,
        )
        before, now = _write_folder(request, job, source, reporter)
    _say(request, before, now, reporter)


def _write_folder(
    request: RewriteRequest, job: Rewriting, source: LocatedTable, reporter: Reporter
) -> tuple[Written, Written]:
    """Write the files that are not there yet; what was written before, and what now."""
    pieces = {file_name(piece): piece for piece in source.table.pieces()}
    place = job.place(list(pieces))
    with (
        owned(job.folder, request.done, reporter) as hold,
        leaving(lambda: "" if hold.lost else f"{place.progress}; {GOES_ON}"),
    ):
        there = place.claim(job.before, overwrite=request.overwrite)
        todo = [piece for name, piece in pieces.items() if name not in there]
        before, now = Written.joined(list(there.values())), Written()
        if there:
            reporter.note(f"{len(there):,} of {len(pieces):,} files are there already")
        if todo:
            with reporter.stage(request.done) as stage, _one_core_each():
                now = source.each_piece(todo, partial(write, job=job), Written.joined, stage)
        place.tidy()  # after machines that were lost meanwhile
        if todo:
            place.see_whole()
        place.finish(Written.joined([before, now]).told(scores=request.score))
    return before, now


@contextmanager
def _one_core_each() -> Iterator[None]:
    """Let torch use one thread for each piece: pieces are what is worked on side by side here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _say(request: RewriteRequest, before: Written, now: Written, reporter: Reporter) -> None:
    whole, seconds = Written.joined([before, now]), reporter.seconds.get(request.done, 0.0)
    for _, line in whole.least:
        reporter.result(line)
    if whole.broken:
        reporter.warn(
            f"in {whole.broken:,} rows a cell was drawn that does not go with those there by a rule"
        )
    told = "" if request.score else f", {whole.filled:,} cells drawn"
    reporter.result(
        f"{whole.rows:,} rows {request.done}{told}, in {counted(len(whole.files), 'file')}, "
        f"{now.rows:,} of them written now"
        + (f" at {now.rows / seconds:,.0f} rows/s; {reporter.stages()}" if seconds else "")
        + f"; peak memory {max(reporter.peak_bytes, peak_bytes()) / 1e6:,.0f} MB; {request.out}"
    )
