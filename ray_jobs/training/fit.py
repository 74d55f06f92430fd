"""Ray Train around the library's training loop: workers, checkpoints on storage, progress."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pyarrow.fs import FSSpecHandler, PyFileSystem

from gtcoder.config import Config
from gtcoder.errors import GTCoderError
from gtcoder.progress import Stage
from gtcoder.table.files import is_local, resolve
from ray_jobs.cluster.workers import Workers
from ray_jobs.training.worker import Board, Outcome, Task, train_worker

_CHECKPOINTS = "checkpoints"
_FAILURES = 8
"""So often workers may be lost, and start again from the last checkpoint."""
_STARTS = 60
"""So often, a minute each, may what the workers need be taken by others before they start."""
_ANSWER_S = 5.0
RESIZE_S = 30.0
"""So often is seen whether there is room for more workers."""


def fit(
    run: str,
    encoded: str,
    config: Config,
    workers: Workers,
    *,
    start: str | None = None,
    rows: int,
    seed: int,
    max_time_s: float | None,
    stage: Stage,
) -> Outcome:
    """Train on the encoded rows, from the last checkpoint in the run's folder if there is one.

    A run that has none yet starts with the weights of the bundle at `start`, if that is given; in
    the end they count beside the table's `rows`.

    Raises:
        GTCoderError: workers failed again and again.
    """
    import ray.train

    from ray_jobs.training.growth import GrowingTrainer

    filesystem, path = resolve(run)
    board = new_board()
    task = Task(
        run=run,
        encoded=encoded,
        config=config.to_dict(),
        start=start,
        rows=rows,
        seed=seed,
        max_time_s=max_time_s,
        board=board,
    )
    trainer = GrowingTrainer(
        train_worker,
        train_loop_config={"task": task},
        scaling_config=ray.train.ScalingConfig(
            num_workers=(
                (workers.least, workers.count) if workers.least < workers.count else workers.count
            ),
            use_gpu=bool(workers.gpus),
            resources_per_worker=workers.resources,
            elastic_resize_monitor_interval_s=RESIZE_S,
        ),
        run_config=ray.train.RunConfig(
            name=_CHECKPOINTS,
            storage_path=path,
            storage_filesystem=None if is_local(run) else PyFileSystem(FSSpecHandler(filesystem)),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
            failure_config=ray.train.FailureConfig(
                max_failures=_FAILURES, controller_failure_limit=_STARTS
            ),
        ),
    )
    with _shown(board, stage):
        outcome: Outcome = _fitted(trainer).return_value
    stage.saw_memory(outcome.peak_bytes)
    return outcome


def new_board() -> Any:
    """The actor that keeps a training's progress: on this machine, or anew on another after it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    return ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Board).remote()


def _fitted(trainer: Any) -> Any:
    """The result of a fit; what the library found wrong in a worker comes out as it was.

    Only what a lost machine or a busy cluster did is worth the same command again.
    """
    import ray.exceptions
    import ray.train

    try:
        return trainer.fit()
    except ray.train.TrainingFailedError as error:
        causes = [*getattr(error, "worker_failures", {}).values(), error]
        for cause in causes:
            if isinstance(cause, GTCoderError):
                raise cause from error
        first = causes[0]
        said = str(first).strip().splitlines()
        line = (
            f"training failed: {type(first).__name__}: {said[-1].strip() if said else 'no reason'}"
        )
        if isinstance(first, ray.exceptions.RayError | ray.train.ControllerError):
            line += "; the same command with --resume goes on from the last checkpoint"
        raise GTCoderError(line) from error


@contextmanager
def _shown(board: Any, stage: Stage) -> Iterator[None]:
    """Show a training's progress until it ends, also after the board was lost and began anew."""
    import ray
    from ray.exceptions import RayError

    ended = threading.Event()

    def poll() -> None:
        last, came = None, time.monotonic()
        while not ended.wait(0.5):
            progress = None
            with suppress(RayError):
                progress = ray.get(board.last.remote(), timeout=_ANSWER_S)
            if progress is None:
                continue
            if progress != last:
                last, came = progress, time.monotonic()
            left = progress.left_s
            if left is not None:  # it goes on while nothing new is told
                left = max(left - (time.monotonic() - came), 0.0)
            stage.update(progress.share, str(progress), left, at_most=True)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
