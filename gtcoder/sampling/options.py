"""What rows under conditions begin with: values that meet them, as often as the model says.

A model that learned to complete rows is asked for the rest of a row given its conditioned columns.
What these are in a row is drawn first, from N options. Conditions that leave one value each give
one option. A condition that any of several values meets gives each value, with its share of the
table's rows that meet it. Where there are more such conditions, candidates are drawn: the values of
the column whose condition fewest rows meet, then the steps up to the last one that is bound,
restricted to what meets the conditions. A candidate weighs the likelihood of what was allowed,

    w = Π_s Σ_o p_s(o | given, steps before) · a_so,

with a_so the share of outcome o of step s that meets the condition: the target p(values | all
conditions) over the proposal, up to a constant. As Σw² / (Σw)² is the share that one candidate
would have if all weighed alike, (Σw)² / Σw² is how many they count for. Candidates are added until
they count for `ENOUGH`, or there are `MOST_CANDIDATES`.

Where shares of a column's categories are asked for, its condition weighs each value by its share
over that in the table, and in the end the options of each value are brought to its share.

A model that did not learn it (the paper's, whose columns are independent given z) begins with z:
candidates are draws of z with the values of the bound columns.

Shapes: N options, S steps, K fields, H hidden, V codes of a field, P padded outcomes of a step,
D outcomes of the step before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Constraint, Layout
from gtcoder.errors import ConditionError
from gtcoder.model.steps import CELLS, Step, has_cells
from gtcoder.sampling.folded import TILE_ROWS, Folded, Lanes, padded_size
from gtcoder.seeds import Purpose, generator
from gtcoder.where.conditions import Conditions

CANDIDATES = 8_192
"""Candidates that are drawn at first."""
MOST_CANDIDATES = 1 << 18
ENOUGH = 4_096
"""Candidates that all weigh alike would make options finer than rows can tell."""
MOST_OPTIONS = 1 << 14
"""Options that are kept of more: 12 MB of states."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Beginnings of rows, of which each row takes one."""

    cdf: Tensor
    """p(option ≤ n), float64 (N,)."""
    begin: Lanes
    """What each begins with: states (N, H), outcomes (N, S) of what is given."""
    candidates: int
    """Draws that they were made of; 0 where all are known exactly."""
    effective: float
    """How many of these count, (Σw)² / Σw²."""

    @classmethod
    def of(cls, folded: Folded, layout: Layout, asked: Conditions) -> "Options":
        """The options of rows whose fields meet conditions.

        Raises:
            ConditionError: of a category that has a share no row is drawn that meets the others.
        """
        with torch.inference_mode():
            return _Making(folded, layout, asked).options()

    def take(self, uniforms: Tensor) -> Lanes:
        """The beginning of each of T rows, from float64 (T,) in [0, 1)."""
        at = torch.searchsorted(self.cdf, uniforms.contiguous(), right=True)
        at = at.clamp_max(len(self.cdf) - 1)
        return self.begin.take(at)


@dataclass(frozen=True, slots=True)
class _Values:
    """What some fields may be."""

    outcomes: Tensor
    """Of the steps of these fields, int64 (N, S), 0 of others."""
    weights: Tensor
    """float64 (N,)."""


