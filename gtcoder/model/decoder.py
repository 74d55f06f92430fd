"""Eq. 10 and 12, GTCoder: from z to the codes of a row, one step a field.

Shapes: B rows, K fields, S steps, Z latent, H hidden, V_s outcomes of step s, V of all steps.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gtcoder.codec.layout import Field, Layout, Scalar
from gtcoder.model.bounds import bounded
from gtcoder.model.steps import Step, digit_frequencies, steps_of


def smooth_basis(step: Step, field: Field) -> Tensor:
    """Hermite polynomials of degree 1 and 2 of each outcome's normal score, (V_s, 2).

    0 where outcomes have no order. A Gaussian tilt of the marginal is linear in them.
    """
    if not field.ordered or step.size != field.cardinality:
        return torch.zeros(step.size, 2)
    share = torch.tensor(field.frequencies, dtype=torch.float64)
    middle = share.cumsum(0) - share / 2
    score = torch.special.ndtri(middle.clamp(1e-4, 1 - 1e-4))
    return torch.stack([score, (score.square() - 1) / 2**0.5], 1).float()


class OutcomeTable(nn.Module):
    """A vector for every outcome of every step, (V, H): a smooth part and a free one.

    Neighbouring values share the smooth part, which a few rows suffice to learn; the free part
    tells them apart where there are rows to say so, and decays where there are none.
    """

    basis: Tensor
    step: Tensor

    def __init__(self, bases: Sequence[Tensor], hidden: int, std: float) -> None:
        super().__init__()
        basis = torch.cat(list(bases))  # (V, 2)
        sizes = torch.tensor([len(each) for each in bases])
        unordered = basis.any(1, keepdim=True).logical_not()
        self.smooth = nn.Parameter(std * torch.randn(len(bases), basis.shape[1], hidden))
        self.free = nn.Parameter(std * torch.randn(len(basis), hidden) * unordered)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer(
            "step", torch.arange(len(bases)).repeat_interleave(sizes), persistent=False
        )

    def forward(self) -> Tensor:
        """The vectors, (V, H)."""
        return self.free + torch.einsum("vp,vph->vh", self.basis, self.smooth[self.step])


class Decoder(nn.Module):
    """Logits of every step from z and, when autoregressive, from the steps before it.

    NOTE[DIFF]: Eq. 10 decodes all columns from z alone, so that a dependence z does not carry is
    lost. Here a step also sees what was drawn before it, through one running sum shared by all
    steps (NADE, Larochelle & Murray 2011), at the price of one table look-up a step.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        latent: int,
        hidden: int,
        autoregressive: bool,
        dropout: float = 0,
        jitter: float = 0,
    ) -> None:
        super().__init__()
        self.steps = steps_of(layout)
        self.modes = [k for k, f in enumerate(layout.fields) if f.scalar is Scalar.MODE]
        self.step_sizes = [step.size for step in self.steps]
        self.first = [sum(self.step_sizes[:s]) for s in range(len(self.step_sizes))]
        self.dropout, self.jitter = dropout, jitter
        self.ordered = [k for k, field in enumerate(layout.fields) if field.ordered]
        self.present = [layout.fields[k].present for k in self.ordered]
        bases = [smooth_basis(step, layout.fields[step.field]) for step in self.steps]
        self.expand = nn.Sequential(nn.Linear(latent, 64), nn.GELU(), nn.Linear(64, hidden))
        self.step = nn.Parameter(torch.zeros(len(self.step_sizes), hidden))
        self.seen = OutcomeTable(bases, hidden, std=0.1) if autoregressive else None
        self.heads = OutcomeTable(bases, hidden, std=0.0)
        shares = [digit_frequencies(s, layout.fields[s.field].frequencies) for s in self.steps]
        self.bias = nn.Parameter(torch.cat(shares).clamp_min(1e-6).log())
        if self.modes:
            self.mode_mean = nn.Linear(hidden, len(layout.fields))
            self.mode_log_std = nn.Parameter(torch.full((len(layout.fields),), -1.0))

    def states(self, z: Tensor, codes: Tensor) -> Tensor:
        """What each step's head sees, (B, S, H), given the true outcomes before it.

        In training, whole outcomes and single units are dropped at random, so that no step relies
        on one of them alone, and numbers are moved to codes nearby: when rows are drawn, what was
        drawn before is never exactly what training rows had.
        """
        state = self.expand(z).unsqueeze(1) + self.step  # (B, S, H)
        if self.seen is not None:
            codes = self._jittered(codes) if self.training and self.jitter else codes
            outcomes = [
                first + s.digit(codes) for first, s in zip(self.first, self.steps, strict=True)
            ]
            seen = functional.embedding(torch.stack(outcomes, 1), self.seen())  # (B, S, H)
            kept = functional.dropout(torch.ones_like(seen[:, :, :1]), self.dropout, self.training)
            seen = seen * kept  # 1 / (1 - p) where kept, so that the sum's mean is that of drawing
            state = state + seen.cumsum(1) - seen
        return functional.dropout(functional.relu(state), self.dropout, self.training)

    def _jittered(self, codes: Tensor) -> Tensor:
        """Ordered fields' codes moved at random; those that mean missing stay apart."""
        exact, present = codes[:, self.ordered], codes.new_tensor(self.present)
        noise = (torch.randn(exact.shape, device=codes.device) * self.jitter).round().long()
        moved = torch.minimum((exact + noise).clamp_min(0), (present - 1).clamp_min(0))
        jittered = codes.clone()
        jittered[:, self.ordered] = torch.where(exact >= present, exact, moved)
        return jittered

    def logits(self, states: Tensor) -> list[Tensor]:
        """Logits of each step from what its head sees (B, S, H): S of (B, V_s)."""
        weights, biases = self.heads().split(self.step_sizes), self.bias.split(self.step_sizes)
        return [
            functional.linear(states[:, s], weight, bias)
            for s, (weight, bias) in enumerate(zip(weights, biases, strict=True))
        ]

    def reconstruction(self, z: Tensor, codes: Tensor, scalars: Tensor) -> Tensor:
        """Eq. 12: −log p(row | z), (B,): cross-entropies, and Gaussians for the scalars of modes.

        Args:
            z: float32 (B, Z).
            codes: int64 (B, K).
            scalars: float32 (B, K).
        """
        states = self.states(z, codes)  # (B, S, H)
        total = z.new_zeros(len(z))
        for step, logits in zip(self.steps, self.logits(states), strict=True):
            digit = step.digit(codes)
            total = total + functional.cross_entropy(logits.float(), digit, reduction="none")
        if self.modes:
            mean, log_std = self.scalar_distribution(states[:, 0])
            error = (scalars - mean).square() / (2 * (2 * log_std).exp()) + log_std
            total = total + error[:, self.modes].sum(1)
        return total

    def scalar_distribution(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean t(X) (tanh) and log standard deviation θ of every field's scalar: (B, K), (K,)."""
        return torch.tanh(self.mode_mean(state)).float(), bounded(self.mode_log_std, -5, 1)
