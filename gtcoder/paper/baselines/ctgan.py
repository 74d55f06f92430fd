"""CTGAN (Xu et al., Modeling Tabular Data using Conditional GAN, NeurIPS 2019)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gtcoder.paper.baselines.baseline import Baseline
from gtcoder.paper.baselines.conditional_vector import Asked, ConditionalVectors
from gtcoder.paper.baselines.loop import Rows
from gtcoder.paper.baselines.networks.adversary import Critic, adam, residual_generator


@dataclass(kw_only=True)
class CTGAN(Baseline):
    """A generator asked for one category a row, and a critic that sees ten rows at once."""

    latent: int = 128
    """Dimensions of the noise."""
    width: int = 256
    """Of the hidden layers."""
    together: int = 10
    """Rows the critic judges at once (PacGAN)."""
    step_rows: int = 0
    """Rows a step takes at least, whatever the batch: rows are drawn anew by their categories, and
    a small table's small batch is too few packs for the critic."""
    dropout: float = 0.5
    """Of the critic's layers."""
    tau: float = 0.2
    """Temperature of the Gumbel-softmax, τ."""
    learning_rate: float = 2e-4
    """Of both Adams."""
    weight_decay: float = 1e-6
    """Of the generator's Adam."""

    def build(self, rows: Rows) -> None:
        """Generator, critic and what can be asked for."""
        spans, device = self.spans, rows.codes.device
        self.conditions = ConditionalVectors(spans, rows) if spans.discrete else None
        asked = self.conditions.width if self.conditions else 0
        generator = residual_generator(self.latent + asked, self.width, spans.width)
        self.generator = generator.to(device)
        self.critics = [(critic.to(device), seen) for critic, seen in self.make_critics(asked)]
        judges = [each for critic, _ in self.critics for each in critic.parameters()]
        self.generator_adam = adam(generator.parameters(), self.learning_rate, self.weight_decay)
        self.critic_adam = adam(judges, self.learning_rate)

    def make_critics(self, asked: int) -> list[tuple[Critic, Tensor]]:
        """The critics, each with the places of a row's vector that it sees."""
        width = self.spans.width
        critic = Critic(width + asked, self.width, together=self.together, dropout=self.dropout)
        return [(critic, torch.arange(width))]

    def step(self, batch: Tensor, share: float) -> None:
        """One step of the critics, then one of the generator."""
        count = max(len(batch), self.step_rows, self.together) // self.together * self.together
        self._step_critics(count)
        self._step_generator(count)

    def draw(self, count: int) -> Tensor:
        """Rows asked for categories as frequent as the table's."""
        asked = self.conditions.draw(count, by_log=False) if self.conditions else None
        return self.spans.soften(self._outputs(count, self._wanted(count, asked)), self.tau)

    def _step_critics(self, count: int) -> None:
        asked = self.conditions.draw(count, by_log=True) if self.conditions else None
        wanted = self._wanted(count, asked)
        with torch.no_grad():
            fake = self.spans.soften(self._outputs(count, wanted), self.tau)
        order = torch.randperm(count, device=fake.device)  # else the pairs give the fake away
        if self.conditions and asked:
            rows = self.conditions.rows(asked.permuted(order))
        else:
            rows = torch.randint(len(self.rows), (count,), device=fake.device)
        real = self.spans.vectors(*self.rows.take(rows))
        self.critic_adam.zero_grad(set_to_none=True)
        for critic, seen in self.critics:
            ours, theirs = (
                torch.cat([x[:, seen], w], 1) for x, w in ((real, wanted[order]), (fake, wanted))
            )
            critic.loss(ours, theirs).backward()
        self.critic_adam.step()

    def _step_generator(self, count: int) -> None:
        asked = self.conditions.draw(count, by_log=True) if self.conditions else None
        wanted = self._wanted(count, asked)
        outputs = self._outputs(count, wanted)
        fake = self.spans.soften(outputs, self.tau)
        loss = fake.new_zeros(())
        for critic, seen in self.critics:
            loss = loss - critic(torch.cat([fake[:, seen], wanted], 1)).mean()
        if self.conditions and asked:
            field = self.conditions.fields[asked.column]
            logits = outputs[:, self.spans.scalars :]
            loss = loss + self.spans.cross_entropy_of(logits, field, asked.code).mean()
        self.generator_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_adam.step()

    def _wanted(self, count: int, asked: Asked | None) -> Tensor:
        """What is asked of each row as a vector; of no width if nothing can be asked."""
        if self.conditions and asked:
            return self.conditions.vectors(asked)
        return self.rows.scalars.new_zeros(count, 0)

    def _outputs(self, count: int, wanted: Tensor) -> Tensor:
        """The generator's outputs (count, W) before their activations."""
        noise = torch.randn(count, self.latent, device=wanted.device)
        return self.generator(torch.cat([noise, wanted], 1))