class _Making:
    """The options of one set of constraints."""

    def __init__(self, folded: Folded, layout: Layout, asked: Conditions) -> None:
        self.folded, self.layout, self.mix = folded, layout, asked.mix
        self.by_field = dict(sorted(asked.fields.items()))  # products round by their order
        self.rng = generator(0, Purpose.CONDITIONS)

    def options(self) -> Options:
        """All of it."""
        if not self.folded.conditional:
            lanes, log_weight = self._candidates(self.folded.from_mixture, [*self.by_field])
            weights = log_weight.softmax(0)
            kept = self._fewer(weights)
            return self._mixed(self._options(lanes.take(kept), weights[kept], log_weight))
        values = {field: self._values(field) for field in self.by_field}
        first = [field for field, each in values.items() if len(each.weights) == 1]
        if not first:
            first = [min(values, key=lambda field: float(values[field].weights.sum()))]
        start = _Values(
            torch.stack([values[field].outcomes for field in first]).sum(0),
            values[first[0]].weights,
        )
        begin = self._options(self._given(start.outcomes, first), start.weights)
        left = [field for field in self.by_field if field not in first]
        if not left:
            return self._mixed(begin)
        lanes, log_weight = self._candidates(lambda uniforms: begin.take(uniforms[:, 0]), left)
        bound = [s for s, field in enumerate(self.folded.fields) if field in self.by_field]
        kept = torch.zeros_like(lanes.outcomes)
        kept[:, bound] = lanes.outcomes[:, bound]
        outcomes, at = kept.unique(dim=0, return_inverse=True)
        weights = log_weight.new_zeros(len(outcomes)).index_add(0, at, log_weight.softmax(0))
        chosen = self._fewer(weights)
        given = self._given(outcomes[chosen], list(self.by_field))
        return self._mixed(self._options(given, weights[chosen], log_weight))

    def _options(self, begin: Lanes, weights: Tensor, log_weight: Tensor | None = None) -> Options:
        share = weights.double() / weights.double().sum()
        counted = 0.0 if log_weight is None else effective(log_weight)
        return Options(
            cdf=share.cumsum(0),
            begin=begin,
            candidates=0 if log_weight is None else len(log_weight),
            effective=counted,
        )

    def _mixed(self, options: Options) -> Options:
        """The options with those of each value at the share asked for."""
        if self.mix is None:
            return options
        field, asked = self.mix
        shares = torch.from_numpy(asked).to(options.cdf)
        code = self.folded.codes_of(options.begin.outcomes)[0][:, field]
        weights = options.cdf.diff(prepend=options.cdf.new_zeros(1))
        found = torch.zeros_like(shares).index_add(0, code, weights)
        if bool(((found == 0) & (shares > 0)).any()):
            name = self.layout.fields[field].name
            raise ConditionError(
                f"shares of {name!r}: no row was drawn that has one of its categories and meets "
                "the other conditions; widen them, or ask for no share of it"
            )
        weights = weights * (shares / found.clamp_min(1e-300))[code]
        return replace(options, cdf=(weights / weights.sum()).cumsum(0))

    def _values(self, field: int) -> _Values:
        """What one field may be, with the share of the table's rows that have it."""
        constraint, layout = self.by_field[field], self.layout.fields[field]
        shares = np.maximum(np.array(layout.frequencies), 1e-12) * constraint.weights
        code = np.flatnonzero(shares)
        cell, weight = np.full_like(code, CELLS // 2), shares[code]
        if has_cells(layout):
            met = _cell_shares(constraint)[code]  # (N, CELLS)
            met[~np.array(layout.spread)[code]] = np.arange(CELLS) == CELLS // 2
            met = met / met.sum(1, keepdims=True)
            at, cell = np.nonzero(met)
            code, weight = code[at], weight[at] * met[at, cell]
        codes, cells = np.zeros((2, len(code), len(self.layout.fields)), np.int64)
        codes[:, field], cells[:, field] = code, cell
        decoder, device = self.folded.decoder, self.folded.device
        outcomes = decoder.outcomes(
            torch.from_numpy(codes).to(device), torch.from_numpy(cells).to(device)
        )
        return _Values(outcomes.t().contiguous(), torch.from_numpy(weight).to(device))

    def _given(self, outcomes: Tensor, fields: Sequence[int]) -> Lanes:
        """Rows that begin with the outcomes (N, S) of some fields."""
        given = np.zeros((len(outcomes), len(self.layout.fields)), bool)
        given[:, list(fields)] = True
        scalars = torch.full(given.shape, 0.5, device=self.folded.device)
        for field, cells in self.folded.codes_of(outcomes)[1].items():
            scalars[:, field] = (cells + 0.5) / CELLS
        parts = (slice(at, at + TILE_ROWS) for at in range(0, len(outcomes), TILE_ROWS))
        return Lanes.joined(
            [self.folded.from_given(outcomes[at], scalars[at], given[at]) for at in parts]
        )

    def _candidates(
        self, begun: Callable[[Tensor], Lanes], left: Sequence[int]
    ) -> tuple[Lanes, Tensor]:
        """Candidates with the state they began with, and the logarithms of their weights (M,).

        Args:
            begun: rows that begin with given uniforms (T, 1 + Z).
            left: fields that are drawn under their constraints.
        """
        folded = self.folded
        steps = folded.decoder.steps
        bound = [s for s, step in enumerate(steps) if step.field in left]
        allowed = {
            s: _allowed(steps[s], self.by_field[steps[s].field]).to(folded.device) for s in bound
        }
        parts: list[Lanes] = []
        weights: list[Tensor] = []
        while not weights or (
            len(weights) * TILE_ROWS < MOST_CANDIDATES and effective(torch.cat(weights)) < ENOUGH
        ):
            for _ in range(max(len(weights), CANDIDATES // TILE_ROWS)):
                uniforms = torch.from_numpy(
                    self.rng.random((TILE_ROWS, folded.width + len(steps)))
                ).to(folded.device)
                rows = begun(uniforms[:, : folded.width])
                state = rows.state.clone()
                uniforms = uniforms[:, folded.width :]
                weights.append(
                    folded.advance(rows, uniforms, stop=bound[-1] + 1, allowed=allowed).double()
                )
                given = rows.given.copy()
                given[:, bound] = True
                parts.append(Lanes(state, rows.outcomes, given))
        return Lanes.joined(parts), torch.cat(weights)

    def _fewer(self, weights: Tensor) -> Tensor:
        """Which of the options (N,) are kept: all, or the heaviest."""
        kept = weights.argsort(descending=True, stable=True)[:MOST_OPTIONS]
        return kept.sort()[0]


def effective(log_weight: Tensor) -> float:
    """(Σw)² / Σw² of the logarithms of weights."""
    return float((2 * log_weight.logsumexp(0) - (2 * log_weight).logsumexp(0)).exp())


def _allowed(step: Step, constraint: Constraint) -> Tensor:
    """The log share of each outcome that meets the condition, (D, P); -inf where it cannot.

    Of a cell it is relative to the share of its code, which the code's own step has counted.
    """
    weights = torch.from_numpy(np.asarray(constraint.weights))
    if step.is_cell:
        shares = torch.from_numpy(_cell_shares(constraint)) / weights.clamp_min(1e-9).unsqueeze(1)
    elif step.divisor == 1 and step.size == len(weights):
        shares = weights[None]
    else:
        low = step.divisor if step.divisor > 1 else step.size
        table = torch.nn.functional.pad(weights, (0, -len(weights) % low)).view(-1, low)
        shares = (table > 0).any(1)[None].float() if step.divisor > 1 else table
    short = padded_size(step.size) - step.size
    return torch.nn.functional.pad(shares, (0, short)).log()


def _cell_shares(constraint: Constraint) -> np.ndarray:
    """The share of each cell of each code that meets the condition, float32 (V, CELLS)."""
    low, high = constraint.low[:, None], constraint.high[:, None]
    edges = np.arange(CELLS + 1, dtype=np.float32) / CELLS
    inside = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])  # 0 of a single place
    met = (inside >= 0) & (constraint.weights[:, None] > 0)
    return (np.clip(inside * CELLS, 1e-6, 1) * met).astype(np.float32)
