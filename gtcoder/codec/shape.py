"""Shapes of strings: what stands where in them, learned from many, holding no value.

A shape is a sequence of places; each place has its choices with their shares. What is written down
is shared by `min_rows` values: a shape, and at each of its places a character or a class of
characters (digits, small or capital letters). E-mail addresses keep the form of what stands before
the @ and get a domain that is reserved for examples (RFC 2606).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import gcd, prod
from statistics import median_low
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.sketch.distinct import hash_numbers

MOST_SHAPES = 64
"""Shapes of a column; of more, the commonest."""
_CLASSES = (digits, ascii_lowercase, ascii_uppercase)
_COVERED = 0.95
"""Of the values of a shape: characters that are shared by so many stand for themselves."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_DOMAINS = ("@example.com", "@example.net", "@example.org")
_FORMAT_SHARE = 0.9
_GOLDEN = 0.6180339887498949
_RADIX_LIMIT = 2**31
"""Numbers below this can be multiplied within 64 bits."""


@dataclass(frozen=True, slots=True)
class Place:
    """What can stand in one place of a shape, and the share of each."""

    choices: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The places of some values, and the share of a column's values that are so."""

    share: float
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of a column."""

    shapes: tuple[Shape, ...]
    iban: bool = False
    """Whether the third and fourth characters are the check digits of an IBAN (ISO 7064)."""

    @classmethod
    def of(cls, values: Sequence[str], min_rows: int) -> Self:
        """The shapes of distinct values; none where no `min_rows` of them are alike."""
        values = [value for value in values if value]
        email = _mostly(_EMAIL, values)
        if email:
            values = [value.partition("@")[0] for value in values if _EMAIL.fullmatch(value)]
        groups = _alike(values, min_rows, _skeleton)
        if sum(map(len, groups)) < len(values) / 2:
            groups = [_of_one_length(group) for group in _alike(values, min_rows, _collapsed)]
        rows = sum(map(len, groups))
        ending = (_even(_DOMAINS),) if email else ()
        shapes = (Shape(len(g) / rows, (*_places(g, min_rows), *ending)) for g in groups)
        return cls(tuple(shapes), _mostly(_IBAN, values) and all(map(_is_iban, values[:50])))

    def __bool__(self) -> bool:
        return bool(self.shapes)

    def draw(self, seeds: np.ndarray, numbers: np.ndarray | None = None) -> pa.Array:
        """Strings made afresh.

        Args:
            seeds: random bits of each row's own, uint64 (B,).
            numbers: each row's number in its stream, int64 (B,): no two numbers give one string.
        """
        beyond = self._apart if numbers is not None else ""
        shares = np.cumsum([shape.share for shape in self.shapes])
        chosen = np.searchsorted(shares / shares[-1], _uniform(seeds, 0), side="right")
        if numbers is not None:  # what has no room in a small shape goes to the largest
            rooms = np.array([_room(shape) for shape in self.shapes])
            chosen = np.where(numbers >= rooms[chosen], rooms.argmax(), chosen)
        parts, order = [], []
        for at, shape in enumerate(self.shapes):
            rows = np.flatnonzero(chosen == at)
            own = None if numbers is None else numbers[rows]
            parts.append(_drawn(shape, seeds[rows], own, beyond, iban=self.iban))
            order.append(rows)
        places = np.empty(len(seeds), np.int64)
        places[np.concatenate(order)] = np.arange(len(seeds))
        return pa.concat_arrays(parts).take(pa.array(places))

    @property
    def _apart(self) -> str:
        """A character that is in no shape: what follows it cannot be taken for part of one."""
        places = [place for shape in self.shapes for place in shape.places]
        used = {letter for place in places for text in place.choices for letter in text}
        return next(letter for letter in "-_./~:+#=|" if letter not in used)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        shapes = [
            {"share": s.share, "places": [[list(p.choices), list(p.shares)] for p in s.places]}
            for s in self.shapes
        ]
        return {"shapes": shapes, "iban": self.iban}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        shapes = (
            Shape(s["share"], tuple(Place(tuple(c), tuple(p)) for c, p in s["places"]))
            for s in plain["shapes"]
        )
        return cls(tuple(shapes), plain["iban"])


def _mostly(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    hits = sum(pattern.fullmatch(value) is not None for value in values)
    return bool(values) and hits >= _FORMAT_SHARE * len(values)


def _skeleton(value: str) -> str:
    """The value with every letter and digit made the same."""
    return "".join("X" if letter.isalnum() else letter for letter in value)


def _collapsed(value: str) -> str:
    """The same, with runs of any length made one."""
    return re.sub("X+", "X", _skeleton(value))


def _alike(values: Sequence[str], min_rows: int, form: Any) -> list[list[str]]:
    """The values of one form together, the commonest forms first, none of few values."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for value in values:
        groups[form(value)].append(value)
    kept = [group for group in groups.values() if len(group) >= min_rows]
    return sorted(kept, key=lambda group: (-len(group), form(group[0])))[:MOST_SHAPES]


