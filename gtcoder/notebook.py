"""Small tables for notebooks: everything is escaped, and no colour is set, so light and dark do."""

import html
from collections.abc import Iterable, Sequence

_BAR = '<div style="width:{:.1f}em;height:.7em;background:currentColor;opacity:.45"></div>'
_LONGEST_EM = 12


def table(head: Sequence[str], rows: Iterable[Sequence[str]], bars: Sequence[float] = ()) -> str:
    """An HTML table.

    Args:
        head: of the columns.
        rows: their cells.
        bars: a number for each row, drawn as a bar behind its last cell.
    """
    top = max(bars, default=0.0) or 1.0
    drawn = [f"<td>{_BAR.format(_LONGEST_EM * max(bar, 0.0) / top)}</td>" for bar in bars]
    lines = [f"<tr>{_cells('th', head)}</tr>"]
    for at, row in enumerate(rows):
        lines.append(f"<tr>{_cells('td', row)}{drawn[at] if drawn else ''}</tr>")
    return f"<table>{''.join(lines)}</table>"


def paragraph(text: str) -> str:
    """A line of text."""
    return f"<p>{html.escape(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """Lines of text in a list."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def _cells(tag: str, texts: Sequence[str]) -> str:
    left = ' style="text-align:left"'
    return "".join(f"<{tag}{left}>{html.escape(text)}</{tag}>" for text in texts)
