"""The training job: a table of files, wherever it is, learned on a cluster."""

import dataclasses
import runpy
import sys
from contextlib import ExitStack

from gtcoder.bundle import Bundle
from gtcoder.progress import Reporter, counted
from gtcoder.revisions import check_target
from ray_jobs.cluster.cluster import Cluster
from ray_jobs.cluster.connection import connected
from ray_jobs.cluster.waiting import wait_for
from ray_jobs.owner import owned
from ray_jobs.sources.find import find, needs_cluster
from ray_jobs.sources.source import tell
from ray_jobs.stopping import leaving
from ray_jobs.training.learn import TrainOptions, learn
from ray_jobs.training.run_folder import clear, is_begun, prepare, run_folder
from ray_jobs.training.worker import Outcome

_GOES_ON = "the same command with --resume goes on where it stopped"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainRequest(TrainOptions):
    """What the user asked for."""

    table: str
    out: str
    address: str | None = None
    storage: str | None = None
    resume: bool = False
    overwrite: bool = False


def run_training(request: TrainRequest, reporter: Reporter) -> None:
    """Train and write the bundle.

    Raises:
        GTCoderError: what the user can mend, in one line.
    """
    run = run_folder(request.out, request.storage)
    with (
        owned(run, "training", reporter) as hold,
        ExitStack() as stack,
        leaving(lambda: "" if hold.lost else _left(run)),
    ):
        check_target(request.out, overwrite=request.overwrite)

        def start() -> Cluster:
            with reporter.stage("start"):
                cluster = stack.enter_context(connected(request.address, goes_on=_GOES_ON))
                if request.use_gpu and cluster.local:  # elsewhere once the rows are encoded
                    wait_for(cluster, {"GPU": 1}, reporter)
                return wait_for(cluster, {"CPU": 1}, reporter, wait_s=request.wait_s)

        cluster = start() if needs_cluster(request.table, request.address) else None
        source = find(request.table, request, cluster)
        request.check(source)
        resumed = prepare(
            run, request.identity(source), resume=request.resume, overwrite=request.overwrite
        )
        cluster = cluster or start()
        tell(source, reporter)
        bundle, outcome = learn(
            source.on(cluster), request, run, resumed=resumed, cluster=cluster, reporter=reporter
        )
        stack.close()
        bundle.save(request.out, overwrite=request.overwrite)
        clear(run)
    reporter.result(_closing_line(request, bundle, outcome, reporter))


def _left(run: str) -> str:
    """What a stop leaves behind."""
    if not is_begun(run):
        return "nothing is kept, the same command begins anew"
    return f"{run} keeps the table's rows, encoded (real data), and what was learned; {_GOES_ON}"


def _closing_line(
    request: TrainRequest, bundle: Bundle, outcome: Outcome, reporter: Reporter
) -> str:
    speed = outcome.trained_rows / max(outcome.train_s, 1e-3)
    bad = bundle.info.get("skipped_files", 0)
    skipped = counted(bad, "bad file") + " skipped; " if bad else ""
    return (
        f"{bundle.info['rows']:,} rows learned at {speed:,.0f} rows/s (ended by "
        f"{outcome.stopped}); {skipped}{reporter.stages()}; peak memory "
        f"{reporter.peak_bytes / 1e6:,.0f} MB; bundle {request.out}"
    )


if __name__ == "__main__":  # python -m ray_jobs.train is gtcoder train
    sys.argv[:1] = ["gtcoder", "train"]
    runpy.run_module("ray_jobs.cli", run_name="__main__")
