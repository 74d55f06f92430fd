"""Drawing encoded rows: a component, z, then one step a field, all from given uniform numbers.

A row is a function of its plan and its own uniforms alone. Rows under all plans are computed
together, in tiles of a fixed shape, so that rounding depends neither on how many are asked for at
once nor on their neighbours.

Shapes: T rows of a tile, S steps, K fields, Z latent, H hidden, V_s outcomes of step s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, Layout
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.steps import CELLS
from gtcoder.sampling.plan import CANDIDATES, Plan, padded_size
from gtcoder.sampling.scalars import below_one, draw_scalars
from gtcoder.where.conditions import Conditions

TILE_ROWS = 1_024
"""Rows, or candidates for rows, computed at once."""
_MIDDLE = 0.5
"""The uniform number of what is drawn only to fill a tile."""


@dataclass(slots=True)
class Lanes:
    """Rows, or candidates for them, while they are drawn."""

    state: Tensor
    """Running sum that the heads see, (T, H)."""
    first: Tensor
    """The state before the first step, which scalars of modes follow from, (T, H)."""
    outcomes: Tensor
    """Outcome of every step so far, int64 (T, S)."""
    log_weight: Tensor
    """Log likelihood of the conditions met so far, (T,)."""

    def take(self, rows: Tensor) -> "Lanes":
        """Some of them."""
        return Lanes(*(each[rows] for each in self._tensors))

    def put(self, at: slice, other: "Lanes") -> None:
        """Replace some of them."""
        for mine, theirs in zip(self._tensors, other._tensors, strict=True):
            mine[at] = theirs

    @staticmethod
    def joined(parts: Sequence["Lanes"]) -> "Lanes":
        """All of several."""
        return Lanes(*map(torch.cat, zip(*(part._tensors for part in parts), strict=True)))

    @property
    def _tensors(self) -> tuple[Tensor, ...]:
        return self.state, self.first, self.outcomes, self.log_weight


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows of a tile under one plan."""

    plan: Plan
    rows: slice


