"""The paper's Figures 3 to 6 as PNG, drawn from the results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gtcoder.errors import GTCoderError
from gtcoder.explain import Explanation, heat_map
from gtcoder.figure import png_of
from gtcoder.paper.datasets import DATASETS
from gtcoder.table.files import write_bytes
from ray_jobs.paper.experiment import PICTURED
from ray_jobs.paper.methods import TITLES
from ray_jobs.paper.results import Results

COLUMNS_PICTURED = 12
"""Of a data set in Figure 6, the first ones."""
_REAL, _OURS, _TVAE = "#4c566a", "#c0392b", "#2e86c1"


def write_figures(results: Results) -> None:
    """Write those figures that there are results for.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    _figure_3(results)
    _figure_4(results)
    _figure_5(results)
    for dataset in PICTURED:
        _figure_6(results, dataset)


def _figure_3(results: Results) -> None:
    """Bars of every method on each data set."""
    shown = [d for d in DATASETS if _scores(results, d)]
    if not shown:
        return
    figure = _figure(3.2 * min(len(shown), 4) + 0.5, 3.4 * -(-len(shown) // 4))
    grid = figure.subplots(-(-len(shown) // 4), min(len(shown), 4), squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, dataset in zip(grid.flat, shown, strict=False):
        _bars(axes, _scores(results, dataset))
        axes.set_title(DATASETS[dataset].title, fontsize=10)
    _legend(figure, grid[0, 0])
    _save(figure, results.folder / "figure_3.png")


def _figure_5(results: Results) -> None:
    """Bars of every method, the mean over the data sets that all shown methods have."""
    by_dataset = [s for d in DATASETS if not DATASETS[d].regression and (s := _scores(results, d))]
    common = set.intersection(*(set(scores) for scores in by_dataset)) if by_dataset else set()
    if not common:
        return
    means = {
        method: {
            m: (float(np.mean([s[method][m][0] for s in by_dataset])), 0.0)
            for m in ("f1_macro", "f1_weighted")
        }
        for method in TITLES
        if method in common
    }
    figure = _figure(6.5, 4)
    axes = figure.subplots()
    _bars(axes, means)
    axes.set_title(f"Mean over {len(by_dataset)} data sets", fontsize=10)
    _legend(figure, axes)
    _save(figure, results.folder / "figure_5.png")


def _figure_4(results: Results) -> None:
    """What attends to what on Agaricus-lepiota."""
    for method, ending in (("gtcoder", ""), ("gtcoder-paper", "_paper_preset")):
        plain = results.first("mushroom", method, "explanation")
        if plain:
            path = results.folder / f"figure_4{ending}.png"
            heat_map(Explanation.from_dict(plain), path)


def _figure_6(results: Results, dataset: str) -> None:
    """Distributions of the columns: real, TVAE's, ours."""
    tvae, ours = (results.first(dataset, m, "marginals") for m in ("tvae", "gtcoder"))
    if not tvae or not ours:
        return
    names = list(ours)[:COLUMNS_PICTURED]
    figure = _figure(3.0 * 4, 2.4 * -(-len(names) // 4))
    grid = figure.subplots(-(-len(names) // 4), 4, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, names, strict=False):
        _distributions(axes, tvae[name], ours[name])
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    figure.suptitle(f"{DATASETS[dataset].title}: share of rows", fontsize=11)
    _legend(figure, grid[0, 0])
    _save(figure, results.folder / f"figure_6_{dataset}.png")


def _distributions(axes: Any, tvae: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    series = (
        ("real", ours["real"], _REAL),
        ("TVAE", tvae["synthetic"], _TVAE),
        ("GTCoder", ours["synthetic"], _OURS),
    )
    if "edges" in ours:
        edges = np.array(ours["edges"])
        axes.stairs(ours["real"], edges, fill=True, color=_REAL, alpha=0.3, label="real")
        for label, shares, colour in series[1:]:
            axes.stairs(shares, edges, color=colour, linewidth=1.4, label=label)
        return
    levels = ours["levels"]
    for at, (label, shares, colour) in enumerate(series):
        axes.bar(np.arange(len(levels)) + 0.27 * (at - 1), shares, 0.27, color=colour, label=label)
    axes.set_xticks(range(len(levels)), levels)


def _scores(results: Results, dataset: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Method → measure → mean and deviation over seeds."""
    measures = ("r2",) if DATASETS[dataset].regression else ("f1_macro", "f1_weighted")
    found = {}
    for method in TITLES:
        values = {m: results.values(dataset, method, m) for m in measures}
        if values[measures[0]]:
            found[method] = {m: (float(np.mean(v)), _deviation(v)) for m, v in values.items()}
    return found


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _bars(axes: Any, scores: Mapping[str, Mapping[str, tuple[float, float]]]) -> None:
    methods = list(scores)
    names = {"f1_macro": "macro F1", "f1_weighted": "weighted F1", "r2": "r²"}
    measures = list(scores[methods[0]])
    wide = 0.8 / len(measures)
    for at, (measure, colour) in enumerate(zip(measures, (_TVAE, _OURS), strict=False)):
        means, spreads = zip(*(scores[m][measure] for m in methods), strict=True)
        places = np.arange(len(methods)) + wide * (at - (len(measures) - 1) / 2)
        bars = {"yerr": spreads, "capsize": 2} if any(spreads) else {}
        axes.bar(places, means, wide, color=colour, label=names[measure], **bars)
    axes.set_xticks(range(len(methods)), [_short(m) for m in methods], rotation=60, ha="right")
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def _short(method: str) -> str:
    return TITLES[method].replace("Bi-discriminator", "Bi-disc.").replace("GTCoder, ", "GTC. ")


def _legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise GTCoderError(
            'the figures need matplotlib: pip install "gtcoder[evaluate]"'
        ) from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def _save(figure: Any, path: Path) -> None:
    write_bytes(path, png_of(figure))
