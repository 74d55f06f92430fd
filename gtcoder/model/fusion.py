"""Eq. 4–7, GTCoder: the PreNorm transformer that fuses all columns, and the posterior over z.

Shapes: B rows, K fields, C token width, H heads, Z latent.
"""

from torch import Tensor, nn
from torch.nn import functional

from gtcoder.model.bounds import bounded


class Attention(nn.Module):
    """Multi-head self-attention (Eq. 4–5)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def by_head(self, values: Tensor) -> Tensor:
        """(B, L, C) → (B, H, L, C / H)."""
        return values.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, tokens: Tensor, queries: int | None = None) -> Tensor:
        """(B, K + 1, C) → (B, K + 1, C), or of the first so many tokens (B, queries, C)."""
        query = self.by_head(self.query(tokens[:, :queries]))
        key, value = self.by_head(self.key(tokens)), self.by_head(self.value(tokens))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def weights(self, tokens: Tensor) -> Tensor:
        """Attention weights, (B, H, K + 1, K + 1); rows sum to 1. Only explanations need them."""
        query, key = self.by_head(self.query(tokens)), self.by_head(self.key(tokens))
        return (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)


class Block(nn.Module):
    """PreNorm: attention, then a feed-forward layer, each around a residual path."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm_attention = nn.LayerNorm(width)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, tokens: Tensor, queries: int | None = None) -> Tensor:
        """(B, K + 1, C) → (B, K + 1, C), or of the first so many tokens (B, queries, C)."""
        tokens = tokens[:, :queries] + self.attention(self.norm_attention(tokens), queries)
        return tokens + self.feed(self.norm_feed(tokens))


class Fusion(nn.Module):
    """Fuses the tokens of a row; without layers (the TFT ablation) tokens pass as they are."""

    def __init__(self, *, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, whole: int) -> tuple[Tensor, Tensor]:
        """The fused [CLS] of all rows (B, C), and all fused tokens of the first (whole, K + 1, C).

        The last layer's other tokens nobody asks for.
        """
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        cls, fused = tokens[:, :1], tokens[:whole]
        for block in self.blocks[-1:]:
            cls, fused = block(tokens, queries=1), block(fused)
        return self.norm(cls[:, 0]), self.norm(fused)

    def attention(self, tokens: Tensor) -> Tensor:
        """Last layer's attention averaged over heads, (B, K + 1, K + 1)."""
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        last = self.blocks[-1]
        assert isinstance(last, Block)
        return last.attention.weights(last.norm_attention(tokens)).mean(1)


class Posterior(nn.Module):
    """Eq. 6–7: μ, log σ² = Linear([CLS]_out + 1/K Σ_k x_k), of fused [CLS] and input tokens x."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.mu = nn.Linear(width, latent)
        self.logvar = nn.Linear(width, latent)
        nn.init.zeros_(self.logvar.weight)
        nn.init.constant_(self.logvar.bias, -2.0)

    def forward(self, tokens: Tensor, cls: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens before fusion (B, K + 1, C), [CLS] after it (B, C) → μ, log σ², both (B, Z)."""
        seen = summary(tokens, cls)
        return self.mu(seen), bounded(self.logvar(seen), -10, 4)


def summary(tokens: Tensor, cls: Tensor) -> Tensor:
    """[CLS]_out + 1/K Σ_k x_k of Eq. 6, (B, C): semantic + lexical.

    Args:
        tokens: before fusion, (B, K + 1, C).
        cls: after it, (B, C).
    """
    return cls + tokens[:, 1:].mean(1)


def reparameterise(mu: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """z ~ N(μ, σ²) from standard normal noise, all (B, Z); differentiable in μ and σ."""
    return mu + (0.5 * logvar).exp() * noise
