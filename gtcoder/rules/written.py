"""Rules as people write them, read: formulas, orders, and columns that go together.

    total = price * quantity            arr = clock(sched + delay)
    start <= end                        day = day(at, "America/New_York")
    together: city, country             at = moment("UTC", year=y, month=m, day=d)
    one of: red, green, blue            age >= 0
    missing: spouse exactly where married is 'no'
    volume ~ 0.98 * length * width * height

A column whose name is no word stands in backticks.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from gtcoder.errors import SchemaError
from gtcoder.rules.arithmetic import SPANS, Linear, Power, Product, Quotient, Ratio, Remainder
from gtcoder.rules.calendar import PARTS, Clock, Moment, Part
from gtcoder.rules.formula import Bins, Copy, Formula
from gtcoder.rules.gap import Above, Near, residual_name
from gtcoder.rules.rule import Bound, Derived, Missing, Rule
from gtcoder.rules.rules import gap_name
from gtcoder.rules.together import Together
from gtcoder.typos import listed, meant

_BACKTICKED = re.compile(r"`([^`]+)`")
_MISSING = re.compile(r"(.+?) (exactly )?where (.+?)(?: is (.+))?", re.S)


def read_rule(text: str, decimals: Mapping[str, int | None]) -> list[Rule]:
    """The rules that a line says: a chain of orders is several.

    Args:
        text: the line.
        decimals: the rounding of each column of the table; of a column of other kinds None.

    Raises:
        SchemaError: it cannot be read, or names no column of the table.
    """
    reader = _Reader(text, decimals)
    word, colon, rest = text.partition(":")
    if colon and word.strip() in ("together", "one of"):
        columns = [reader.name(each) for each in reader.split(rest)]
        if len(columns) < 2:
            raise reader.error("two columns or more")
        return [Together(tuple(columns), flags=word.strip() == "one of")]
    if colon and word.strip() == "missing":
        return [reader.missing(rest.strip())]
    return reader.compared()


class _Reader:
    """One line, whose names in backticks are known by stand-ins."""

    def __init__(self, text: str, decimals: Mapping[str, int | None]) -> None:
        self.text, self.decimals = text, decimals
        self.names: dict[str, str] = {}

    def error(self, expected: str) -> SchemaError:
        return SchemaError(
            f"rule {self.text!r}: expected {expected}; write it as total = price * quantity, "
            "start <= end, together: city, country, or as gtcoder inspect writes them"
        )

    def plain(self, text: str) -> str:
        """The text with stand-ins for names in backticks."""

        def stand_in(match: re.Match[str]) -> str:
            word = f"_column_{len(self.names)}"
            self.names[word] = match[1]
            return word

        return _BACKTICKED.sub(stand_in, text)

    def split(self, text: str) -> list[str]:
        """What stands between commas outside backticks."""
        return [each.strip() for each in self.plain(text).split(",")]

    def name(self, word: str) -> str:
        """The column that a word stands for."""
        name = self.names.get(word.strip(), word.strip().strip("`"))
        if name not in self.decimals:
            raise SchemaError(
                f"rule {self.text!r}: no column {name!r} in the table"
                f"{meant(name, self.decimals) or f'; there are {listed(self.decimals)}'}"
            )
        return name

    def missing(self, text: str) -> Missing:
        """A rule on missing values."""
        match = _MISSING.fullmatch(self.plain(text))
        if not match:
            raise self.error(
                "missing: COLUMN where COLUMN, or missing: COLUMN where COLUMN is VALUE"
            )
        target, exactly, source, said = match.groups()
        values = None
        if said is not None:
            try:
                values = tuple(ast.literal_eval(f"[{said}]"))
            except (ValueError, SyntaxError):
                raise self.error("values such as 'no' or 3 after is") from None
        return Missing(self.name(target), self.name(source), values, exactly=bool(exactly))

    def compared(self) -> list[Rule]:
        """A formula, an order or a bound."""
        plain = self.plain(self.text)
        left, nearly, right = plain.partition("~")
        if nearly and "=" not in left:
            return [self.near(self.name(left), self.parsed(right, "~"))]
        left, equals, right = plain.partition("=")
        if equals and left[-1:] not in "<>" and right[:1] != "=":
            target = self.name(left)
            formula = self.formula(self.parsed(right))
            return [Derived(target, formula, self.decimals[target])]
        parts = re.split(r"(<=|>=|<|>)", plain)
        if len(parts) < 3:
            raise self.error("a formula, an order, or a list of columns")
        if len(parts) == 3 and (bound := self.bound(*parts)) is not None:
            return [bound]
        if any(sign[0] == ">" for sign in parts[1::2]):
            parts = [part.replace(">", "<") for part in reversed(parts)]
        sides = [[self.name(each) for each in part.split(",")] for part in parts[::2]]
        return [
            self.above(low, high[0], strict=sign == "<")
            for (low, high), sign in zip(pairwise(sides), parts[1::2], strict=True)
        ]

    def near(self, target: str, node: ast.expr) -> Derived:
        """What nearly gives a column."""
        powers = self.powers(node, 1.0)
        if powers is not None and powers[0] and (len(powers[0]) > 1 or powers[0][0][0] != 1):
            base: Linear | Power = Power(tuple(powers[0]), powers[1])
        else:
            terms, constant = self.linear(node, 1.0)
            if not terms:
                raise self.error("a sum or a product of at least one column after ~")
            base = Linear(tuple(terms), constant)
        return Derived(
            target, Near(base, residual_name(target, self.decimals)), self.decimals[target]
        )

    def powers(self, node: ast.expr, sign: float) -> tuple[list[tuple[float, str]], float] | None:
        """Exponents and constant of a product of powers; None of what is none."""
        match node:
            case ast.Constant(value=int() | float() as value):
                if sign < 0 and not value:
                    raise self.error("a number other than 0 to divide by")
                return [], float(value) ** sign
            case ast.Name(id=word):
                return [(sign, self.name(word))], 1.0
            case ast.BinOp(left=ast.Name(id=word), op=ast.Pow(), right=right):
                return [(sign * self.number(right), self.name(word))], 1.0
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
                one = self.powers(left, sign)
                other = self.powers(right, sign if isinstance(op, ast.Mult) else -sign)
                if one is not None and other is not None:
                    return [*one[0], *other[0]], one[1] * other[1]
        return None

    def above(self, lows: Sequence[str], high: str, *, strict: bool) -> Derived:
        """An order."""
        places = [self.decimals[name] for name in (high, *lows)]
        known = [each for each in places if each is not None]
        decimals = max(known) if len(known) == len(places) else None
        return Derived(high, Above(tuple(lows), gap_name(high, lows), strict), decimals)

    def bound(self, left: str, sign: str, right: str) -> Bound | None:
        """A comparison with a number."""
        try:
            return Bound(self.name(left), sign, float(right))
        except ValueError:
            return None

    def parsed(self, text: str, sign: str = "=") -> ast.expr:
        try:
            return ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise self.error(f"a formula after {sign}") from None

    def formula(self, node: ast.expr) -> Formula:
        """The formula that an expression says."""
        match node:
            case ast.Name(id=word):
                return Copy(self.name(word))
            case ast.Call(func=ast.Name(id=word)):
                return self.call(word, node)
            case ast.BinOp(
                left=ast.Call(func=ast.Name(id=word)) as call, op=ast.Add(), right=right
            ) if word in PARTS:
                part = self.call(word, call)
                assert isinstance(part, Part)
                return Part(part.part, part.of_column, part.zone, int(self.number(right)))
            case ast.BinOp(left=ast.Name(id=word), op=ast.FloorDiv(), right=right):
                return Quotient(self.name(word), self.number(right))
            case ast.BinOp(left=ast.Name(id=word), op=ast.Mod(), right=right):
                return Remainder(self.name(word), self.number(right))
            case ast.BinOp(left=ast.Name(id=one), op=ast.Mult(), right=ast.Name(id=other)):
                return Product(self.name(one), self.name(other))
            case ast.BinOp(left=ast.Name(id=one), op=ast.Div(), right=ast.Name(id=other)):
                return Ratio(self.name(one), self.name(other))
        terms, constant = self.linear(node, 1.0)
        if not terms:
            raise self.error("a formula of at least one column")
        return Linear(tuple(terms), constant)

    def linear(self, node: ast.expr, factor: float) -> tuple[list[tuple[float, str]], float]:
        """Terms and constant of a sum."""
        match node:
            case ast.Constant(value=int() | float() as value):
                return [], factor * value
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.linear(inner, -factor)
            case ast.Name(id=word):
                return [(factor, self.name(word))], 0.0
            case ast.Call(func=ast.Name(id=unit), args=[ast.Name(id=word)]) if unit in SPANS:
                return [(factor * SPANS[unit], self.name(word))], 0.0
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                one, a = self.linear(left, factor)
                other, b = self.linear(right, factor if isinstance(op, ast.Add) else -factor)
                return [*one, *other], a + b
            case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=inner):
                return self.linear(inner, factor * self.number(node.left))
            case ast.BinOp(left=inner, op=ast.Mult(), right=ast.Constant()):
                return self.linear(inner, factor * self.number(node.right))
            case ast.BinOp(left=inner, op=ast.Div(), right=ast.Constant()):
                return self.linear(inner, factor / self.number(node.right))
        raise self.error(
            "sums, differences, products, ratios, //, %, clock(…), moment(…) or a part"
        )

    def call(self, word: str, node: ast.Call) -> Formula:
        """The formula that a function says."""
        given = {each.arg: each.value for each in node.keywords}
        if word == "clock" and len(node.args) == 1:
            match node.args[0]:
                case ast.BinOp(
                    left=ast.Name(id=clock),
                    op=ast.Add() | ast.Sub() as op,
                    right=ast.Name(id=later),
                ):
                    midnight = given.get("midnight")
                    return Clock(
                        self.name(clock),
                        self.name(later),
                        1 if isinstance(op, ast.Add) else -1,
                        0 if midnight is None else int(self.number(midnight)),
                    )
        if word == "moment":
            zone = str(self.literal(node.args[0])) if node.args else ""
            parts = tuple((str(part), self.word(value)) for part, value in given.items())
            return Moment(parts, zone)
        if word in (*PARTS, "date") and node.args:
            return self.part(word, node)
        if word == "bins" and len(node.args) == 3:
            edges, labels = self.literal(node.args[1]), self.literal(node.args[2])
            if (
                isinstance(edges, list)
                and isinstance(labels, list)
                and len(labels) == len(edges) + 1
            ):
                return Bins(self.word(node.args[0]), tuple(map(float, edges)), tuple(labels))
        if word in SPANS:
            return Linear(tuple(self.linear(node, 1.0)[0]))
        raise self.error("clock(a + b), moment(year=a, …), bins(a, [edges], [labels]) or a part")

    def part(self, word: str, node: ast.Call) -> Part:
        """The part of a moment that a function says."""
        zone = str(self.literal(node.args[1])) if len(node.args) > 1 else ""
        return Part(word, self.word(node.args[0]), zone)

    def word(self, node: ast.expr) -> str:
        """The column that a name in a formula stands for."""
        if not isinstance(node, ast.Name):
            raise self.error("a column's name")
        return self.name(node.id)

    def literal(self, node: ast.expr) -> Any:
        try:
            found = ast.literal_eval(node)
        except ValueError:
            raise self.error("a text or a number") from None
        return found

    def number(self, node: ast.expr) -> float:
        value = self.literal(node)
        if not isinstance(value, int | float):
            raise self.error("a number")
        return value
