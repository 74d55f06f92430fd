"""Identity: the training rows themselves, what a perfect copy would score."""

from typing import Self

import pandas as pd
import pyarrow as pa

from gtcoder.errors import GTCoderError
from gtcoder.table.memory import to_arrow


class Identity:
    """Gives back the rows it was fitted on, in their order and over again."""

    def __init__(self) -> None:
        self._table: pa.Table | None = None

    def fit(self, table: pd.DataFrame | pa.Table) -> Self:
        """Keep a table.

        Raises:
            TableError: it is not a table.
        """
        self._table = to_arrow(table)
        return self

    def sample(self, n: int, *, seed: int = 0) -> pd.DataFrame:
        """The first `n` rows, from the start again when they are over; no seed changes them.

        Raises:
            GTCoderError: there is no row to give.
        """
        if self._table is None or not len(self._table):
            raise GTCoderError("there is no row to give: call fit(table) with rows")
        return self._table.take([at % len(self._table) for at in range(n)]).to_pandas()
