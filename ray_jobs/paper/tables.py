"""The paper's Tables 1 to 3 as Markdown and CSV, the paper's printed figures beside ours."""

import csv
import io
from collections.abc import Callable, Sequence

import numpy as np

from gtcoder.paper.datasets import DATASETS
from gtcoder.paper.simulated import SIMULATED
from gtcoder.table.files import write_bytes
from ray_jobs.paper.methods import ABLATIONS, OURS, TITLES
from ray_jobs.paper.printed import TABLE_3, table_1, table_2
from ray_jobs.paper.results import Results

Rows = list[list[str]]
"""A table's lines of cells, its header first."""

NONE = "–"
"""What was not measured, or the paper does not print."""


def write_tables(results: Results) -> None:
    """Write `table_1.csv` to `table_3.csv`, and all of them in `tables.md`."""
    parts = ["All methods of a data set: the same passes over the rows, the same batch.\n"]
    makers: Sequence[tuple[str, Callable[[Results], tuple[str, Rows]]]] = (
        ("table_1", _table_1),
        ("table_2", _table_2),
        ("table_3", _table_3),
    )
    for name, make in makers:
        said, rows = make(results)
        if len(rows) > 1:
            write_bytes(results.folder / f"{name}.csv", _csv(rows))
            parts.append(f"## {name.replace('_', ' ').capitalize()}\n\n{said}\n\n{_markdown(rows)}")
    failed = results.failed()
    if failed:
        lines = [f"- {k.dataset}, {k.method}, seed {k.seed}: {e}" for k, e in failed.items()]
        parts.append("## Failed\n\n" + "\n".join(lines) + "\n")
    write_bytes(results.folder / "tables.md", "\n".join(parts).encode())


def _table_1(results: Results) -> tuple[str, Rows]:
    """A line for every data set and method."""
    rows = [["data set", "method", "macro F1", "weighted F1", "r²", "paper", "epochs", "seeds"]]
    for dataset, spec in DATASETS.items():
        title = spec.title + (" (sample)" if _sampled(results, dataset) else "")
        measures = ("r2",) if spec.regression else ("f1_macro", "f1_weighted")
        for method, named in TITLES.items():
            found = {m: results.values(dataset, method, m) for m in measures}
            if not found[measures[0]]:
                continue
            cells = [_mean(found.get(m, [])) for m in ("f1_macro", "f1_weighted", "r2")]
            printed = table_1(method, dataset)
            seeds = str(len(found[measures[0]]))
            epochs = str(results.first(dataset, method, "epochs") or NONE)
            rows.append([title, named, *cells, _printed(printed), epochs, seeds])
    said = (
        "Models trained on synthetic rows, tested on real ones (80/20 split): mean ± deviation "
        "over seeds of the mean over decision tree, random forest and AdaBoost (F1), or Ridge, "
        "linear and gradient boosting (r²). Paper: as printed, macro / weighted F1 or r²; its "
        "figures for Pregnancy stand beside maternal health risk, which replaces that private "
        "table and compares with no figure of it."
    )
    return said, rows


def _table_2(results: Results) -> tuple[str, Rows]:
    header = ["mixture", "method", "L_syn", "L_test", "true"]
    rows = [[*header, "L_syn off by", "L_test off by", "paper L_syn / L_test", "seeds"]]
    for mixture in SIMULATED:
        for method, named in TITLES.items():
            syn, test, true = (
                np.array(results.values(mixture, method, m)) for m in ("l_syn", "l_test", "l_true")
            )
            if len(syn):
                means = [_mean(each) for each in (syn, test, true)]
                off = [_mean(np.abs(each - true)) for each in (syn, test)]
                printed = _printed(table_2(method, mixture))
                rows.append([mixture, named, *means, *off, printed, str(len(syn))])
    said = (
        "L_syn: mean log density of synthetic rows under the true mixture; L_test: of real test "
        "rows under a mixture refitted to the synthetic ones; true: of the test rows under the "
        "true mixture. A higher L_syn only means a narrower generator: what counts is how far "
        "each is off the true value."
    )
    return said, rows


def _table_3(results: Results) -> tuple[str, Rows]:
    header = ["data set", "preset", "CL", "prior", "TFT", "macro F1", "weighted F1"]
    rows = [[*header, "paper", "seeds"]]
    for dataset, printed in TABLE_3.items():
        for ours, preset in OURS.items():
            for ablation, figures in zip(ABLATIONS, printed, strict=True):
                method = ablation.of(ours)
                f1 = [results.values(dataset, method, m) for m in ("f1_macro", "f1_weighted")]
                if not f1[0]:
                    continue
                parts = (ablation.contrastive, ablation.prior, ablation.fusion)
                marks = ["✓" if there else NONE for there in parts]
                cells = [_mean(each) for each in f1]
                title = DATASETS[dataset].title
                rows.append([title, preset, *marks, *cells, _printed(figures), str(len(f1[0]))])
    said = (
        "CL: contrastive loss, prior: Eq. 8's mixture, TFT: the fusion transformer. The paper's "
        "figures beside maternal health risk are Pregnancy's."
    )
    return said, rows


def _sampled(results: Results, dataset: str) -> bool:
    """Whether any of the results came from fewer rows than were published."""
    return any(
        line.get("rows_whole", DATASETS[dataset].rows) < DATASETS[dataset].rows
        for key, line in results.found.items()
        if key.dataset == dataset
    )


def _mean(values: Sequence[float] | np.ndarray) -> str:
    if not len(values):
        return NONE
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def _printed(figures: Sequence[float] | None) -> str:
    """The paper's figures with its own decimals: two, or three where it has them."""
    if not figures:
        return NONE
    decimals = 2 if all(round(value, 2) == value for value in figures) else 3
    return " / ".join(f"{value:.{decimals}f}" for value in figures)


def _markdown(rows: Rows) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def _csv(rows: Rows) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
