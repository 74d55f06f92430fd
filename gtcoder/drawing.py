"""Drawing encoded rows: a component, z, then one step a field, all from given uniform numbers.

A row is a function of its own uniforms alone. Rows are computed in tiles of a fixed shape, so that
rounding does not depend on how many are asked for at once.

Shapes: T rows of a tile, S steps, K fields, Z latent, H hidden, V_s outcomes of step s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gtcoder.layout import Encoded, Layout, Scalar
from gtcoder.model import GTCoder

TILE_ROWS = 1_024
"""Rows computed at once."""
CANDIDATES = 32
"""Draws of which one is kept, by its likelihood of the conditions."""


class Condition(Protocol):
    """What drawing needs to know of a condition on one field."""

    @property
    def field(self) -> int:
        """Index of the field."""

    @property
    def weights(self) -> np.ndarray:
        """Share of each code's values that meet it, float32 (cardinality,)."""

    @property
    def low(self) -> np.ndarray:
        """Where in each code's bin the values that meet it begin, float32 (cardinality,)."""

    @property
    def high(self) -> np.ndarray:
        """Where they end."""


@dataclass(slots=True)
class Rows:
    """Rows being drawn."""

    state: Tensor
    """Running sum that the heads see, (T, H)."""
    outcomes: Tensor
    """Outcome of every step so far, int64 (T, S)."""
    log_weight: Tensor
    """Log likelihood of the conditions met so far, (T,)."""


