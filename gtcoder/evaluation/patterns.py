"""Text whose values hardly repeat: do made-up values look like real ones, and are they real ones?

The form of a value is the value with every run of letters and digits made one X: `AB-1234` has the
form `X-X`, `a.b@c.de` the form `X.X@X.X`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gtcoder.evaluation.frame import category_texts


def pattern_shares(
    real: pa.Table, others: Mapping[str, pa.Table], columns: Sequence[str]
) -> list[dict[str, Any]]:
    """Two shares of each column's values, for every table; None where it has no value.

    `known_form_share`: of a form that real values have, and neither shorter nor longer than all of
    these. `real_value_share`: equal to a real value.

    Args:
        real: the rows that others are compared with.
        others: tables with the same columns and types, by name.
        columns: the columns that are compared so.
    """
    return [
        {
            "name": name,
            "known_form_share": {o: _known_form_share(real[name], t[name]) for o, t in tables},
            "real_value_share": {o: _real_value_share(real[name], t[name]) for o, t in tables},
        }
        for name in columns
        for tables in [others.items()]
    ]


def _known_form_share(real: pa.ChunkedArray, other: pa.ChunkedArray) -> float | None:
    grouped = _forms(real).group_by("form")
    known = grouped.aggregate([("length", "min"), ("length", "max")]).combine_chunks()
    found = _forms(other)
    place = pc.index_in(found["form"], value_set=known["form"])
    shortest, longest = (known[f"length_{end}"].take(place) for end in ("min", "max"))
    length = found["length"]
    fits = pc.and_(pc.greater_equal(length, shortest), pc.less_equal(length, longest))
    return _share(fits)


def _real_value_share(real: pa.ChunkedArray, other: pa.ChunkedArray) -> float | None:
    texts = category_texts(other).drop_null()
    return _share(pc.is_in(texts, value_set=category_texts(real).unique()))


def _forms(column: pa.ChunkedArray) -> pa.Table:
    texts = category_texts(column).drop_null()
    forms = pc.replace_substring_regex(texts, r"[\pL\pN]+", "X")
    return pa.table({"form": forms, "length": pc.utf8_length(texts)})


def _share(hits: pa.ChunkedArray) -> float | None:
    return pc.mean(hits.fill_null(False).cast(pa.float64())).as_py() if len(hits) else None
