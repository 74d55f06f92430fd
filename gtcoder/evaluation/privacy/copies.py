"""Rows equal to a row of the real table, found by their hashes in one pass over all of it."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from gtcoder.evaluation.frame import category_texts, finite_numbers
from gtcoder.evaluation.roles import Roles
from gtcoder.sketch.distinct import hash_numbers, hash_texts

_NULL = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD1342543DE82EF95)


def copy_shares(roles: Roles, real: Iterable[pa.Table], others: Sequence[pa.Table]) -> list[float]:
    """The share of each table's rows that are equal, in all columns compared, to a real row.

    Args:
        roles: the columns.
        real: all of the real table, in batches.
        others: tables whose rows are looked up.
    """
    wanted = [hash_rows(roles, table) for table in others]
    found = [np.zeros(len(hashes), bool) for hashes in wanted]
    for batch in real:
        there = np.unique(hash_rows(roles, batch))
        for hashes, hits in zip(wanted, found, strict=True):
            hits |= np.isin(hashes, there)
    return [float(hits.mean()) for hits in found]


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
