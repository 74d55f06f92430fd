"""What callers in Python hand over, made into what the library works with."""

from collections import Counter

import pandas as pd
import pyarrow as pa

from gtcoder.errors import TableError


def to_arrow(table: pd.DataFrame | pa.Table) -> pa.Table:
    """A table in memory as Arrow; a DataFrame's index is left out, its columns' names are text.

    Raises:
        TableError: it is neither, two columns share a name, or a column holds several types.
    """
    if isinstance(table, pa.Table):
        _no_twins(table.column_names)
        return table
    if not isinstance(table, pd.DataFrame):
        raise TableError(
            f"expected a pandas DataFrame or a pyarrow Table, found {type(table).__name__}"
        )
    _no_twins([str(name) for name in table.columns])
    try:
        return pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        said = "; ".join(map(str, error.args))
        raise TableError(
            f"the table does not convert to Arrow: {said}; give each column one type, or drop it"
        ) from error


def _no_twins(names: list[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise TableError(f"column {twice!r} is there twice; rename or drop one of them")
