"""Eq. 10 and 12, GTCoder: from z to the codes of a row, one step a field, and a number's cell.

Shapes: B rows, K fields, S steps, Z latent, H hidden, F features (H where there are none), V_s
outcomes of step s, V of all steps, n steps of a group.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.model.bounds import bounded
from gtcoder.model.features import Features
from gtcoder.model.grouped import Grouped
from gtcoder.model.outcomes import CellTable, OutcomeTable
from gtcoder.model.steps import CELLS, cells_of, digit_frequencies, steps_of
from gtcoder.model.sums import RunningSums


class Tables(NamedTuple):
    """The vectors of all outcomes, which cost as much for one row as for many."""

    heads: Tensor
    """Of the heads, (V, F)."""
    coded: Tensor
    """Those of the steps that draw codes, as seen from the running sum, v, (V', H)."""
    seen: Tensor | None
    """What these add to the running sum, (V', H)."""
    ahead: Tensor | None
    """What they add to it before their step where they are given, (V', H)."""


class Decoder(nn.Module):
    """Logits of every step from z and, when autoregressive, from the steps before it.

    NOTE[DIFF]: Eq. 10 decodes all columns from z alone, so that a dependence z does not carry is
    lost. Here a step also sees what was drawn before it, through one running sum shared by all
    steps (NADE, Larochelle & Murray 2011), at the price of one table look-up a step. A number is
    drawn and seen in full: its code, then the cell of the code's span it lies in.

    Where part of a row is given, what the encoder makes of it, c, takes the place of z, and the
    values given are seen by the steps before them as well. With w_s(o) the head's vector of outcome
    o of step s, v_s(o) = D_sᵀ w_s(o), and x_s(o) what it adds to the running sum,

        state_s = c + b_s + Σ_(t < s) x_t(o_t) + Σ_(t ≥ s, given) (a_t(o_t) + A v_t(o_t))
        feature_s = relu(D_s relu(state_s) + e_s)
        logit_s(o) = w_s(o) · feature_s + β_s(o) + x_s(o) · Σ_(t > s, given) N v_t(o_t).

    The last term is Bayes' rule: o is as much likelier as it makes what is given later likelier,
    which is how far x_s(o) goes along v_t(o_t); so a rare value given is known from where it was
    drawn, and not only from the few rows that have it. Every step is drawn exactly from

        −log p(rest | given) = −Σ_(s not given) log p_s(o_s | given, o_t of all t < s).
    """

    field: Tensor
    column: Tensor
    divisor: Tensor
    size: Tensor
    coded: Tensor
    coded_rows: Tensor
    first: Tensor
    cell: Tensor
    cell_grouped: Tensor

    def __init__(
        self,
        layout: Layout,
        *,
        latent: int,
        hidden: int,
        features: int = 0,
        autoregressive: bool,
        conditional: bool = False,
        dropout: float = 0,
        single_share: float = 1,
    ) -> None:
        super().__init__()
        self.steps = steps_of(layout, cells=autoregressive)
        self.modes = [k for k, f in enumerate(layout.fields) if f.scalar is Scalar.MODE]
        self.step_sizes = [step.size for step in self.steps]
        self.dropout = dropout
        pairs = [(step, layout.fields[step.field]) for step in self.steps]
        coded = [s for s, step in enumerate(self.steps) if not step.is_cell]
        self.cells = [s for s, step in enumerate(self.steps) if step.is_cell]
        self.expand = nn.Sequential(nn.Linear(latent, 64), nn.GELU(), nn.Linear(64, hidden))
        self.step = nn.Parameter(torch.zeros(len(self.steps), hidden))
        self.seen, self.seen_cells, self.ahead = None, None, None
        if autoregressive:
            self.seen = OutcomeTable([pairs[s] for s in coded], hidden, 0.1, single_share)
        if conditional:
            self.ahead = OutcomeTable([pairs[s] for s in coded], hidden, 0.1, single_share)
            self.tied, self.inverse = (nn.Linear(hidden, hidden, bias=False) for _ in range(2))
            nn.init.zeros_(self.tied.weight)
            on = 0.25 if features else 0.5  # half of the units of each layer
            with torch.no_grad():
                self.inverse.weight.copy_(on * torch.eye(hidden))
        if self.cells:
            numbers = [coded.index(s - 1) for s in self.cells]
            self.seen_cells = CellTable([pairs[s] for s in coded], numbers)
        self.heads = OutcomeTable(pairs, features or hidden, 0.0, single_share)
        shares = [digit_frequencies(step, field.frequencies) for step, field in pairs]
        self.bias = nn.Parameter(torch.cat(shares).clamp_min(1e-6).log())
        if self.modes:
            self.mode_mean = nn.Linear(hidden, len(layout.fields))
            self.mode_log_std = nn.Parameter(torch.full((len(layout.fields),), -1.0))
        self.grouped = Grouped(self.step_sizes)
        self.features = Features(self.grouped, hidden, features) if features else None
        self._register(coded, len(layout.fields))

    def _register(self, coded: Sequence[int], fields: int) -> None:
        """Where the outcome of each step is found, and which steps are computed together."""
        steps, sizes = self.steps, self.step_sizes
        order, groups = self.grouped.order, self.grouped.groups
        self.coded_sizes = [sizes[s] for s in coded]
        begin = [sum(sizes[:s]) for s in coded]
        rows = [first + v for first, s in zip(begin, coded, strict=True) for v in range(sizes[s])]
        indices = {
            "field": [step.field for step in steps],
            "column": [[step.field + fields * step.is_cell] for step in steps],
            "divisor": [[max(step.divisor, 1)] for step in steps],
            "size": [[size] for size in sizes],
            "coded": coded,
            "coded_rows": rows,
            "first": [[sum(sizes[s] for s in coded if s < at)] for at in coded],
            "cell": self.cells,
            "cell_grouped": [order.index(s) for s in self.cells],
        }
        for name, index in indices.items():
            self.register_buffer(name, torch.tensor(index, dtype=torch.long), persistent=False)
        self.sums = RunningSums([*coded, *self.cells], groups)
        self.given_later = RunningSums(coded, groups, later=True)

    def outcomes(self, codes: Tensor, cells: Tensor) -> Tensor:
        """The outcome of every step, int64 (S, B), of codes and cells, int64 (B, K)."""
        both = torch.cat([codes, cells], 1).t()  # (2 K, B)
        return both[self.column[:, 0]].div(self.divisor, rounding_mode="floor") % self.size

    def tables(self) -> Tables:
        """The vectors of all outcomes."""
        heads = self.heads()
        behind = heads if self.features is None else self.features.behind(heads)
        coded = behind[self.coded_rows]
        seen = None if self.seen is None else self.seen()
        ahead = None if self.ahead is None else self.ahead() + self.tied(coded)
        return Tables(heads, coded, seen, ahead)

    def states(
        self,
        begin: Tensor,
        outcomes: Tensor,
        given: Tensor | None = None,
        tables: Tables | None = None,
    ) -> list[Tensor]:
        """What the heads see given the true outcomes (S, B) before them, (n, B, F) a group.

        In training, whole outcomes, and units of a row, are dropped at random, so that no step
        relies on one of them alone.

        Args:
            begin: what z, or what is given, adds to all steps, (B, H).
            outcomes: int64 (S, B).
            given: of each step whether all steps see it, float32 (S, B).
            tables: the vectors of all outcomes, where they are known.
        """
        tables = tables or self.tables()
        first = begin + self.step[0]  # (B, H)
        dropout = self.dropout if self.training else 0.0
        following = torch.cat([self.step[1:], self.step[-1:]]) - self.step  # (S, H)
        seen = [following.unsqueeze(1).expand(-1, len(begin), -1)]
        if self.seen is not None and tables.seen is not None:
            kept = functional.dropout(torch.ones_like(outcomes, dtype=begin.dtype), dropout)
            shown = kept if dropout else None
            seen = self.vectors_of(self.seen, tables.seen, outcomes, shown, following)
            if given is not None:
                assert self.ahead is not None
                assert tables.ahead is not None
                nothing = torch.zeros_like(following)
                ahead = self.vectors_of(self.ahead, tables.ahead, outcomes, kept * given, nothing)
                first = first + torch.stack([each.sum(0) for each in ahead]).sum(0)
                seen = [now - before for now, before in zip(seen, ahead, strict=True)]
        states = self.sums(first, seen)
        if dropout:
            units = functional.dropout(torch.ones_like(first), dropout)
            states = [state * units for state in states]
        return states if self.features is None else self.features(states)

    def seen_of(self, step: int, state: Tensor) -> Tensor:
        """What the head of one step sees of its running sum (B, H), (B, F)."""
        state = torch.relu(state)
        return state if self.features is None else self.features.of(step, state)

    def _later(self, tables: Tables, outcomes: Tensor, given: Tensor) -> list[Tensor]:
        """Σ_(t > s, given) N v_t(o_t) of every step, (n, B, H) a group."""
        vectors = self.inverse(tables.coded)
        found = functional.embedding(outcomes[self.coded] + self.first, vectors)
        found = found * given[self.coded].unsqueeze(2)  # (N, B, H)
        return self.given_later(torch.zeros_like(found[0]), [found])

    def vectors_of(
        self,
        table: OutcomeTable,
        vectors: Tensor,
        outcomes: Tensor,
        kept: Tensor | None,
        beside: Tensor,
    ) -> list[Tensor]:
        """What outcomes add to the running sum: of codes (N, B, H), then of cells.

        Args:
            table: of the codes.
            vectors: what each code adds, (V', H).
            outcomes: int64 (S, B).
            kept: how much each counts, float32 (S, B). What is left where outcomes are dropped
                counts for 1 / (1 - p), so that the sum's mean is that of drawing.
            beside: is added to each step's, such as the bias of the step that follows, (S, H).
        """
        bias = beside[self.coded]
        at = outcomes[self.coded] + self.first
        if kept is not None:
            coded = functional.embedding(at, vectors) * kept[self.coded].unsqueeze(2)
            found = [coded + bias.unsqueeze(1)]
        else:
            kept = torch.ones_like(outcomes, dtype=beside.dtype)
            found = [functional.embedding(at, vectors + bias.index_select(0, table.step))]
        if self.seen_cells is not None:
            codes, cells = outcomes[self.cell - 1], outcomes[self.cell]
            found.append(self.seen_cells(table, codes, cells, kept[self.cell], beside[self.cell]))
        return found

    @torch.no_grad()
    def added(self, table: OutcomeTable | None, vectors: Tensor | None) -> list[Tensor]:
        """What each outcome adds to the running sum by a table of the codes, S of (V_s, H).

        Of cells (V_(s-1) · CELLS, H): all cells of the first code, then of the second.

        Args:
            table: of the codes.
            vectors: what each code adds, (V', H).
        """
        hidden = self.step.shape[1]
        if table is None or vectors is None:
            return [self.bias.new_zeros(size, hidden) for size in self.step_sizes]
        coded = iter(vectors.split(self.coded_sizes))
        cells = iter(self.seen_cells.whole(table) if self.seen_cells is not None else [])
        return [next(cells if step.is_cell else coded) for step in self.steps]

    def added_to_all(self, seen: Tensor) -> Tensor:
        """What each outcome adds, (V, H), of that of codes, (V', H): nothing of cells."""
        return seen.new_zeros(len(self.bias), seen.shape[1]).index_copy(0, self.coded_rows, seen)

    def logits(self, states: Sequence[Tensor]) -> list[Tensor]:
        """Logits of each step, in order, from what the heads see, as grouped: S of (B, V_s)."""
        grouped = self.grouped.logits([(states, self.heads())], self.bias)
        each = [logits for group in grouped for logits in group]
        found = dict(zip(self.grouped.order, each, strict=True))
        return [found[s][:, :size] for s, size in enumerate(self.step_sizes)]

    def reconstruction(
        self, z: Tensor, codes: Tensor, scalars: Tensor, tables: Tables | None = None
    ) -> Tensor:
        """Eq. 12: −log p(row | z), (B,): cross-entropies, and Gaussians for the scalars of modes.

        The density of a number within its code's span of length 1 is `CELLS` times the probability
        of its cell.

        Args:
            z: float32 (B, Z).
            codes: int64 (B, K).
            scalars: float32 (B, K).
            tables: the vectors of all outcomes, where they are known.
        """
        tables = tables or self.tables()
        outcomes = self.outcomes(codes, cells_of(scalars))
        begin = self.expand(z)  # (B, H)
        states = self.states(begin, outcomes, tables=tables)
        total = self._losses(tables, states, outcomes).sum(0)
        if self.modes:
            mean, log_std = self.scalar_distribution(torch.relu(begin + self.step[0]))
            error = (scalars - mean).square() / (2 * (2 * log_std).exp()) + log_std
            total = total + error[:, self.modes].sum(1)
        return total

    def surprise(
        self,
        context: Tensor,
        codes: Tensor,
        scalars: Tensor,
        given: Tensor,
        tables: Tables | None = None,
    ) -> Tensor:
        """−log p of each field that is not given, given those that are and all before it, (B, K).

        0 of what is given. Its sum is −log p(rest | given).

        Args:
            context: what the encoder makes of what is given, float32 (B, H).
            codes: int64 (B, K).
            scalars: float32 (B, K).
            given: bool (B, K).
            tables: the vectors of all outcomes, where they are known.
        """
        tables = tables or self.tables()
        outcomes = self.outcomes(codes, cells_of(scalars))
        shown = given.t()[self.field]  # (S, B)
        counts = shown.to(context.dtype)
        states = self.states(context, outcomes, counts, tables)
        later = self._later(tables, outcomes, counts)
        losses = self._losses(tables, states, outcomes, later)
        order = self.grouped.order
        losses = losses.masked_fill(shown[order], 0.0)
        found = losses.new_zeros(codes.shape[1], len(codes))
        return found.index_add(0, self.field[order], losses).t()

    def _losses(
        self,
        tables: Tables,
        states: Sequence[Tensor],
        outcomes: Tensor,
        later: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """−log p of each step's outcome, (S, B), as grouped; of a cell that of its density.

        Args:
            tables: the vectors of all outcomes.
            states: what the heads see, (n, B, F) a group.
            outcomes: int64 (S, B).
            later: what is given later, (n, B, H) a group.
        """
        heads = [(states, tables.heads)]
        if later is not None:
            assert tables.seen is not None
            heads.append((later, self.added_to_all(tables.seen)))
        losses = self.grouped.cross_entropy(heads, self.bias, outcomes[self.grouped.order])
        if self.seen_cells is None:
            return losses
        spread = self.seen_cells.spread(outcomes[self.cell - 1])  # (N, B)
        within = (losses[self.cell_grouped] - math.log(CELLS)) * spread
        return losses.index_copy(0, self.cell_grouped, within)

    def scalar_distribution(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean t(X) (tanh) and log standard deviation θ of every field's scalar: (B, K), (K,)."""
        return torch.tanh(self.mode_mean(state)).float(), bounded(self.mode_log_std, -5, 1)
