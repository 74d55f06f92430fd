"""A trained model made ready to draw: rows begin with z or with what is given, then take its steps.

Shapes: T rows of a tile, S steps, K fields, Z latent, H hidden, F features, V_s outcomes of step s,
P padded, ΣP of all steps, D outcomes of the step before it, N kinds of shifts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.steps import CELLS
from gtcoder.sampling.scalars import below_one

TILE_ROWS = 1_024
"""Rows computed at once, always so many, as sums round differently for other numbers of rows."""
LEAST_SHARE = 1e-30
"""What is drawn has a share; what is given, and so does not count, may have none."""
OUTCOME_MULTIPLE = 16
"""Outcomes of a step are padded to a multiple: matrix products of odd widths take twice as long."""


@dataclass(slots=True)
class Lanes:
    """Rows while they are drawn."""

    state: Tensor
    """Running sum that the heads look at, (T, H)."""
    outcomes: Tensor
    """Outcome of every step that is given or was taken, int64 (T, S)."""
    given: np.ndarray
    """Which outcomes are given, bool (T, S)."""
    later: Tensor | None = None
    """What is given later, as it weighs outcomes, (T, H); None where nothing is given, and where
    `shift` has it."""
    plain: Tensor | None = None
    """The state as it would be if nothing were given, (T, H), where rows are to be weighed."""
    shift: Tensor | None = None
    """What may be added to the logits of all steps, (N, ΣP)."""
    shift_at: Tensor | None = None
    """Which of them is added to each row's, int64 (T,); None where each has its own, or all one."""
    in_later: np.ndarray = field(init=False)
    """Which outcomes given are in `later` until their step, bool (T, S)."""

    @staticmethod
    def joined(parts: "Sequence[Lanes]") -> "Lanes":
        """All rows of several, which all have something given or all nothing."""
        later = [part.later for part in parts if part.later is not None]
        return Lanes(
            torch.cat([part.state for part in parts]),
            torch.cat([part.outcomes for part in parts]),
            np.concatenate([part.given for part in parts]),
            torch.cat(later) if later else None,
        )

    def __post_init__(self) -> None:
        self.in_later = self.given.copy()

    def take(self, rows: Tensor) -> "Lanes":
        """Some of them, int64 (N,), of which all have the same given."""
        later = None if self.later is None else self.later[rows]
        many = self.shift is not None and len(self.shift) > 1
        given = np.repeat(self.given[:1], len(rows), axis=0)
        return Lanes(
            self.state[rows],
            self.outcomes[rows],
            given,
            later,
            shift=self.shift,
            shift_at=rows if many else None,
        )

    def put(self, at: slice, others: "Lanes") -> None:
        """Other rows in the place of some."""
        self.state[at], self.outcomes[at] = others.state, others.outcomes
        self.given[at], self.in_later[at] = others.given, False
        if others.later is not None:
            self.in_later[at] = others.given
            self.later = torch.zeros_like(self.state) if self.later is None else self.later
            self.later[at] = others.later
        if others.shift is None:
            return
        if len(others.state) == len(self.state):
            self.shift, self.shift_at = others.shift, others.shift_at
            return
        if self.shift is None or self.shift_at is None:  # the first kind is none
            self.shift = others.shift.new_zeros(1, others.shift.shape[1])
            self.shift_at = self.outcomes.new_zeros(len(self.state))
        own = 0 if others.shift_at is None else others.shift_at
        self.shift_at[at] = len(self.shift) + own
        self.shift = torch.cat([self.shift, others.shift])


