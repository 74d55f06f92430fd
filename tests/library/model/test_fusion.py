"""Eq. 4–7: attention against torch's own, and the laws of permutation."""

import pytest
import torch

from gtcoder.model.fusion import Attention, Fusion, Posterior, reparameterise


@pytest.fixture
def tokens() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(6, 5, 8)


def fused(fusion: Fusion, tokens: torch.Tensor) -> torch.Tensor:
    """All fused tokens of all rows."""
    return fusion(tokens, len(tokens))[1]


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_attention_weights_are_those_that_mix_the_values(tokens, heads):
    attention = Attention(8, heads)
    weights = attention.weights(tokens)  # (B, H, K + 1, K + 1)
    assert weights.shape == (6, heads, 5, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(6, heads, 5))
    value = attention.by_head(attention.value(tokens))
    mixed = attention.out((weights @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mixed, attention(tokens))


def test_attention_is_torchs_multi_head_attention(tokens):
    ours = Attention(8, 2)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight = torch.nn.Parameter(torch.cat([part.weight for part in parts]))
    theirs.in_proj_bias = torch.nn.Parameter(torch.cat([part.bias for part in parts]))
    theirs.out_proj.weight, theirs.out_proj.bias = ours.out.weight, ours.out.bias
    mixed, weights = theirs(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(ours(tokens), mixed)
    torch.testing.assert_close(ours.weights(tokens), weights)


def test_fusion_permutes_with_its_tokens(tokens):
    fusion = Fusion(width=8, heads=2, layers=2)
    order = torch.tensor([0, 3, 1, 4, 2])
    torch.testing.assert_close(fused(fusion, tokens[:, order]), fused(fusion, tokens)[:, order])
    attention = fusion.attention(tokens)
    torch.testing.assert_close(fusion.attention(tokens[:, order]), attention[:, order][:, :, order])


def test_fusion_mixes_the_tokens_of_a_row_and_never_rows(tokens):
    fusion = Fusion(width=8, heads=2, layers=1)
    changed = tokens.clone()
    changed[2, 3] = tokens[1, 3]
    difference = (fused(fusion, changed) - fused(fusion, tokens)).abs().amax(-1)
    assert (difference[2] > 1e-4).all()
    assert (difference[[0, 1, 3, 4, 5]] == 0).all()


def test_attention_is_the_last_layers_averaged_over_heads(tokens):
    fusion = Fusion(width=8, heads=2, layers=2)
    first, last = fusion.blocks
    inside = last.norm_attention(first(tokens))
    torch.testing.assert_close(fusion.attention(tokens), last.attention.weights(inside).mean(1))


def test_without_layers_tokens_pass_as_they_are(tokens):
    fusion = Fusion(width=8, heads=2, layers=0)
    torch.testing.assert_close(fused(fusion, tokens), fusion.norm(tokens))


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_cls_is_the_same_whether_or_not_other_tokens_are_asked_for(tokens, layers):
    fusion = Fusion(width=8, heads=2, layers=layers)
    for whole in (0, 2, 6):
        cls, some = fusion(tokens, whole)
        torch.testing.assert_close(cls, fused(fusion, tokens)[:, 0])
        torch.testing.assert_close(some, fused(fusion, tokens)[:whole])


def test_posterior_adds_the_fused_cls_and_the_mean_of_the_inputs(tokens):
    posterior, cls = Posterior(8, 3), torch.randn(6, 8)
    mu, logvar = posterior(tokens, cls)
    summary = cls + tokens[:, 1:].mean(1)
    torch.testing.assert_close(mu, posterior.mu(summary))
    assert (logvar == -2).all(), "σ starts the same for every row"
    order = torch.tensor([0, 3, 1, 4, 2])
    torch.testing.assert_close(posterior(tokens[:, order], cls)[0], mu)


def test_reparameterise_draws_from_the_posterior():
    torch.manual_seed(0)
    mu, logvar = torch.tensor([1.0, -2.0]), torch.tensor([0.0, -3.0])
    z = reparameterise(mu, logvar, torch.randn(50_000, 2))
    torch.testing.assert_close(z.mean(0), mu, atol=0.02, rtol=0)
    torch.testing.assert_close(z.var(0), logvar.exp(), atol=0.02, rtol=0)
