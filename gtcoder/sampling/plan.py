"""What a set of conditions asks of drawing: where rows begin, and within which spans numbers lie.

A plan is made once for a model and its conditions; rows under different plans are drawn together.

A model's p(rest | given), q, is learned for every part of a row that may be given, and less well
than p(row), p, whose conditional it should be. Each draw from an option weighs

    w = p(row) / q(rest | given),

which is p(rest | given) / q(rest | given) up to a constant of the option. So a plan first draws
some rows. Where their weights vary, it learns of them what to add to the logits of every outcome,
so that on rows weighed by w it is as likely as it is frequent:

    shift_s(o) = log (Σ w [o_s = o] + `PRIOR`) / (Σ w q_s(o) + `PRIOR`).

Where they still vary, a row is one of two tries from the same option, kept with a chance in
proportion to w, which leaves about half of the error of one.

Where a condition is on what rules derive, rows that do not meet it are drawn anew, so that rows
follow the model's distribution given the condition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Layout
from gtcoder.sampling.folded import TILE_ROWS, Folded
from gtcoder.sampling.options import Options
from gtcoder.seeds import Purpose, generator
from gtcoder.where.conditions import Conditions

FEW = 1_000
"""Candidates that count, of which fewer are told."""
LEFT = 0.05
"""Variance of log w that nobody sees in rows."""
MOST_TRIES = 2
PROBED_TILES = 8
"""Tiles of rows that the shifts are learned of, or fewer where `PROBED_LOGITS` are too many."""
PROBED_LOGITS = 1 << 24
TOGETHER = 16
"""Of them so many begin with the same option, and their weights sum to 1."""
FEW_OPTIONS = 64
"""Of so many at most, each has shifts of its own, which say what is given later as well."""
PRIOR = 10.0
"""Rows that say of every outcome that it is as frequent as likely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How rows under certain conditions, or under none, are drawn."""

    options: Options | None
    """What rows begin with; None of those that begin with z alone."""
    spans: Mapping[int, tuple[Tensor, Tensor]]
    """Of each constrained field, the least and the greatest scalar of each code."""
    asked: Conditions
    """The conditions, whose checks whole rows have to meet."""
    tries: int = 1
    """Rows that are drawn for one that is kept."""

    @classmethod
    def of(cls, folded: Folded, layout: Layout, asked: Conditions) -> "Plan":
        """The plan of a model's rows that meet conditions."""
        device, fields = folded.device, asked.fields
        options, tries = Options.of(folded, layout, asked) if fields else None, 1
        if options is not None and folded.conditional:
            options, tries = _calibrated(folded, options)
        return cls(
            options=options,
            spans={
                field: (
                    torch.from_numpy(np.asarray(c.low)).to(device),
                    torch.from_numpy(np.asarray(c.high)).to(device),
                )
                for field, c in fields.items()
            },
            asked=asked,
            tries=tries,
        )

    @property
    def warning(self) -> str:
        """One line where the conditions are met badly, else nothing."""
        if self.options is None or not self.options.candidates:
            return ""
        if self.options.effective >= FEW:
            return ""
        return (
            "the conditions are seldom met together: what they bind was drawn from "
            f"{self.options.candidates:,} candidates that count for {self.options.effective:,.0f}; "
            "expect too few different combinations, or widen a condition"
        )


@torch.inference_mode()
def _calibrated(folded: Folded, options: Options) -> tuple[Options, int]:
    """The options with shifts of their logits where these help, and how many tries they take.

    Shifts are fitted to half of the rows that are tried out; those of a step on which the other
    half is not likelier with them are left out. What the others leave is seen on that half.
    """
    probes = _probed(folded, options)
    variance = probes.variance(probes.log_weight)
    if variance <= LEFT:
        return _with(folded, options, None), 1
    half = len(probes.log_weight) // 2
    fitted, left = probes.log_weight.new_zeros(1, folded.padded[-1].stop), probes.log_weight.clone()
    for s, logits in enumerate(probes.logits):
        if not logits:
            continue
        before = torch.cat(logits).log_softmax(1)
        moved = probes.shift(s, before, slice(half))
        gained = probes.gained(s, before, moved)
        if (probes.weights * gained)[half:].sum() > 0:
            fitted[0, folded.padded[s]] = probes.shift(s, before, slice(None))
            left -= gained
    variance = probes.variance(left[half:])
    return _with(folded, options, fitted), MOST_TRIES if variance > LEFT else 1


