"""A figure of matplotlib, which is there only where it was asked for."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gtcoder.errors import GTCoderError

REAL, SYNTHETIC = "#8c97a6", "#d9622b"
"""Colours that can be told apart without red and green, on white and on black."""
COLOURS = "Blues"
"""From light to dark, which is read without red and green, and in grey as well."""
LONGEST_NAME = 28
"""Characters of a column's name in a picture."""


def file_figure(width: float, height: float) -> Any:
    """A figure that is written and not shown, made in any thread; its sides are in inches.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    with _installed():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def shown_figure(width: float, height: float) -> Any:
    """A figure of pyplot: a notebook shows it, and so does `matplotlib.pyplot.show()`.

    Raises:
        GTCoderError: matplotlib is not installed.
    """
    with _installed():
        from matplotlib import pyplot

    return pyplot.figure(figsize=(width, height), layout="constrained")


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """A name that fits beside a picture, drawn as it is: a dollar sign starts no formula."""
    name = name if len(name) <= longest else name[: longest - 1] + "…"
    return name.replace("$", r"\$")


def png_of(figure: Any) -> bytes:
    """A figure as a PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def draw_matrix(figure: Any, axes: Any, matrix: np.ndarray, labels: Sequence[str]) -> None:
    """Draw a square matrix of what is at least 0, the larger the darker, and its scale."""
    brightest = float(np.quantile(matrix, 0.995))  # a lone cell does not dim the others
    image = axes.imshow(matrix, cmap=COLOURS, aspect="auto", vmin=0, vmax=brightest or 1)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, extend="max")


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise GTCoderError('pictures need matplotlib: pip install "gtcoder[evaluate]"') from error
