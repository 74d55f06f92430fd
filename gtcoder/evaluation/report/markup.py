"""HTML and SVG elements whose every text and attribute is escaped: a table's values cannot get out.

Only what `element` itself made is taken as markup; any other text is text.
"""

import html
from collections.abc import Iterable
from typing import Union

Child = Union["Markup", str, float, int, None, Iterable["Child"]]

_VOID = frozenset({"meta", "br"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: Child, **attributes: str | float | int) -> Markup:
    """An element; `class_` is the attribute `class`, and `view_box` is `viewBox`."""
    opened = "".join(
        f' {_attribute(key)}="{html.escape(_text(value))}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{opened}>")
    return Markup(f"<{name}{opened}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Children one after another, escaped unless they are markup."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | float | int):
        return Markup(html.escape(_text(children)))
    return Markup("".join(join(child) for child in children))


def style(text: str) -> Markup:
    """A style sheet, which is not escaped: only constants of the code go here."""
    return Markup(f"<style>{text}</style>")


def short(text: str, length: int) -> str:
    """The text cut to a length, with a mark where it was."""
    return text if len(text) <= length else text[: length - 1] + "…"


def prose(text: str) -> str:
    """The text with numbers and their % on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _attribute(key: str) -> str:
    return "viewBox" if key == "view_box" else key.rstrip("_").replace("_", "-")


def _text(value: str | float | int) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