def _with(folded: Folded, options: Options, shift: Tensor | None) -> Options:
    """The options with shifts (1, ΣP); of few, also with what is given later as shifts."""
    if len(options.cdf) > FEW_OPTIONS:
        return replace(options, begin=replace(options.begin, shift=shift))
    own = folded.shifted(options.begin)
    own = own if shift is None else own + shift
    return replace(options, begin=replace(options.begin, later=None, shift=own))


@dataclass(frozen=True, slots=True)
class _Probes:
    """Rows that tell how good options are: P of them, whole groups with the same option."""

    spread: Mapping[int, Tensor]
    """Of steps that draw cells, which codes have a span."""
    outcomes: Tensor
    """int64 (P, S)."""
    log_weight: Tensor
    """Of w, (P,)."""
    weights: Tensor
    """w over its mean in the group, (P,)."""
    logits: Sequence[list[Tensor]]
    """Of each step that is drawn, those of every tile, (T, P_s)."""

    def variance(self, log_weight: Tensor) -> float:
        """Of the logarithms of weights (P,) within groups, their mean."""
        return float(log_weight.view(-1, TOGETHER).var(1).mean().cpu())

    def shift(self, s: int, before: Tensor, rows: slice) -> Tensor:
        """What makes a step's outcomes as likely as they are frequent among some rows, (P_s,).

        Args:
            s: the step.
            before: log q_s(o), (P, P_s).
            rows: which.
        """
        weights = self.weights[rows]
        prior = PRIOR * weights.square().sum() / weights.sum()  # in rows that weigh alike
        counted = weights * self._counted(s)[rows]
        likely = counted @ before[rows].exp()
        frequent = torch.zeros_like(likely).index_add(0, self.outcomes[rows, s], counted)
        return ((frequent + prior) / (likely + prior)).log()

    def gained(self, s: int, before: Tensor, moved: Tensor) -> Tensor:
        """By how much a shift (P_s,) makes each row's outcome likelier, in nats, (P,)."""
        after = (before + moved).log_softmax(1)
        at = self.outcomes[:, s : s + 1]
        return (after.gather(1, at) - before.gather(1, at))[:, 0] * self._counted(s)

    def _counted(self, s: int) -> Tensor:
        """0 of cells of codes that are single values, which nothing trains; else 1: (P,)."""
        if s not in self.spread:
            return torch.ones_like(self.log_weight)
        return self.spread[s][self.outcomes[:, s - 1]]


def _probed(folded: Folded, options: Options) -> _Probes:
    """Rows with these options, and how they weigh."""
    rng, steps = generator(1, Purpose.CONDITIONS), len(folded.sizes)
    tiles = max(min(PROBED_TILES, PROBED_LOGITS // (TILE_ROWS * folded.padded[-1].stop)), 1)
    outcomes, weights = list[Tensor](), list[Tensor]()
    logits: list[list[Tensor]] = [[] for _ in range(steps)]
    for _ in range(tiles):
        at = torch.from_numpy(rng.random(TILE_ROWS // TOGETHER)).to(folded.device)
        rows = options.take(at.repeat_interleave(TOGETHER))
        rows.plain = folded.plain.expand_as(rows.state)
        uniforms = torch.from_numpy(rng.random((TILE_ROWS, steps))).to(folded.device)
        weights.append(folded.advance(rows, uniforms, told=logits))
        outcomes.append(rows.outcomes)
    log_weight = torch.cat(weights)
    over_mean = TOGETHER * log_weight.view(-1, TOGETHER).softmax(1).flatten()
    return _Probes(folded.spread, torch.cat(outcomes), log_weight, over_mean, logits)
