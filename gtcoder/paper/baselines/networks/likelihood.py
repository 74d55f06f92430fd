"""p(row | outputs) of the autoencoders: a softmax for every field's code, a Gaussian for a scalar.

After TVAE: the Gaussian stands at the output's tanh, its deviation is learned for each scalar.
Shapes: B rows, K fields, S scalars, W outputs.
"""

import torch
from torch import Tensor, nn

from gtcoder.paper.baselines.spans import Spans, gumbel


class RowLikelihood(nn.Module):
    """The decoder's last step, with one deviation a scalar."""

    def __init__(self, spans: Spans) -> None:
        super().__init__()
        self.spans = spans
        self.sigma = nn.Parameter(torch.full((spans.scalars,), 0.1))

    def negative_log(self, outputs: Tensor, codes: Tensor, scalars: Tensor) -> Tensor:
        """-log p of rows, up to a constant, (B,)."""
        at = self.spans.scalars
        sigma = self._sigma()
        misses = (scalars[:, self.spans.scalar_fields] - outputs[:, :at].tanh()) / sigma  # (B, S)
        gaussians = (misses.square() / 2 + sigma.log()).sum(1)
        return gaussians + self.spans.cross_entropy(outputs[:, at:], codes).sum(1)

    def draw(self, outputs: Tensor) -> Tensor:
        """Rows as vectors (B, W): scalars drawn and clipped, codes drawn by the Gumbel trick."""
        at = self.spans.scalars
        means, logits = outputs[:, :at].tanh(), outputs[:, at:]
        scalars = (means + self._sigma() * torch.randn_like(means)).clamp(-1, 1)
        return torch.cat([scalars, logits + gumbel(logits)], 1)

    def _sigma(self) -> Tensor:
        return self.sigma.clamp(0.01, 1.0)
