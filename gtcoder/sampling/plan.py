"""What a set of conditions asks of drawing: where to begin, what each step may give, which scalars.

A plan is made once for a model and its conditions; rows under different plans are drawn together.

Under conditions a row is one of 32 candidates. A candidate's component c is drawn from
q(c) ∝ π_c · Π_k Σ_v f_ckv · a_kv, where f_ckv is how often code v of the constrained field k goes
with c, and a_kv the share of v's rows that meet the condition. Its constrained steps are drawn
from p_s(o | z, steps before) · a_so, renormalised. It is kept with a chance in proportion to

    w = Π_s Σ_o p_s(o | z, steps before) · a_so  /  Π_k Σ_v f_ckv · a_kv,

the likelihood of the conditions on its way over that of its component, which was paid for by q.
Unconstrained steps after the last constrained one are drawn for the kept candidate alone. Where a
condition is on what rules derive, rows that do not meet it are drawn anew, so that rows follow the
model's distribution given the condition.

Shapes: S steps, P padded outcomes of a step, D outcomes of the step before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Constraint
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.steps import CELLS, Step
from gtcoder.where.conditions import Conditions

CANDIDATES = 32
"""Draws of which one is kept, by its likelihood of the conditions."""
OUTCOME_MULTIPLE = 16
"""Outcomes of a step are padded to a multiple: matrix products of odd widths take twice as long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How rows under certain conditions, or under none, are drawn."""

    candidates: int
    """Draws of which one is kept."""
    prefix: int
    """So many steps are taken by every candidate, the rest by the one that is kept."""
    each_candidate: int
    """Uniform numbers a candidate is made of: its component, z, its steps."""
    width: int
    """Uniform numbers a row is made of."""
    component_cdf: Tensor
    """p(component ≤ c | conditions), float64 (components,)."""
    component_log_likelihood: Tensor
    """log p(conditions | component), (components,)."""
    allowed: Mapping[int, Tensor]
    """Of each constrained step, the log share of each outcome that meets the condition, (D, P):
    by the outcome of the step before it where that is the leading digit of the same code."""
    spans: Mapping[int, tuple[Tensor, Tensor]]
    """Of each constrained field, the least and the greatest scalar of each code."""
    asked: Conditions
    """The conditions, whose checks whole rows have to meet."""

    @classmethod
    def of(cls, model: GTCoder, asked: Conditions) -> "Plan":
        """The plan of a model's rows that meet conditions."""
        by_field = dict(sorted(asked.fields.items()))  # products round by their order
        steps = model.decoder.steps
        constrained = [s for s, step in enumerate(steps) if step.field in by_field]
        prefix = max(constrained) + 1 if constrained else 0
        candidates = CANDIDATES if constrained else 1
        each_candidate = 1 + model.config.latent + prefix
        last = len(steps) - prefix + len(model.tokens.cardinalities)
        cdf, log_likelihood = _components(model, by_field)
        return cls(
            candidates=candidates,
            prefix=prefix,
            each_candidate=each_candidate,
            width=candidates * each_candidate + 1 + last,
            component_cdf=cdf,
            component_log_likelihood=log_likelihood,
            allowed={
                s: _allowed(steps[s], by_field[steps[s].field]).to(cdf.device) for s in constrained
            },
            spans={
                field: (
                    torch.from_numpy(np.asarray(c.low)).to(cdf.device),
                    torch.from_numpy(np.asarray(c.high)).to(cdf.device),
                )
                for field, c in by_field.items()
            },
            asked=asked,
        )


def padded_size(outcomes: int) -> int:
    """Outcomes of a step with those that cannot be drawn."""
    return outcomes + -outcomes % OUTCOME_MULTIPLE


def _components(model: GTCoder, by_field: Mapping[int, Constraint]) -> tuple[Tensor, Tensor]:
    """Each component weighs its weight times how often it meets each condition."""
    mixture = model.mixture
    frequencies = mixture.frequencies.double().split(model.tokens.cardinalities, dim=1)
    likelihood = torch.ones_like(mixture.weights, dtype=torch.float64)
    for field, constraint in by_field.items():
        allowed = torch.from_numpy(np.asarray(constraint.weights)).to(likelihood)
        likelihood = likelihood * (frequencies[field] @ allowed).clamp_min(1e-12)
    weights = mixture.weights.double() * likelihood
    return (weights / weights.sum()).cumsum(0), likelihood.log().float()


def _allowed(step: Step, constraint: Constraint) -> Tensor:
    """The log share of each outcome that meets the condition, (D, P); -inf where it cannot.

    Of a cell it is relative to the share of its code, which the code's own step has counted.
    """
    weights = torch.from_numpy(np.asarray(constraint.weights))
    if step.is_cell:
        shares = _cell_shares(constraint) / weights.clamp_min(1e-9).unsqueeze(1)
    elif step.divisor == 1 and step.size == len(weights):
        shares = weights[None]
    else:
        low = step.divisor if step.divisor > 1 else step.size
        table = torch.nn.functional.pad(weights, (0, -len(weights) % low)).view(-1, low)
        shares = (table > 0).any(1)[None].float() if step.divisor > 1 else table
    short = padded_size(step.size) - step.size
    return torch.nn.functional.pad(shares, (0, short)).log()


def _cell_shares(constraint: Constraint) -> Tensor:
    """The share of each cell of each code that meets the condition, (V, CELLS)."""
    low, high = (
        torch.from_numpy(np.asarray(e)).unsqueeze(1) for e in (constraint.low, constraint.high)
    )
    edges = torch.arange(CELLS + 1) / CELLS
    inside = torch.minimum(high, edges[1:]) - torch.maximum(low, edges[:-1])  # 0 of a single place
    met = (inside >= 0) & (torch.from_numpy(np.asarray(constraint.weights)).unsqueeze(1) > 0)
    return (inside * CELLS).clamp(1e-6, 1) * met
