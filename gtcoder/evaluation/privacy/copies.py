"""Rows equal to a row of the real table, found by their hashes in one pass over all of it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from gtcoder.evaluation.frame import category_texts, finite_numbers
from gtcoder.evaluation.roles import Roles
from gtcoder.sketch.distinct import hash_numbers, hash_texts

_NULL = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD1342543DE82EF95)


def copy_shares(
    roles: Roles,
    real: Iterable[pa.Table],
    others: Sequence[pa.Table],
    times: Sequence[int] | None = None,
) -> list[float]:
    """The share of each table's rows that are equal, in all columns compared, to a real row.

    Args:
        roles: the columns.
        real: all of the real table, in batches.
        others: tables whose rows are looked up.
        times: how often a row of each table must be there; omitted, once. Twice, if the table's
            rows are real ones themselves: it is another row then that is equal.
    """
    wanted = [hash_rows(roles, table) for table in others]
    found = [np.zeros(len(hashes), np.int64) for hashes in wanted]
    for batch in real:
        if not batch.num_rows:
            continue
        there, often = np.unique(hash_rows(roles, batch), return_counts=True)
        for hashes, hits in zip(wanted, found, strict=True):
            at = np.minimum(np.searchsorted(there, hashes), len(there) - 1)
            hits += np.where(there[at] == hashes, often[at], 0)
    least = times or [1] * len(others)
    return [float((hits >= each).mean()) for hits, each in zip(found, least, strict=True)]


def hash_rows(roles: Roles, table: pa.Table) -> np.ndarray:
    """One uint64 for each row; equal rows have equal ones."""
    hashes = np.zeros(table.num_rows, np.uint64)
    for name in roles.continuous:
        values = finite_numbers(table[name]) + 0.0  # no -0.0
        column = np.where(np.isnan(values), _NULL, hash_numbers(values))
        hashes = hash_numbers(hashes * _ODD + column)
    for name in roles.discrete:
        texts = category_texts(table[name])
        gone = texts.is_null().to_numpy(zero_copy_only=False)
        column = np.where(gone, _NULL, hash_texts(texts.fill_null("")))
        hashes = hash_numbers(hashes * _ODD + column)
    return hashes
