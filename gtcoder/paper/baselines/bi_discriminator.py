"""Bi-discriminator GAN (Esmaeilpour et al., Pattern Recognition Letters 2022).

Two critics where CTGAN has one: over the continuous columns and over the discrete ones.

NOTE[DIFF]: the paper draws its conditional term by a χ² distribution of its own; here it is
CTGAN's, drawn by the logarithm of the frequencies. Both critics are told what was asked of a row,
which is what ties continuous columns to discrete ones.
"""

from dataclasses import dataclass

from torch import Tensor

from gtcoder.paper.baselines.ctgan import CTGAN
from gtcoder.paper.baselines.networks.adversary import Critic


@dataclass(kw_only=True)
class BiDiscriminatorGAN(CTGAN):
    """A conditional generator against a critic for each modality the table has."""

    together: int = 1
    """Rows a critic judges at once."""

    def make_critics(self, asked: int) -> list[tuple[Critic, Tensor]]:
        """One critic over the continuous columns, one over the discrete ones."""
        discrete = set(self.spans.discrete)
        continuous = set(range(len(self.spans.sizes))) - discrete
        critics = []
        for fields in (sorted(continuous), sorted(discrete)):
            if fields:
                seen = self.spans.columns(fields)
                critic = Critic(
                    len(seen) + asked, self.width, together=self.together, dropout=self.dropout
                )
                critics.append((critic, seen))
        return critics