class Folded:
    """Each head's weights, and what an outcome adds to the state before the next step."""

    def __init__(self, model: GTCoder) -> None:
        self.model = model
        self.device = model.mixture.means.device
        self.decoder, self.mixture = model.decoder.eval(), model.mixture
        self.sizes = self.decoder.step_sizes
        self.fields = [step.field for step in self.decoder.steps]
        self.limits = [size - 1 for size in model.tokens.cardinalities]
        with torch.inference_mode():
            self._fold()

    def _fold(self) -> None:
        decoder = self.decoder
        tables = decoder.tables()
        weights, biases = tables.heads.split(self.sizes), decoder.bias.split(self.sizes)
        self.heads = [_padded(w, b) for w, b in zip(weights, biases, strict=True)]
        ends = np.cumsum([len(bias) for _, bias in self.heads]).tolist()
        self.padded = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        step = decoder.step
        following = torch.cat([step[1:], step[-1:]]) - step  # (S, H)
        seen = decoder.added(decoder.seen, tables.seen)
        self.tables = [a + b for a, b in zip(seen, following, strict=True)]
        self.ahead: list[Tensor] = []
        self.weighed: dict[int, tuple[Tensor, Tensor]] = {}
        self.spread: dict[int, Tensor] = {}
        if decoder.ahead is not None:
            self.ahead = decoder.added(decoder.ahead, tables.ahead)
            given = [t - a for t, a in zip(self.tables, self.ahead, strict=True)]
            self.tables = [torch.cat(each) for each in zip(self.tables, given, strict=True)]
            later = decoder.inverse(tables.coded).split(decoder.coded_sizes)
            coded = [s for s, each in enumerate(decoder.steps) if not each.is_cell]
            wide = [_padded(seen[s], decoder.bias[: self.sizes[s]])[0] for s in coded]
            self.weighed = dict(zip(coded, zip(wide, later, strict=True), strict=True))
            cells = decoder.seen_cells.spreads() if decoder.seen_cells is not None else []
            self.spread = dict(zip(decoder.cells, cells, strict=True))
            nothing = torch.zeros(1, len(self.limits), dtype=torch.long, device=self.device)
            context = self.model.context_of(nothing, nothing.float(), nothing.bool())
            self.plain = context[0] + step[0]

    @property
    def conditional(self) -> bool:
        """Whether rows can begin with what is given."""
        return self.decoder.ahead is not None

    @property
    def width(self) -> int:
        """Uniform numbers that a row's z takes."""
        return 1 + self.mixture.means.shape[1]

    def from_mixture(self, uniforms: Tensor) -> Lanes:
        """Rows with a z of their own before the first step.

        Args:
            uniforms: float64 (T, 1 + Z) in [0, 1), of the component and of z.
        """
        cdf = self.mixture.weights.double().cumsum(0)
        component = torch.searchsorted(cdf / cdf[-1], uniforms[:, 0].contiguous(), right=True)
        component = component.clamp_max(len(cdf) - 1)
        noise = torch.special.ndtri(uniforms[:, 1:].clamp(1e-12, 1 - 1e-12)).float()  # (T, Z)
        spread = torch.einsum("tij,tj->ti", self.mixture.cholesky[component], noise)
        state = self.decoder.expand(self.mixture.means[component] + spread) + self.decoder.step[0]
        steps = len(self.sizes)
        outcomes = component.new_zeros(len(state), steps)
        return Lanes(state, outcomes, np.zeros((len(state), steps), bool))

    def from_given(self, outcomes: Tensor, scalars: Tensor, given: np.ndarray) -> Lanes:
        """Rows of which part is given, before their first step.

        Args:
            outcomes: of the steps of what is given, int64 (T, S); any others are 0.
            scalars: the places of numbers within their codes, float32 (T, K).
            given: bool (T, K).
        """
        codes, _ = self.codes_of(outcomes)
        shown = torch.from_numpy(given).to(self.device)  # (T, K)
        state = self.model.context_of(codes, scalars, shown) + self.decoder.step[0]
        steps, later = given[:, self.fields], torch.zeros_like(state)
        for s in np.flatnonzero(steps.any(0)).tolist():
            seen = shown[:, self.fields[s]].unsqueeze(1)
            state = state + self.ahead[s][self._at(s, outcomes)] * seen
            if s in self.weighed:
                later = later + self.weighed[s][1][outcomes[:, s]] * seen
        return Lanes(state, outcomes.clone(), steps, later)

    def advance(
        self,
        rows: Lanes,
        uniforms: Tensor,
        *,
        stop: int | None = None,
        allowed: Mapping[int, Tensor] | None = None,
        within: Mapping[int, Tensor] | None = None,
        told: Sequence[list[Tensor]] = (),
    ) -> Tensor:
        """Take steps by inverse CDF; the logarithms of the rows' weights, (T,).

        log w = Σ_s log Σ_o p_s(o) · a_so over the steps s that are bound: the logsumexp of the
        logits with log a less that without. Where rows are to be weighed, also
        log p(row) − log p(rest | given), by the probabilities of rows of which nothing is given.

        Args:
            rows: are changed.
            uniforms: float64 (T, S) in [0, 1).
            stop: so many steps; all by default.
            allowed: log a_so of bound steps, (D, P): by the outcome of the step before where that
                is the leading digit of the same code, or the code of a cell; else D is 1.
            within: of some fields, which codes each row may have where it is drawn, bool (T, V).
            told: of each step, takes the logits (T, P) of what is not given to all rows.
        """
        log_weight, bound = torch.zeros(len(rows.state), device=self.device), allowed or {}
        for s in range(len(self.sizes) if stop is None else stop):
            given, taken, logits = rows.given[:, s], rows.outcomes[:, s], None
            known, share = None, None
            if given.any():
                known = torch.from_numpy(np.ascontiguousarray(given)).to(self.device)
                if rows.later is not None and s in self.weighed:
                    counts = torch.from_numpy(np.ascontiguousarray(rows.in_later[:, s]))
                    counts = counts.to(self.device).unsqueeze(1)
                    rows.later = rows.later - self.weighed[s][1][taken] * counts
            if not given.all():
                logits = self._logits(s, rows)
                if s in bound:
                    free = logits.logsumexp(1)
                    logits += bound[s][rows.outcomes[:, s - 1]] if len(bound[s]) > 1 else bound[s]
                    log_weight += logits.logsumexp(1) - free
                if within and self.fields[s] in within:
                    logits = self._narrowed(s, logits, rows.outcomes, within[self.fields[s]])
                share = logits.softmax(1)
                cdf = share.cumsum(1)
                at_share = below_one(uniforms[:, s : s + 1]) * cdf[:, -1:]
                drawn = torch.searchsorted(cdf, at_share, right=True)[:, 0]
                drawn = drawn.clamp_max(self.sizes[s] - 1)
                taken = drawn if known is None else torch.where(known, taken, drawn)
            if told and logits is not None:
                told[s].append(logits)
            rows.outcomes[:, s] = taken
            at = self._at(s, rows.outcomes)
            added = self.tables[s].index_select(0, at)
            if rows.plain is not None:
                log_weight += self._log_ratio(s, rows, share, known)
                rows.plain = rows.plain + added
            if known is not None and self.conditional:
                added = self.tables[s].index_select(0, at + known * (len(self.tables[s]) // 2))
            rows.state += added
        return log_weight

    def shifted(self, rows: Lanes) -> Tensor:
        """What is given later, as shifts of the logits of all steps, (N, ΣP).

        Args:
            rows: that have the same given, before their first step.
        """
        shift = rows.state.new_zeros(len(rows.state), self.padded[-1].stop)
        if rows.later is None:
            return shift
        later = rows.later
        for s, (seen, vectors) in self.weighed.items():
            if rows.given[0, s]:
                later = later - vectors[rows.outcomes[:, s]]
            else:
                shift[:, self.padded[s]] = later @ seen
        return shift

    def _narrowed(self, s: int, logits: Tensor, outcomes: Tensor, codes: Tensor) -> Tensor:
        """Logits (T, P) of the outcomes that lead to codes a row may have, bool (T, V)."""
        step = self.decoder.steps[s]
        if step.is_cell:
            return logits
        if step.size < codes.shape[1]:  # a digit
            low = step.divisor if step.divisor > 1 else step.size
            table = torch.nn.functional.pad(codes, (0, -codes.shape[1] % low))
            table = table.view(len(codes), -1, low)
            codes = table.any(2)
            if step.divisor == 1:
                codes = table[torch.arange(len(table), device=table.device), outcomes[:, s - 1]]
        short = logits.shape[1] - codes.shape[1]
        return logits.masked_fill(~torch.nn.functional.pad(codes, (0, short)), -torch.inf)

    def _log_ratio(self, s: int, rows: Lanes, share: Tensor | None, known: Tensor | None) -> Tensor:
        """log p_s(o_s | steps before) − log p_s(o_s | given, steps before), (T,).

        The latter is 0 of what is given, and all of it of cells of codes that are single values.

        Args:
            s: the step.
            rows: that have taken it.
            share: p_s(o | given, steps before) of all outcomes, (T, P); None where all is given.
            known: which rows are given it, bool (T,); None where none is.
        """
        weight, bias = self.heads[s]
        assert rows.plain is not None
        taken = rows.outcomes[:, s : s + 1]
        seen = self.decoder.seen_of(s, rows.plain)
        plain = torch.addmm(bias, seen, weight).log_softmax(1)  # (T, P)
        ratio = plain.gather(1, taken)[:, 0]
        if share is not None:
            drawn = share.gather(1, taken)[:, 0].clamp_min(LEAST_SHARE).log()
            ratio = ratio - (drawn if known is None else drawn.masked_fill(known, 0.0))
        if s in self.spread:
            ratio = ratio * self.spread[s][rows.outcomes[:, s - 1]]
        return ratio

    def codes_of(self, outcomes: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Codes (T, K) and the cells (T,) of fields that have some, from all outcomes (T, S)."""
        cells, codes = {}, outcomes.new_zeros(len(outcomes), len(self.limits))
        for s, step in enumerate(self.decoder.steps):
            if step.is_cell:
                cells[step.field] = outcomes[:, s]
            else:
                codes[:, step.field] += outcomes[:, s] * step.divisor
        return torch.minimum(codes, outcomes.new_tensor(self.limits)), cells

    def _logits(self, s: int, rows: Lanes) -> Tensor:
        weight, bias = self.heads[s]
        logits = torch.addmm(bias, self.decoder.seen_of(s, rows.state), weight)  # (T, P)
        if rows.later is not None and s in self.weighed:
            logits.addmm_(rows.later, self.weighed[s][0])
        if rows.shift is not None:
            shift = rows.shift[:, self.padded[s]]
            logits += shift if rows.shift_at is None else shift[rows.shift_at]
        return logits

    def _at(self, s: int, outcomes: Tensor) -> Tensor:
        """The row of each outcome (T, S) of a step in its table, (T,)."""
        at = outcomes[:, s]
        return at + outcomes[:, s - 1] * CELLS if self.decoder.steps[s].is_cell else at


def padded_size(outcomes: int) -> int:
    """Outcomes of a step with those that cannot be drawn."""
    return outcomes + -outcomes % OUTCOME_MULTIPLE


def _padded(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors (V_s, F), (V_s,) as (F, P), (P,), with outcomes that cannot be drawn."""
    short = padded_size(len(bias)) - len(bias)
    wide = torch.nn.functional.pad(weight, (0, 0, 0, short)).T.contiguous()
    return wide, torch.nn.functional.pad(bias, (0, short), value=-torch.inf)
