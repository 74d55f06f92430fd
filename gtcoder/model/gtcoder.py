"""GTCoder whole: tokens → fusion → posterior → z → decoder, and the losses of Eq. 9, 11 and 12.

Shapes: B rows, K fields, M discrete fields, C token width, Z latent, G components.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gtcoder.codec.layout import Layout
from gtcoder.config import ModelConfig
from gtcoder.model.decoder import Decoder
from gtcoder.model.fusion import Fusion, Posterior, reparameterise, summary
from gtcoder.model.grouped import Grouped
from gtcoder.model.latent import LatentMixture
from gtcoder.model.prior import LabelPrior, gaussian_log_prob
from gtcoder.model.tokens import Tokens

CONTRASTED = 4
"""NOTE[DIFF]: Eq. 11 is a mean over the batch; here it is one over the first row in so many, as it
alone needs all tokens of the last layer."""


class Losses(NamedTuple):
    """The terms of Eq. 13, each a mean over the batch, in nats a row."""

    reconstruction: Tensor
    """Eq. 12, summed over columns."""
    kl_label: Tensor
    """Eq. 9, against Eq. 8's mixture of the row's own categories (N(0, I) without it)."""
    kl_mixture: Tensor
    """Eq. 9, against the latent mixture that rows are drawn from; 0 before it is fitted."""
    contrastive: Tensor
    """Eq. 11; 0 when switched off."""
    conditional: Tensor
    """−log p(rest | given) of the rows that are shown in part; 0 without any."""


class Asked(NamedTuple):
    """Rows to be completed from part of them."""

    rows: Tensor
    """Which rows of a batch, int64 (A,); one can be asked several times."""
    given: Tensor
    """Which of their fields are given, bool (A, K)."""


class GTCoder(nn.Module):
    """The autoencoder. `forward` gives the losses, so that DDP can wrap it."""

    def __init__(self, layout: Layout, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, latent = config.width, config.latent
        self.tokens = Tokens(layout, width, conditional=config.conditional)
        self.fusion = Fusion(
            width=width, heads=config.heads, layers=config.layers if config.fusion else 0
        )
        self.posterior = Posterior(width, latent)
        self.decoder = Decoder(
            layout,
            latent=latent,
            hidden=config.hidden,
            features=config.features,
            autoregressive=config.autoregressive,
            conditional=config.conditional,
            dropout=config.dropout,
            single_share=config.single_share,
        )
        if config.conditional:
            self.context = nn.Linear(width, config.hidden)
        self.mixture = LatentMixture(config.components, latent)
        discrete = [k for k, field in enumerate(layout.fields) if field.discrete]
        self.contrast = config.contrastive and bool(discrete)
        self.prior = None
        if discrete and (config.mixture_prior or self.contrast):
            self.prior = LabelPrior(layout, width, latent, gaussians=config.mixture_prior)
        if self.contrast:
            self.projection = nn.Linear(width, width)
            self.contrasts = Grouped([layout.fields[k].cardinality for k in discrete])

    def free_parameters(self) -> list[nn.Parameter]:
        """Vectors of single values, which few rows have a say in: they decay when rows are few."""
        decoder, embedding = self.decoder, self.tokens.embedding.weight
        assert isinstance(embedding, nn.Parameter)
        tables = [t for t in (decoder.heads, decoder.seen, decoder.ahead) if t is not None]
        vectors = [each for table in tables for each in (table.free, table.own)]
        return [embedding, *(each for each in vectors if each is not None)]

    def rows_within(self, values: int) -> int:
        """Of how many rows the decoder has so many states and features at most; one at least."""
        each = self.config.hidden + self.config.features
        return max(1, values // (len(self.decoder.steps) * each))

    def encode(
        self, codes: Tensor, scalars: Tensor, whole: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """μ and log σ² of q(z | row), both (B, Z), and fused tokens (whole, K + 1, C).

        Args:
            codes: int64 (B, K).
            scalars: float32 (B, K).
            whole: the first so many rows have all of their tokens fused.
        """
        tokens = self.tokens(codes, scalars)
        cls, fused = self.fusion(tokens, whole)
        mu, logvar = self.posterior(tokens, cls)
        return mu.float(), logvar.float(), fused

    def context_of(self, codes: Tensor, scalars: Tensor, given: Tensor) -> Tensor:
        """What the decoder begins with where part of a row is given, (B, H).

        Linear([CLS]_out + 1/K Σ_k x_k) as in Eq. 6, over tokens x of which those not given say
        only that.

        Args:
            codes: int64 (B, K), any where not given.
            scalars: float32 (B, K).
            given: bool (B, K).
        """
        tokens = self.tokens(codes, scalars, given)
        cls, _ = self.fusion(tokens, 0)
        return self.context(summary(tokens, cls))

    def attention(self, codes: Tensor, scalars: Tensor) -> Tensor:
        """The last fusion layer's attention, averaged over heads, (B, K + 1, K + 1); [CLS] first.

        The last layer's, because its [CLS] row weighs what becomes Eq. 6's [CLS] output.
        """
        return self.fusion.attention(self.tokens(codes, scalars))

    def forward(
        self,
        codes: Tensor,
        scalars: Tensor,
        *,
        noise: Tensor,
        against_mixture: bool,
        asked: Asked | None = None,
    ) -> Losses:
        """Losses of a batch.

        Args:
            codes: int64 (B, K).
            scalars: float32 (B, K).
            noise: float32 (B, Z), standard normal: the draw of z.
            against_mixture: whether the latent mixture is fitted and has its own KL.
            asked: A rows of the batch that are to be completed besides.
        """
        conditional, tables = noise.new_zeros(()), self.decoder.tables()
        if asked is not None:
            part, places = codes[asked.rows], scalars[asked.rows]
            context = self.context_of(part, places, asked.given)
            surprise = self.decoder.surprise(context, part, places, asked.given, tables)
            conditional = surprise.sum(1).mean()
        contrasted = -(-len(codes) // CONTRASTED) if self.contrast else 0
        mu, logvar, fused = self.encode(codes, scalars, contrasted)
        z = reparameterise(mu, logvar, noise)  # (B, Z)
        entropy = gaussian_log_prob(z, mu, logvar)  # log q(z | row), (B,)
        zero = z.new_zeros(())
        return Losses(
            reconstruction=self.decoder.reconstruction(z, codes, scalars, tables).mean(),
            kl_label=(entropy - self.label_log_prob(z, codes)).mean(),
            kl_mixture=(entropy - self.mixture.log_prob(z)).mean() if against_mixture else zero,
            contrastive=self.contrastive(fused, codes[:contrasted]) if self.contrast else zero,
            conditional=conditional,
        )

    def label_log_prob(self, z: Tensor, codes: Tensor) -> Tensor:
        """log p(z | categories) of Eq. 8, (B,); log N(z; 0, I) where it is switched off."""
        if self.prior is not None and self.config.mixture_prior:
            return self.prior.log_prob(z, codes)
        return gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))

    def contrastive(self, fused: Tensor, codes: Tensor) -> Tensor:
        """Eq. 11, (): mean over fields and rows of −log softmax_k(a_m · w_mk / τ) at the active k.

        Anchor: a discrete field's fused token through a projection. Positive: the embedding of its
        active category. Negatives: those of the field's other categories.
        """
        assert self.prior is not None
        fields = self.prior.fields[self.contrasts.order]
        anchors = self.projection(fused[:, 1 + fields].transpose(0, 1))  # (M, B, C)
        words = self.prior.embedding.weight / self.config.tau
        losses = self.contrasts.cross_entropy(
            [(self.contrasts.split(anchors), words)],
            words.new_zeros(len(words)),
            codes[:, fields].t(),
        )
        return losses.mean()
