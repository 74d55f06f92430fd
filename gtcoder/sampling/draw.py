"""Drawing encoded rows: z or what is given, then one step a field, all from given uniform numbers.

A row is a function of its plan and its own uniforms alone. Rows under all plans are computed
together, in tiles of a fixed shape, so that rounding depends neither on how many are asked for at
once nor on their neighbours.

Shapes: B rows, T tries of a tile, S steps, K fields, Z latent.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded, Layout, concat, none, take
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.steps import cells_of
from gtcoder.sampling.folded import TILE_ROWS, Folded, Lanes
from gtcoder.sampling.plan import Plan
from gtcoder.sampling.scalars import Spans, draw_scalars
from gtcoder.where.conditions import Conditions

_MIDDLE = 0.5
"""The uniform number of what is drawn only to fill a tile."""


class Drawer:
    """Draws encoded rows from a trained model, under conditions or none, on the model's device."""

    def __init__(self, model: GTCoder, layout: Layout) -> None:
        self.layout, self.folded = layout, Folded(model)
        self.free = self.plan()
        self.head = self.folded.width + len(layout.fields)
        """Uniform numbers that all tries at a row share: of its option or z, and its scalars."""

    def plan(self, asked: Conditions | None = None) -> Plan:
        """How rows that meet conditions are drawn."""
        return Plan.of(self.folded, self.layout, asked or Conditions())

    def width(self, plan: Plan) -> int:
        """Uniform numbers a row is made of: the shared ones, which try is kept, and their steps."""
        return self.head + 1 + plan.tries * len(self.folded.sizes)

    @torch.inference_mode()
    def draw(self, parts: Sequence[tuple[Plan, np.ndarray]]) -> Encoded:
        """Encoded rows of all parts, one part after another.

        Args:
            parts: plans, and the float64 (B, `width`) uniforms in [0, 1) of rows under them.
        """
        tries = [(plan, self._tries(plan, uniforms)) for plan, uniforms in parts]
        uniforms = np.concatenate([each for _, each in tries])
        drawn, weights = [none(self.layout)], [np.zeros(0, np.float32)]
        for start in range(0, len(uniforms), TILE_ROWS):
            tile = self._there(_filled(uniforms[start : start + TILE_ROWS]))
            encoded, log_weight = self._tile(tile, list(_inside(tries, start)))
            count = min(len(uniforms) - start, TILE_ROWS)
            drawn.append(take(encoded, slice(count)))
            weights.append(log_weight[:count])
        return take(concat(drawn), self._kept(parts, np.concatenate(weights)))

    @torch.inference_mode()
    def complete(
        self,
        rows: Encoded,
        given: np.ndarray,
        within: Mapping[int, np.ndarray],
        uniforms: np.ndarray,
    ) -> Encoded:
        """Rows with what is not given drawn.

        Args:
            rows: B of them; any codes where they are not given.
            given: bool (B, K).
            within: of some fields, which codes they may have where they are drawn, bool (B, V).
            uniforms: float64 (B, `width` of free rows) in [0, 1).
        """
        done, numbers = [none(self.layout)], self._tries(self.free, uniforms)
        for start in range(0, len(rows), TILE_ROWS):
            part = slice(start, start + TILE_ROWS)
            known = {k: _filled(each[part], True) for k, each in within.items()}
            tile = [rows.codes, rows.scalars, given, numbers]
            codes, scalars, shown, places = (_filled(each[part]) for each in tile)
            drawn = self._completed(Encoded(codes, scalars), shown, known, self._there(places))
            kept = Encoded(
                np.where(shown, codes, drawn.codes), np.where(shown, scalars, drawn.scalars)
            )
            done.append(take(kept, slice(min(len(rows) - start, TILE_ROWS))))
        return concat(done)

    def _completed(
        self,
        rows: Encoded,
        given: np.ndarray,
        within: Mapping[int, np.ndarray],
        uniforms: Tensor,
    ) -> Encoded:
        """A tile of rows completed; those of which nothing is given begin with z."""
        folded, scalars = self.folded, self._there(rows.scalars)
        codes = self._there(rows.codes).long().where(self._there(given), 0)
        outcomes = folded.decoder.outcomes(codes, cells_of(scalars)).t().contiguous()
        outcomes = outcomes.where(self._there(given[:, folded.fields]), 0)
        begun = folded.from_given(outcomes, scalars, given)
        some = self._there(np.asarray(given.any(1))).unsqueeze(1)
        free = folded.from_mixture(uniforms[:, : folded.width])
        begun.state = torch.where(some, begun.state, free.state)
        allowed = {k: self._there(each) for k, each in within.items()}
        return self._finished(begun, uniforms, (), allowed)[0]

    def _tries(self, plan: Plan, uniforms: np.ndarray) -> np.ndarray:
        """The uniforms of every try, (B · tries, head + S), those of a row one after another."""
        shared = np.repeat(uniforms[:, : self.head], plan.tries, axis=0)
        steps = uniforms[:, self.head + 1 :].reshape(len(shared), len(self.folded.sizes))
        return np.concatenate([shared, steps], axis=1)

    def _tile(
        self, tile: Tensor, inside: Sequence[tuple[Plan, slice]]
    ) -> tuple[Encoded, np.ndarray]:
        """A tile's tries (T,) from their uniforms, and the logarithms of their weights (T,)."""
        folded, spans = self.folded, list[tuple[slice, Spans]]()
        rows = folded.from_mixture(tile[:, : folded.width])
        for plan, at in inside:
            if plan.options is not None:
                rows.put(at, plan.options.take(tile[at, 0]))
            spans.append((at, plan.spans))
        if any(plan.tries > 1 for plan, _ in inside):
            rows.plain = folded.plain.expand_as(rows.state)
        return self._finished(rows, tile, spans)

    def _finished(
        self,
        rows: Lanes,
        tile: Tensor,
        spans: Sequence[tuple[slice, Spans]],
        within: Mapping[int, Tensor] | None = None,
    ) -> tuple[Encoded, np.ndarray]:
        """A tile's rows that have begun, and the logarithms of their weights (T,)."""
        folded, first = self.folded, rows.state.clone()
        log_weight = folded.advance(rows, tile[:, self.head :], within=within)
        codes, cells = folded.codes_of(rows.outcomes)
        places = tile[:, folded.width : self.head]
        scalars = draw_scalars(folded.decoder, self.layout, codes, cells, first, spans, places)
        encoded = Encoded(codes.cpu().to(torch.int16).numpy(), scalars.cpu().float().numpy())
        return encoded, log_weight.cpu().numpy()

    def _kept(self, parts: Sequence[tuple[Plan, np.ndarray]], log_weight: np.ndarray) -> np.ndarray:
        """Which try of every row is kept, (B,)."""
        kept, start = [np.zeros(0, np.int64)], 0
        for plan, uniforms in parts:
            each = log_weight[start : start + len(uniforms) * plan.tries].reshape(-1, plan.tries)
            first = start + np.arange(len(uniforms)) * plan.tries
            if plan.tries > 1:
                weights = np.exp(each - each.max(1, keepdims=True)).cumsum(1, np.float64)
                chosen = uniforms[:, self.head : self.head + 1] * weights[:, -1:]
                first = first + (weights <= chosen).sum(1)
            kept.append(first)
            start += each.size
        return np.concatenate(kept)

    def _there(self, array: np.ndarray) -> Tensor:
        """An array on the model's device."""
        return torch.from_numpy(array).to(self.folded.device)


def _inside(tries: Sequence[tuple[Plan, np.ndarray]], start: int) -> Iterator[tuple[Plan, slice]]:
    """The tries under each plan within a tile, counted from its first."""
    begin = -start
    for plan, uniforms in tries:
        end = begin + len(uniforms)
        if begin < TILE_ROWS and end > 0 and end > begin:
            yield plan, slice(max(begin, 0), min(end, TILE_ROWS))
        begin = end


def _filled(values: np.ndarray, value: float | bool = _MIDDLE) -> np.ndarray:
    """The same, filled up to the rows of a tile."""
    short = TILE_ROWS - len(values)
    filling = np.full((short, values.shape[1]), value, values.dtype)
    return np.concatenate([values, filling]) if short else np.ascontiguousarray(values)
