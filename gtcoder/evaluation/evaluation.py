"""What an evaluation found, for whoever works in Python: the verdict in words, and the figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gtcoder import notebook
from gtcoder.evaluation.report import glossary
from gtcoder.evaluation.report.files import make_way, write_report
from gtcoder.table.files import Uri

_SIDES = {"synthetic": "synthetic", "held_out": "held-out real", "independent": "independent"}


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Prints as its verdict; everything that was measured is in `report`."""

    report: Mapping[str, Any]
    """As `report.json` has it."""

    @property
    def summary(self) -> str:
        """One line: how well the rows stand in for the real ones, and why."""
        return str(self.report["summary"]["line"])

    @property
    def verdict(self) -> dict[str, str]:
        """What is said of likeness, use and leaks, each a headline and a few sentences."""
        return {v["topic"]: f"{v['headline']}. {v['text']}" for v in self.report["verdict"]}

    @property
    def figures(self) -> dict[str, dict[str, float | None]]:
        """Likeness in figures; None where it was not measured.

        Each is there of the synthetic rows, of held-out real ones (the ceiling) and of independent
        columns (the floor).

        >>> evaluation.figures["detector_auc"]["synthetic"]  # doctest: +SKIP
        """
        measured = self.report["fidelity"]
        return {key: dict(measured.get(key) or dict.fromkeys(_SIDES)) for key in glossary.FIDELITY}

    def save(self, folder: Uri, *, overwrite: bool = False) -> None:
        """Write `report.json` and `report.html`, a page to hand on.

        Args:
            folder: or URI.
            overwrite: replace a report that is there.

        Raises:
            OutputError: there is one already, or it cannot be written.
        """
        make_way(folder, overwrite=overwrite)
        write_report(self.report, folder)

    def __str__(self) -> str:
        """The summary, what a quick report leaves out, and the verdict, a line for each topic."""
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        left_out = self.report["settings"]["quick_leaves_out"]
        quick = [f"A quick report, without {left_out}."] if left_out else []
        return [self.summary, *quick, *(f"{topic}: {t}" for topic, t in self.verdict.items())]

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The verdict and the figures, for notebooks."""
        titles = {key: f"{e.title} (best {e.best})" for key, e in glossary.FIDELITY.items()}
        rows = [
            (titles[key], *(_number(sides.get(side)) for side in _SIDES))
            for key, sides in self.figures.items()
        ]
        said = "".join(map(notebook.paragraph, self._lines()))
        return said + notebook.table(("figure", *_SIDES.values()), rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
