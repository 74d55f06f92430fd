"""What each worker of a training does: the library's loop, its checkpoints kept by Ray Train."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gtcoder.bundle import Bundle
from gtcoder.config import Config
from gtcoder.explain import explain_training
from gtcoder.learned import Learned
from gtcoder.likelihood import Familiarity
from gtcoder.progress import peak_bytes
from gtcoder.training.loop import train
from gtcoder.training.options import Progress, RunOptions
from gtcoder.training.rows.encoded import EncodedRows
from ray_jobs.sources.encoding import load_codec

_STATE = "state.safetensors"
_REPORT_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What the workers are told."""

    run: str
    """The run's folder, which has the codec."""
    encoded: str
    """The folder of the encoded rows."""
    config: Mapping[str, Any]
    start: str | None
    """The bundle whose weights are the first, if there is one."""
    rows: int
    """Of the whole table, which count beside those that bundle has learned."""
    seed: int
    max_time_s: float | None
    board: Any
    """Handle of the actor that keeps the last `Progress`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the first worker brings back."""

    bundle: Bundle
    familiarity: Familiarity
    trained_rows: int
    """Over all epochs and workers."""
    train_s: float
    stopped: str
    peak_bytes: int


class Board:
    """Keeps the last progress of a training for whoever wants to show it."""

    def __init__(self) -> None:
        self._last: Progress | None = None

    def put(self, progress: Progress) -> None:
        """Keep it."""
        self._last = progress

    def last(self) -> Progress | None:
        """The last one, or nothing yet."""
        return self._last


class RayCheckpoints:
    """The loop's checkpoints, reported to Ray Train, which keeps them on the run's storage."""

    def load(self) -> bytes | None:
        """The last state, or nothing on a fresh start."""
        import ray.train

        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return None
        with checkpoint.as_directory() as folder:
            return (Path(folder) / _STATE).read_bytes()

    def save(self, state: bytes | None) -> None:
        """Report a state, which is uploaded while training goes on.

        It is a barrier: every worker calls it equally often.
        """
        import ray.train
        from ray.train import CheckpointUploadMode

        if state is None:
            ray.train.report({})
            return
        folder = Path(tempfile.mkdtemp())  # Ray removes it once it is kept
        (folder / _STATE).write_bytes(state)
        ray.train.report(
            {"bytes": len(state)},
            checkpoint=ray.train.Checkpoint.from_directory(folder),
            checkpoint_upload_mode=CheckpointUploadMode.ASYNC,
        )


def train_worker(told: Mapping[str, Task]) -> Outcome | None:
    """Train on this worker's share of the rows; the outcome on the first worker."""
    import ray.train
    import ray.train.torch

    task = told["task"]
    codec, config = load_codec(task.run), Config.from_dict(task.config)
    rows = EncodedRows.open(task.encoded, codec.layout)
    options = RunOptions(
        seed=task.seed,
        device=ray.train.torch.get_device(),
        max_time_s=task.max_time_s,
        progress=_Throttled(task.board),
    )
    start = None
    if task.start is not None:
        start = Learned(Bundle.load(task.start)).start(task.rows, task.seed)
    checkpoints = RayCheckpoints()
    trained = train(
        codec.layout, rows, config, options=options, checkpoints=checkpoints, start=start
    )
    if ray.train.get_context().get_world_rank():
        return None
    return Outcome(
        bundle=Bundle.of(
            trained.model,
            codec,
            config,
            explanation=explain_training(
                trained.model, codec.layout, rows, seed=task.seed, most=trained.looked_at
            ),
            history=trained.history,
            info={},
        ),
        familiarity=Familiarity.of(trained.model, rows),
        trained_rows=trained.rows,
        train_s=trained.elapsed_s,
        stopped=trained.stopped,
        peak_bytes=peak_bytes(),
    )


class _Throttled:
    """Sends progress to the board, not more often than it can be seen."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._sent = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        told = progress.validation_loss is not None or progress.doing
        if told or now - self._sent >= _REPORT_SECONDS:
            self._sent = now
            self._board.put.remote(progress)