class Drawer:
    """Draws encoded rows from a trained model, under conditions or none, on the model's device."""

    def __init__(self, model: GTCoder, layout: Layout) -> None:
        self.model, self.layout = model, layout
        self.device = model.mixture.means.device
        self.decoder, self.mixture = model.decoder.eval(), model.mixture
        self.latent = model.config.latent
        self.free = self.plan()
        with torch.inference_mode():
            self._fold()

    def plan(self, asked: Conditions | None = None) -> Plan:
        """How rows that meet conditions are drawn."""
        with torch.inference_mode():
            return Plan.of(self.model, asked or Conditions())

    def _fold(self) -> None:
        """Each head's weights, and what an outcome adds to the state before the next step."""
        decoder = self.decoder
        weights, biases = (
            decoder.heads().split(decoder.step_sizes),
            decoder.bias.split(decoder.step_sizes),
        )
        self.heads = [_padded(w, b) for w, b in zip(weights, biases, strict=True)]
        step = decoder.step
        following = torch.cat([step[1:], step[-1:]]) - step  # (S, H)
        self.tables = [a + b for a, b in zip(decoder.added(), following, strict=True)]

    @torch.inference_mode()
    def draw(self, parts: Sequence[tuple[Plan, np.ndarray]]) -> Encoded:
        """Encoded rows of all parts, one part after another.

        Args:
            parts: plans, and the float64 (B, `plan.width`) uniforms in [0, 1) of rows under them.
        """
        conditioned = [(plan, each) for plan, each in parts if plan.prefix and len(each)]
        chosen = self._chosen(conditioned)
        segments = _segments((plan, len(uniforms)) for plan, uniforms in parts)
        uniforms = np.concatenate([self._kept(plan, uniforms) for plan, uniforms in parts])
        tiles, used = [], 0
        for start in range(0, len(uniforms), TILE_ROWS):
            tile = _tile(uniforms[start : start + TILE_ROWS], TILE_ROWS)
            inside = _inside(segments, start, TILE_ROWS)
            count = sum(s.rows.stop - s.rows.start for s in inside if s.plan.prefix)
            codes, scalars = self._finish(tile, inside, chosen, used)
            rows = min(len(uniforms) - start, TILE_ROWS)
            tiles.append((codes[:rows], scalars[:rows]))
            used += count
        if not tiles:
            tiles = [(torch.zeros(0, len(self.layout.fields)),) * 2]
        codes, scalars = (torch.cat(each).cpu() for each in zip(*tiles, strict=True))
        return Encoded(codes.to(torch.int16).numpy(), scalars.float().numpy())

    def _chosen(self, parts: Sequence[tuple[Plan, np.ndarray]]) -> Lanes | None:
        """The candidate that is kept of every row under conditions, after its prefix."""
        if not parts:
            return None
        most = 1 + self.latent + max(plan.prefix for plan, _ in parts)
        lanes = np.concatenate([_candidates(plan, uniforms, most) for plan, uniforms in parts])
        last = np.concatenate([u[:, plan.candidates * plan.each_candidate] for plan, u in parts])
        segments = _segments((plan, plan.candidates * len(u)) for plan, u in parts)
        kept = []
        for start in range(0, len(lanes), TILE_ROWS):
            tile = self._there(_tile(lanes[start : start + TILE_ROWS], TILE_ROWS))
            inside = _inside(segments, start, TILE_ROWS)
            rows = self._begin(tile, inside)
            self._advance(rows, inside, tile[:, 1 + self.latent :], before=True)
            first = start // CANDIDATES
            uniform = self._there(last[first : first + TILE_ROWS // CANDIDATES])
            kept.append(rows.take(_choose(rows.log_weight, uniform)))
        return Lanes.joined(kept)

    def _finish(
        self, uniforms: np.ndarray, inside: Sequence[Segment], chosen: Lanes | None, used: int
    ) -> tuple[Tensor, Tensor]:
        """Codes (T, K) and scalars (T, K) of a tile, whose conditioned rows have begun."""
        tile, steps = self._there(uniforms), len(self.decoder.steps)
        rows = self._begin(tile, [Segment(self.free, slice(0, len(tile)))])
        for segment in inside:
            if segment.plan.prefix:
                assert chosen is not None
                count = segment.rows.stop - segment.rows.start
                rows.put(
                    segment.rows, chosen.take(torch.arange(used, used + count, device=self.device))
                )
                used += count
        left = tile[:, 1 + self.latent :]
        self._advance(rows, inside, left[:, :steps], before=False)
        codes, cells = self._codes(rows.outcomes)
        spans = [(segment.rows, segment.plan.spans) for segment in inside]
        within = left[:, steps:]
        scalars = draw_scalars(self.decoder, self.layout, codes, cells, rows.first, spans, within)
        return codes, scalars

    def _begin(self, uniforms: Tensor, inside: Sequence[Segment]) -> Lanes:
        """Rows before their first step, from the uniforms of their component and of z."""
        chosen = torch.zeros(len(uniforms), dtype=torch.long, device=self.device)
        log_weight = torch.zeros(len(uniforms), device=self.device)
        for segment in inside:
            cdf, at = segment.plan.component_cdf, segment.rows
            drawn = torch.searchsorted(cdf, uniforms[at, 0].contiguous(), right=True)
            chosen[at] = drawn.clamp_max(len(cdf) - 1)
            log_weight[at] = -segment.plan.component_log_likelihood[chosen[at]]
        normal = uniforms[:, 1 : 1 + self.latent].clamp(1e-12, 1 - 1e-12)
        noise = torch.special.ndtri(normal).float()  # (T, Z)
        spread = torch.einsum("tij,tj->ti", self.mixture.cholesky[chosen], noise)
        state = self.decoder.expand(self.mixture.means[chosen] + spread) + self.decoder.step[0]
        outcomes = chosen.new_zeros(len(state), len(self.decoder.steps))
        return Lanes(state, state.clone(), outcomes, log_weight)

    def _advance(
        self, rows: Lanes, inside: Sequence[Segment], uniforms: Tensor, *, before: bool
    ) -> None:
        """Take steps by inverse CDF: those of each plan's prefix, or those that follow it."""
        prefix = rows.outcomes.new_zeros(len(rows.state), 1)
        for segment in inside:
            prefix[segment.rows] = segment.plan.prefix
        longest = max((segment.plan.prefix for segment in inside), default=0)
        for s in range(longest) if before else range(len(self.decoder.steps)):
            weight, bias = self.heads[s]
            logits = torch.addmm(bias, torch.relu(rows.state), weight)  # (T, V_s)
            if before:
                self._constrain(s, logits, rows, inside)
            cdf = logits.softmax(1).cumsum(1)
            at_share = below_one(uniforms[:, s : s + 1]) * cdf[:, -1:]
            outcome = torch.searchsorted(cdf, at_share, right=True)
            outcome = outcome.clamp_max(self.decoder.step_sizes[s] - 1)  # (T, 1)
            at = outcome[:, 0]
            if self.decoder.steps[s].is_cell:
                at = at + rows.outcomes[:, s - 1] * CELLS
            added = self.tables[s].index_select(0, at)
            if s < longest:
                taken = (prefix > s) == before
                outcome = torch.where(taken, outcome, rows.outcomes[:, s : s + 1])
                added = torch.where(taken, added, 0.0)
            rows.outcomes[:, s : s + 1] = outcome
            rows.state += added

    def _constrain(self, s: int, logits: Tensor, rows: Lanes, inside: Sequence[Segment]) -> None:
        """Leave the outcomes that meet the conditions, and weigh the rows by their likelihood.

        log w += log Σ_o p(o) · a_o: the logsumexp with the conditions less that without.
        """
        bound = [segment for segment in inside if s in segment.plan.allowed]
        if not bound:
            return
        free = logits.logsumexp(1)
        for segment in bound:
            table, at = segment.plan.allowed[s], segment.rows
            logits[at] += table[rows.outcomes[at, s - 1]] if len(table) > 1 else table
        rows.log_weight += logits.logsumexp(1) - free

    def _codes(self, outcomes: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Codes (T, K) and the cells (T,) of fields that have some, from all outcomes (T, S)."""
        codes = outcomes.new_zeros(len(outcomes), len(self.layout.fields))
        cells = {}
        for s, step in enumerate(self.decoder.steps):
            if step.is_cell:
                cells[step.field] = outcomes[:, s]
            else:
                codes[:, step.field] += outcomes[:, s] * step.divisor
        limit = outcomes.new_tensor([field.cardinality - 1 for field in self.layout.fields])
        return torch.minimum(codes, limit), cells

    def _there(self, array: np.ndarray) -> Tensor:
        """An array on the model's device."""
        return torch.from_numpy(array).to(self.device)

    def _kept(self, plan: Plan, uniforms: np.ndarray) -> np.ndarray:
        """The uniforms of a row itself, (B, 1 + Z + S + K), without those of its candidates."""
        split = plan.candidates * plan.each_candidate
        last = len(self.decoder.steps) + len(self.layout.fields)
        kept = np.full((len(uniforms), 1 + self.latent + last), _MIDDLE)
        if not plan.prefix:
            kept[:, :split] = uniforms[:, :split]
        kept[:, kept.shape[1] - (plan.width - split - 1) :] = uniforms[:, split + 1 :]
        return kept


def _candidates(plan: Plan, uniforms: np.ndarray, width: int) -> np.ndarray:
    """The uniforms of every candidate, (B · candidates, width)."""
    split = plan.candidates * plan.each_candidate
    each = uniforms[:, :split].reshape(-1, plan.each_candidate)
    lanes = np.full((len(each), width), _MIDDLE)
    lanes[:, : plan.each_candidate] = each
    return lanes


def _choose(log_weight: Tensor, uniform: Tensor) -> Tensor:
    """One candidate a row, by weight: indices into the flat candidates of (rows,) uniforms."""
    cdf = log_weight.view(-1, CANDIDATES)[: len(uniform)].double().softmax(1).cumsum(1)
    kept = torch.searchsorted(cdf, uniform.unsqueeze(1).contiguous(), right=True)[:, 0]
    first = torch.arange(len(uniform), device=uniform.device) * CANDIDATES
    return first + kept.clamp_max(CANDIDATES - 1)


def _segments(parts: Iterable[tuple[Plan, int]]) -> list[Segment]:
    """Where the rows under each plan lie."""
    found, start = [], 0
    for plan, count in parts:
        found.append(Segment(plan, slice(start, start + count)))
        start += count
    return found


def _inside(segments: Sequence[Segment], start: int, rows: int) -> list[Segment]:
    """The segments within a tile, counted from its first row."""
    return [
        Segment(s.plan, slice(max(s.rows.start - start, 0), min(s.rows.stop - start, rows)))
        for s in segments
        if s.rows.start < start + rows and s.rows.stop > start and s.rows.stop > s.rows.start
    ]


def _tile(uniforms: np.ndarray, rows: int) -> np.ndarray:
    """The same, filled up to so many rows."""
    short = rows - len(uniforms)
    filling = np.full((short, uniforms.shape[1]), _MIDDLE)
    return np.concatenate([uniforms, filling]) if short else np.ascontiguousarray(uniforms)


def _padded(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A head (V_s, H), (V_s,) as (H, P), (P,), with outcomes that cannot be drawn."""
    short = padded_size(len(bias)) - len(bias)
    wide = torch.nn.functional.pad(weight, (0, 0, 0, short)).T.contiguous()
    return wide, torch.nn.functional.pad(bias, (0, short), value=-torch.inf)
