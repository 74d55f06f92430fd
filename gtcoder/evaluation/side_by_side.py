"""Columns of two tables in pictures of matplotlib: real filled, synthetic as a line beside it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from gtcoder.errors import SchemaError
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.report.profile import DATE, TIME, profile
from gtcoder.evaluation.roles import Roles
from gtcoder.figure import REAL, SYNTHETIC, short, shown_figure
from gtcoder.typos import listed, meant

ACROSS = 3
"""Pictures in a row."""
MOST = 24
"""Columns that are drawn unless they are named."""
_WIDTH, _HEIGHT = 4.0, 2.6
"""Of a picture, in inches."""
_LABEL, _ACROSS_ALL = 16, 50
"""Characters of a category's name, and of all of them where they are written side by side."""


def draw(
    real: pa.Table, synthetic: pa.Table, kinds: Mapping[str, Any], columns: Sequence[str] | None
) -> Any:
    """A figure with a picture for each column.

    Args:
        real: the rows that were learned, or others like them.
        synthetic: the rows that were drawn, of the same columns and types.
        kinds: those that override the inferred ones, as for training.
        columns: which, in this order; omitted, the first of those that can be compared.

    Raises:
        SchemaError: a column is not there, or cannot be compared.
        GTCoderError: matplotlib is not installed.
    """
    roles = Roles.of(real, schema=kinds)
    compared = [name for name in real.column_names if name in roles.columns]
    shown = _chosen(columns, compared, roles)
    one, other = align(roles, real, synthetic)
    down = math.ceil(len(shown) / ACROSS)
    across = min(ACROSS, len(shown))
    figure = shown_figure(_WIDTH * across, _HEIGHT * down + 0.4)
    axes = np.ravel(figure.subplots(down, across, squeeze=False))
    for at, name in enumerate(shown):
        _draw_column(axes[at], profile(one, other, name, real.schema.field(name).type))
        axes[at].set_title(short(name), fontsize=10)
    for spare in axes[len(shown) :]:
        spare.axis("off")
    left = f"; the first {len(shown)} of {len(compared)} columns" if columns is None else ""
    figure.suptitle(
        "Share of rows: real filled, synthetic outlined" + left * (len(shown) < len(compared)),
        fontsize=11,
    )
    return figure


def _chosen(columns: Sequence[str] | None, compared: list[str], roles: Roles) -> list[str]:
    if columns is None:
        if not compared:
            raise SchemaError(f"no column can be compared: {_reasons(roles)}")
        return compared[:MOST]
    for name in columns:
        if name in roles.left_out:
            raise SchemaError(f"column {name!r}: {roles.left_out[name]}")
        if name not in compared:
            raise SchemaError(
                f"no column {name!r}{meant(name, compared) or f'; there are {listed(compared)}'}"
            )
    return list(columns)


def _reasons(roles: Roles) -> str:
    return "; ".join(dict.fromkeys(roles.left_out.values()))


def _draw_column(axes: Any, drawn: Mapping[str, Any]) -> None:
    """One column's shares, by categories or by bins."""
    from matplotlib.ticker import PercentFormatter

    labels = drawn.get("labels") or [_text(value) for value in drawn.get("values", ())]
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.margins(x=0.02)
    if labels:
        _draw_bars(axes, labels, drawn)
    elif drawn.get("edges"):
        _draw_bins(axes, drawn)
    else:
        axes.text(0.5, 0.5, "no value in the real rows", ha="center", fontsize=8)


def _text(value: float | str) -> str:
    """A value of few as it is read: `2`, or the day alone of midnight."""
    return value.removesuffix("T00:00:00") if isinstance(value, str) else f"{value:.12g}"


def _draw_bars(axes: Any, labels: Sequence[Any], drawn: Mapping[str, Any]) -> None:
    at = np.arange(len(labels))
    axes.bar(at, drawn["real"], color=REAL, width=0.8)
    axes.bar(at, drawn["synthetic"], fill=False, edgecolor=SYNTHETIC, linewidth=1.5, width=0.8)
    texts = [short(str(label), _LABEL) for label in labels]
    few = max(map(len, texts)) * len(texts) <= _ACROSS_ALL
    axes.set_xticks(at, texts, fontsize=7, **({} if few else {"rotation": 40, "ha": "right"}))


def _draw_bins(axes: Any, drawn: Mapping[str, Any]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    edges, unit = drawn["edges"], drawn["unit"]
    if unit == DATE:
        places = date2num(np.array(edges, "M8[us]"))
        axes.xaxis.set_major_locator(locator := AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    elif unit == TIME:
        places = np.arange(len(edges), dtype=float)
        axes.set_xticks(places[::6], [text[:5] for text in edges[::6]])
    else:
        places = np.array(edges)
        axes.set_xlabel(unit, fontsize=8)
    axes.stairs(drawn["real"], places, fill=True, color=REAL)
    axes.stairs(drawn["synthetic"], places, color=SYNTHETIC, linewidth=1.5, baseline=None)