def _of_one_length(values: Sequence[str]) -> list[str]:
    """Values of one collapsed form with runs cut or filled to the runs' middle lengths."""
    split = [_runs(value) for value in values]
    lengths = [median_low(map(len, runs)) for runs in zip(*split, strict=True)]
    return [
        "".join((run * length)[:length] for run, length in zip(runs, lengths, strict=True))
        for runs in split
    ]


def _runs(value: str) -> list[str]:
    """Runs of letters and digits, and the characters between them."""
    runs: list[str] = []
    for plain, letters in groupby(value, str.isalnum):
        text = "".join(letters)
        runs.extend([text] if plain else text)
    return runs


def _places(values: Sequence[str], min_rows: int) -> Iterator[Place]:
    """The places of values of one length; neighbours with one choice are one place."""
    constant = ""
    for letters in zip(*values, strict=True):
        place = _place(letters, min_rows)
        if len(place.choices) == 1:
            constant += place.choices[0]
            continue
        if constant:
            yield _even((constant,))
        yield place
        constant = ""
    if constant:
        yield _even((constant,))


def _place(letters: Sequence[str], min_rows: int) -> Place:
    """The characters that enough values share, or the classes of those that are there."""
    counts = Counter(letters)
    shared = sorted(letter for letter, count in counts.items() if count >= min_rows)
    covered = sum(counts[letter] for letter in shared)
    if covered >= _COVERED * len(letters):
        return Place(tuple(shared), tuple(counts[letter] / covered for letter in shared))
    classes = [(each, sum(counts[letter] for letter in each)) for each in _CLASSES]
    kept = [(each, count) for each, count in classes if count >= min_rows] or classes[:1]
    total = sum(count for _, count in kept) or 1
    shares = {c: max(count, 1) / len(each) / total for each, count in kept for c in each}
    return Place(tuple(shares), tuple(shares.values()))


def _even(choices: Sequence[str]) -> Place:
    return Place(tuple(choices), (1 / len(choices),) * len(choices))


def _uniform(seeds: np.ndarray, purpose: int) -> np.ndarray:
    """Numbers in [0, 1) that follow from seeds uint64 (B,), others for each purpose."""
    step = np.uint64((purpose + 1) * 0x9E3779B97F4A7C15 % 2**64)
    return (hash_numbers(seeds + step) >> np.uint64(11)) / 2.0**53


def _drawn(
    shape: Shape, seeds: np.ndarray, numbers: np.ndarray | None, beyond: str, *, iban: bool
) -> pa.Array:
    columns, ending = [], None
    picked = _at_random(shape, seeds)
    if numbers is not None:
        ending = _by_number(shape, picked, numbers, beyond)
    for place, at in zip(shape.places, picked, strict=True):
        columns.append(pa.array(place.choices, pa.string()).take(pa.array(at)))
    if ending is not None:
        columns.append(ending)
    joined = pc.binary_join_element_wise(*columns, "")
    return _with_check_digits(joined) if iban and len(joined) else joined


