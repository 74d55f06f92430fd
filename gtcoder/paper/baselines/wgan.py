"""WGAN with a gradient penalty, as Xiao et al. (Computers in Biology and Medicine 2021) use it.

Unconditional: noise in, a row out; one critic over all columns, five of its steps to one of the
generator's, each on fresh real rows (Gulrajani et al., NeurIPS 2017, Algorithm 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.paper.baselines.baseline import Baseline
from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.networks.adversary import Critic, adam
from gtcoder.paper.baselines.networks.perceptron import perceptron


@dataclass(kw_only=True)
class WGAN(Baseline):
    """A dense generator and a dense critic."""

    latent: int = 128
    """Dimensions of the noise."""
    width: int = 256
    """Of the hidden layers."""
    critic_steps: int = 5
    """Of the critic to one of the generator."""
    tau: float = 0.2
    """Temperature of the Gumbel-softmax, τ."""
    learning_rate: float = 2e-4
    """Of both Adams."""

    def build(self, rows: Rows) -> None:
        """Generator and critic, with an optimizer each."""
        spans, device = self.spans, rows.codes.device
        widths = (self.latent, self.width, self.width, spans.width)
        self.generator = perceptron(*widths, norm=True).to(device)
        self.critic = Critic(spans.width, self.width).to(device)
        self.generator_adam = adam(self.generator.parameters(), self.learning_rate)
        self.critic_adam = adam(self.critic.parameters(), self.learning_rate)

    def step(self, batch: Tensor, share: float) -> None:
        """The critic's steps, each on real and fake rows of its own, then the generator's.

        The real rows are drawn uniformly from all of them: of the batch only its size counts.
        """
        count = len(batch)
        for _ in range(self.critic_steps):
            rows = torch.randint(len(self.rows), (count,), device=batch.device)
            self._step_critic(self.spans.vectors(*self.rows.take(rows)))
        self.generator_adam.zero_grad(set_to_none=True)
        (-self.critic(self.draw(count)).mean()).backward()
        self.generator_adam.step()

    def _step_critic(self, real: Tensor) -> None:
        with torch.no_grad():
            fake = self.draw(len(real))
        self.critic_adam.zero_grad(set_to_none=True)
        self.critic.loss(real, fake).backward()
        self.critic_adam.step()

    def draw(self, count: int) -> Tensor:
        """Rows of fresh noise."""
        noise = torch.randn(count, self.latent, device=self.rows.codes.device)
        return self.spans.soften(self.generator(noise), self.tau)
