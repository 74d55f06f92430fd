"""A bundle that is loaded: its batcher, its plans, what writes, completes and explains rows."""

from concurrent.futures import Executor
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa

from gtcoder.bundle import Bundle
from gtcoder.explain import explain, explain_rows
from gtcoder.model.gtcoder import GTCoder
from gtcoder.sampling.complete import Completer
from gtcoder.sampling.plan import Plan
from gtcoder.sampling.sample import Range, Sampler
from gtcoder.score import table_scores
from gtcoder.where.constraint import constraints
from gtcoder.where.written import Where
from serve.formats import WRITERS, Writer
from serve.sampling.batcher import Batcher, Observer
from serve.sampling.request import SampleRequest

_PLANS = 64
"""Sets of conditions that a model remembers."""


class LoadedModel:
    """What a replica draws with, of a bundle."""

    def __init__(
        self,
        bundle: Bundle,
        executor: Executor,
        *,
        device: str,
        together: bool,
        observe: Observer,
    ) -> None:
        self._bundle, self._codec = bundle, bundle.codec
        self._sampler = Sampler(bundle.model(), self._codec, device=device)
        self.batcher = Batcher(self._sampler, executor, together=together, observe=observe)
        self._plans: dict[str, Plan] = {}

    def range(self, request: SampleRequest) -> Range:
        """The rows that a request wants."""
        stop = request.offset + request.rows
        return Range(self._plan(request.where), request.seed, request.offset, stop)

    def writer(self, request: SampleRequest) -> Writer:
        """What writes a request's rows."""
        return WRITERS[request.media_type](self.selected(self._codec.schema.arrow, request))

    @staticmethod
    def selected(rows: Any, request: SampleRequest) -> Any:
        """The columns of a table or schema that a request wants."""
        if request.columns is None:
            return rows
        if isinstance(rows, pa.Schema):
            return pa.schema([rows.field(name) for name in request.columns])
        return rows.select(list(request.columns))

    def explained(self, table: pa.Table) -> dict[str, Any]:
        """The explanation of given rows, their mean and each; made on the CPU."""
        encoded = self._codec.encode(table, jitter=False)
        mean = explain(self._network, self._codec.layout, encoded)
        each = explain_rows(self._network, encoded).astype(float).round(6).tolist()
        return mean.to_dict() | {"each": each}

    def scored(self, table: pa.Table, *, columns: bool) -> pd.DataFrame:
        """The scores of given rows; made on the CPU."""
        rows = self._bundle.info["rows"]
        return table_scores(self._network, self._codec, table, learned_rows=rows, columns=columns)

    @cached_property
    def completer(self) -> Completer:
        """What completes rows.

        Raises:
            GTCoderError: the model was not trained to.
        """
        return Completer(self._sampler.drawer, self._codec)

    @cached_property
    def _network(self) -> GTCoder:
        return self._bundle.model()

    def _plan(self, where: Where) -> Plan:
        key = repr(where)
        if key not in self._plans:
            if len(self._plans) >= _PLANS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = self._sampler.drawer.plan(constraints(self._codec, where))
        return self._plans[key]