def _at_random(shape: Shape, seeds: np.ndarray) -> list[np.ndarray]:
    """The choice of each place, drawn by the shares, int64 (B,) each."""
    picked = []
    for at, place in enumerate(shape.places):
        shares = np.cumsum(place.shares)
        drawn = np.searchsorted(shares / shares[-1], _uniform(seeds, at + 1), side="right")
        picked.append(np.minimum(drawn, len(shares) - 1))
    return picked


def _by_number(
    shape: Shape, picked: list[np.ndarray], numbers: np.ndarray, beyond: str
) -> pa.Array:
    """Let the last places follow from the rows' numbers, one to one; what to append past them.

    Places are grouped from the end into digits of up to 31 bits. The number's remainder by the
    first is scattered by an affine permutation, what is left of it goes to the next, shifted by
    what came before, so that the strings do not look like numbers one after the other.
    """
    left = numbers.astype(np.uint64)
    before = np.full(len(numbers), _RADIX_LIMIT // 3, np.uint64)
    for group in _groups(shape):
        size = prod(len(shape.places[at].choices) for at in group)
        factor = next(f for f in range(int(size * _GOLDEN) | 1, 2 * size + 2) if gcd(f, size) == 1)
        digit = (left % np.uint64(size) * np.uint64(factor) + before) % np.uint64(size)
        left, before = left // np.uint64(size), hash_numbers(digit) % np.uint64(_RADIX_LIMIT)
        for at in group:
            count = np.uint64(len(shape.places[at].choices))
            picked[at], digit = (digit % count).astype(np.int64), digit // count
    texts = pc.binary_join_element_wise(beyond, pa.array(left.astype(np.int64)).cast("string"), "")
    return pc.if_else(pa.array(left == 0), "", texts)


def _room(shape: Shape) -> int:
    """How many strings a shape has, up to what an int64 can count."""
    return min(prod(len(place.choices) for place in shape.places), 2**63 - 1)


def _groups(shape: Shape) -> Iterator[list[int]]:
    """Places with several choices from the end, as many together as 31 bits can count."""
    group: list[int] = []
    size = 1
    for at in reversed(range(len(shape.places))):
        count = len(shape.places[at].choices)
        if count == 1:
            continue
        if size * count > _RADIX_LIMIT:
            yield group
            group, size = [], 1
        group.append(at)
        size *= count
    if group:
        yield group


def _is_iban(value: str) -> bool:
    return _remainder(np.array([value[4:] + value[:4]])) == 1


def _remainder(values: np.ndarray) -> np.ndarray:
    """The numbers that letters and digits stand for (A = 10), modulo 97, (B,) -> int64 (B,)."""
    letters = values.view(np.uint32).reshape(len(values), -1).astype(np.int64)
    rest = np.zeros(len(values), np.int64)
    for column in letters.T:
        digit = (column >= 48) & (column <= 57)
        worth = np.where(digit, column - 48, column - 55)
        rest = np.where(column == 0, rest, (rest * np.where(digit, 10, 100) + worth) % 97)
    return rest


def _with_check_digits(texts: pa.Array) -> pa.Array:
    """IBANs whose check digits hold: 98 less the remainder with zeros in their place."""
    country, account = pc.utf8_slice_codeunits(texts, 0, 2), pc.utf8_slice_codeunits(texts, 4)
    moved = pc.binary_join_element_wise(account, country, "00", "")
    check = 98 - _remainder(np.asarray(moved.to_numpy(zero_copy_only=False), dtype=str))
    two = pc.utf8_lpad(pa.array(check).cast(pa.string()), 2, "0")
    return pc.binary_join_element_wise(country, two, account, "")
