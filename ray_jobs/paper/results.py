"""Results of experiments: one JSON line each, appended as they come, and read again to go on.

A line that was cut off by a crash is no result. Of an experiment with several lines the last holds.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gtcoder.errors import OutputError
from ray_jobs.paper.experiment import Experiment

FILE = "results.jsonl"
_KEYS = {"dataset", "method", "seed", "asked_epochs"}


@dataclass(frozen=True)
class Results:
    """What is known so far, in a folder."""

    folder: Path
    epochs: int | None
    """Asked for, of every experiment in it; None for the rule's."""
    found: dict[Experiment, dict[str, Any]] = field(default_factory=dict)
    """Scores, or `error`."""

    @classmethod
    def open(cls, folder: Path, epochs: int | None) -> Self:
        """The results in a folder, which is made if it is not there.

        Raises:
            OutputError: its results were made with other epochs, or it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _mend(folder / FILE)
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error}") from error
        results = cls(folder, epochs)
        for line in _lines(folder / FILE):
            if line["asked_epochs"] != epochs:
                raise OutputError(
                    f"{folder / FILE} holds results of {_epochs(line['asked_epochs'])}, not "
                    f"{_epochs(epochs)}; choose another --out, or the same --epochs"
                )
            key = Experiment(line["dataset"], line["method"], line["seed"])
            results.found[key] = line
        return results

    def append(self, experiment: Experiment, found: Mapping[str, Any]) -> None:
        """Write down one result, whole and safe from a crash."""
        line = {
            "dataset": experiment.dataset,
            "method": experiment.method,
            "seed": experiment.seed,
            "asked_epochs": self.epochs,
            **found,
        }
        self.found[experiment] = line
        descriptor = os.open(self.folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, (json.dumps(line) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def failed(self) -> dict[Experiment, str]:
        """The experiments that failed, with what they said."""
        return {key: line["error"] for key, line in self.found.items() if "error" in line}

    def values(self, dataset: str, method: str, measure: str) -> list[float]:
        """A measure's values over the seeds that have it."""
        return [
            line[measure]
            for key, line in sorted(self.found.items())
            if (key.dataset, key.method) == (dataset, method) and measure in line
        ]

    def first(self, dataset: str, method: str, name: str) -> Any:
        """Something of the lowest seed that has it, or None."""
        for key, line in sorted(self.found.items()):
            if (key.dataset, key.method) == (dataset, method) and name in line:
                return line[name]
        return None


def _epochs(asked: int | None) -> str:
    return "the rule's epochs" if asked is None else f"{asked} epochs"


def _mend(path: Path) -> None:
    """Cut off a last line that a crash left unfinished."""
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(path, len(whole))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        missing = {name for line in lines for name in _KEYS - line.keys()}
    except (ValueError, AttributeError) as error:
        raise OutputError(f"{path} is damaged ({error}); choose another --out") from error
    if missing:
        raise OutputError(
            f"{path} has lines without {', '.join(sorted(missing))}; choose another --out"
        )
    return lines
