"""Which rows are held out for validation: decided by each row's own content and the seed."""

import numpy as np

from gtcoder.codec.layout import Encoded
from gtcoder.seeds import Purpose, generator


def held_out(encoded: Encoded, seed: int, fraction: float) -> np.ndarray:
    """Which rows are for validation, bool (B,): decided by the row's own content and the seed.

    Of equal rows each is decided by how many came before it, so that none of the combinations of a
    table with few is held out whole.
    """
    if not fraction:
        return np.zeros(len(encoded), bool)
    columns = [*encoded.codes.T, *encoded.scalars.view(np.uint32).T]
    rng = generator(seed, Purpose.HELD_OUT)
    odd = rng.integers(0, 2**63, len(columns), np.uint64) * np.uint64(2) + np.uint64(1)
    total = np.zeros(len(encoded), np.uint64)
    for column, factor in zip(columns, odd, strict=True):  # one at a time: 16 bytes a row
        total += column.astype(np.uint64) * factor
    content = _mixed(total)
    mixed = _mixed(content + _nth_of_equals(content))
    held: np.ndarray = (mixed >> np.uint64(11)) < np.uint64(int(fraction * 2**53))
    return held


def _mixed(words: np.ndarray) -> np.ndarray:
    """Words whose every bit depends on every bit of the input, uint64 (B,)."""
    words = (words ^ (words >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    mixed: np.ndarray = (words ^ (words >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


def _nth_of_equals(words: np.ndarray) -> np.ndarray:
    """How many equal words stand before each, uint64 (B,)."""
    order = np.argsort(words, kind="stable")
    ordered = words[order]
    places = np.arange(len(words), dtype=np.uint64)
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(words)]
    nth = np.empty_like(places)
    nth[order] = places - np.maximum.accumulate(np.where(new, places, np.uint64(0)))
    return nth