class Drawer:
    """Draws encoded rows from a trained model, under conditions or none."""

    def __init__(
        self, model: GTCoder, layout: Layout, conditions: Sequence[Condition] = ()
    ) -> None:
        self.layout, self.decoder, self.mixture = layout, model.decoder.eval(), model.mixture
        self.by_field = {c.field: c for c in conditions}
        assert len(self.by_field) == len(conditions), "one condition a field"
        constrained = [
            s for s, step in enumerate(self.decoder.steps) if step.field in self.by_field
        ]
        self.prefix = max(constrained) + 1 if constrained else 0
        self.candidates = CANDIDATES if constrained else 1
        self.latent = model.config.latent
        steps, fields = len(self.decoder.steps), len(layout.fields)
        self.each_candidate = 1 + self.latent + self.prefix
        self.width = self.candidates * self.each_candidate + 1 + (steps - self.prefix) + fields
        """Uniform numbers a row is made of."""
        with torch.inference_mode():
            self._fold()
            self._weigh_components(model.tokens.sizes)

    def _fold(self) -> None:
        """Each head's weights, and what an outcome adds to the state before the next step."""
        decoder = self.decoder
        weights, biases = decoder.heads().split(decoder.sizes), decoder.bias.split(decoder.sizes)
        self.heads = [_padded(w, b) for w, b in zip(weights, biases, strict=True)]
        step = decoder.step
        following = torch.cat([step[1:], step[-1:]]) - step  # (S, H)
        seen = torch.zeros_like(decoder.heads.free) if decoder.seen is None else decoder.seen()
        split = seen.split(decoder.sizes)
        self.tables = [a + b for a, b in zip(split, following, strict=True)]

    def _weigh_components(self, sizes: list[int]) -> None:
        """p(component | conditions): its weight times how often it meets each condition."""
        frequencies = self.mixture.frequencies.double().split(sizes, dim=1)
        likelihood = torch.ones_like(self.mixture.weights, dtype=torch.float64)
        for field, condition in self.by_field.items():
            allowed = torch.from_numpy(np.asarray(condition.weights)).double()
            likelihood = likelihood * (frequencies[field] @ allowed).clamp_min(1e-12)
        weights = self.mixture.weights.double() * likelihood
        self.component_cdf = (weights / weights.sum()).cumsum(0)
        self.component_log_likelihood = likelihood.log().float()

    @torch.inference_mode()
    def draw(self, uniforms: np.ndarray) -> Encoded:
        """Encoded rows.

        Args:
            uniforms: float64 (B, `width`) in [0, 1).
        """
        most = max(1, TILE_ROWS // self.candidates)
        parts = []
        for start in range(0, len(uniforms), most):
            tile = uniforms[start : start + most]
            short = most - len(tile)
            padded = np.concatenate([tile, np.full((short, self.width), 0.5)]) if short else tile
            codes, scalars = self._tile(torch.from_numpy(np.ascontiguousarray(padded)))
            parts.append((codes[: len(tile)], scalars[: len(tile)]))
        if not parts:
            parts = [(torch.zeros(0, len(self.layout.fields)),) * 2]
        codes, scalars = (torch.cat(each) for each in zip(*parts, strict=True))
        return Encoded(codes.to(torch.int16).numpy(), scalars.float().numpy())

    def _tile(self, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (T, K) and scalars (T, K) of the uniforms (T, width)."""
        split = self.candidates * self.each_candidate
        first = uniforms[:, :split].reshape(-1, self.each_candidate)  # (T · candidates, ...)
        rows = self._begin(first[:, 0], first[:, 1 : 1 + self.latent])
        hidden = torch.relu(rows.state) if self.decoder.modes else None
        self._advance(rows, range(self.prefix), first[:, 1 + self.latent :])
        if self.candidates > 1:
            chosen = self._choose(rows.log_weight.view(len(uniforms), -1), uniforms[:, split])
            rows = Rows(rows.state[chosen], rows.outcomes[chosen], rows.log_weight[chosen])
            hidden = hidden[chosen] if hidden is not None else None
        rest = range(self.prefix, len(self.decoder.steps))
        self._advance(rows, rest, uniforms[:, split + 1 :])
        codes = self._codes(rows.outcomes)
        return codes, self._scalars(codes, hidden, uniforms[:, split + 1 + len(rest) :])

    def _begin(self, component: Tensor, normal: Tensor) -> Rows:
        """Rows before their first step, from the uniforms of their component and of z."""
        chosen = torch.searchsorted(self.component_cdf, component.contiguous(), right=True)
        chosen = chosen.clamp_max(len(self.component_cdf) - 1)
        noise = torch.special.ndtri(normal.clamp(1e-12, 1 - 1e-12)).float()  # (T, Z)
        spread = torch.einsum("tij,tj->ti", self.mixture.cholesky[chosen], noise)
        z = self.mixture.means[chosen] + spread  # (T, Z)
        return Rows(
            state=self.decoder.expand(z) + self.decoder.step[0],
            outcomes=torch.zeros(len(z), len(self.decoder.steps), dtype=torch.long),
            log_weight=-self.component_log_likelihood[chosen],
        )

    def _advance(self, rows: Rows, steps: range, uniforms: Tensor) -> None:
        """Take the named steps, by inverse CDF; a constrained step weighs the row."""
        for at, s in enumerate(steps):
            step, (weight, bias) = self.decoder.steps[s], self.heads[s]
            logits = torch.addmm(bias, torch.relu(rows.state), weight)  # (T, V_s)
            if step.field in self.by_field:
                logits = logits[:, : step.size]
                free = logits.logsumexp(1)
                logits = logits + self._allowed(s, rows.outcomes).log()
                rows.log_weight += logits.logsumexp(1) - free
            cdf = logits.softmax(1).cumsum(1)
            at_share = _below_one(uniforms[:, at : at + 1]) * cdf[:, -1:]
            outcome = torch.searchsorted(cdf, at_share, right=True).clamp_max(step.size - 1)
            rows.outcomes[:, s : s + 1] = outcome
            rows.state += self.tables[s].index_select(0, outcome[:, 0])

    def _allowed(self, s: int, outcomes: Tensor) -> Tensor:
        """Share of each outcome that meets its field's condition, (V_s,) or, by row, (T, V_s)."""
        step = self.decoder.steps[s]
        weights = torch.from_numpy(np.asarray(self.by_field[step.field].weights))
        if step.divisor == 1 and step.size == len(weights):
            return weights
        low = step.divisor if step.divisor > 1 else step.size
        table = torch.nn.functional.pad(weights, (0, -len(weights) % low)).view(-1, low)
        if step.divisor > 1:
            return (table > 0).any(1).float()
        return table[outcomes[:, s - 1]]

    def _choose(self, log_weight: Tensor, uniform: Tensor) -> Tensor:
        """One candidate a row, by weight: indices into the flat candidates, (T,)."""
        cdf = log_weight.double().softmax(1).cumsum(1)  # (T, candidates)
        kept = torch.searchsorted(cdf, uniform.unsqueeze(1).contiguous(), right=True)[:, 0]
        first = torch.arange(len(uniform)) * self.candidates
        return first + kept.clamp_max(self.candidates - 1)

    def _codes(self, outcomes: Tensor) -> Tensor:
        """Codes (T, K) from the outcomes of all steps (T, S)."""
        codes = torch.zeros(len(outcomes), len(self.layout.fields), dtype=torch.long)
        for s, step in enumerate(self.decoder.steps):
            codes[:, step.field] += outcomes[:, s] * step.divisor
        limit = torch.tensor([field.cardinality - 1 for field in self.layout.fields])
        return torch.minimum(codes, limit)

    def _scalars(self, codes: Tensor, hidden: Tensor | None, uniforms: Tensor) -> Tensor:
        """Scalars (T, K) from uniforms (T, K): positions in bins, or Eq. 12's Gaussians."""
        scalars = _below_one(uniforms)
        for field, condition in self.by_field.items():
            low, high = _span(condition, codes[:, field])
            scalars[:, field] = low + scalars[:, field] * (high - low)
        if hidden is not None:
            modes = self.decoder.modes
            scalars[:, modes] = self._mode_scalars(codes, hidden, uniforms)[:, modes]
        none = [k for k, f in enumerate(self.layout.fields) if f.scalar is Scalar.NONE]
        scalars[:, none] = 0.0
        return scalars

    def _mode_scalars(self, codes: Tensor, hidden: Tensor, uniforms: Tensor) -> Tensor:
        """Eq. 12's Gaussians within [-1, 1], or the span that meets a condition, (T, K)."""
        mean, log_std = self.decoder.scalar_distribution(hidden)
        std = log_std.exp()
        low, high = torch.full_like(mean, -1.0), torch.full_like(mean, 1.0)
        for field, condition in self.by_field.items():
            low[:, field], high[:, field] = _span(condition, codes[:, field])
        start = torch.special.ndtr(((low - mean) / std).double()).where(low > -1, 0.0)
        end = torch.special.ndtr(((high - mean) / std).double()).where(high < 1, 1.0)
        within = (start + uniforms * (end - start)).clamp(1e-12, 1 - 1e-12)
        noise = torch.special.ndtri(within).float()
        return torch.clamp(mean + std * noise, low, high)


def _span(condition: Condition, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest scalar that meet a condition in the rows' codes (T,), (T,)."""
    low, high = (torch.from_numpy(np.asarray(x)) for x in (condition.low, condition.high))
    return low[codes], high[codes]


def _below_one(uniforms: Tensor) -> Tensor:
    """As float32, where a float64 next to 1 would round to 1 and fall outside [0, 1)."""
    return uniforms.float().clamp_max(1 - 2**-24)


def _padded(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A head (V_s, H), (V_s,) as (H, P), (P,): outcomes that cannot be drawn up to whole vectors.

    Matrix products of odd widths take almost twice as long.
    """
    short = -len(bias) % 16
    wide = torch.nn.functional.pad(weight, (0, 0, 0, short)).T.contiguous()
    return wide, torch.nn.functional.pad(bias, (0, short), value=-torch.inf)
