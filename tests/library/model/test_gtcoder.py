"""The losses of Eq. 9, 11 and 12 together, and the switches that take parts away."""

import math
from itertools import product

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.errors import ConfigError
from gtcoder.model.gtcoder import Asked, GTCoder, Losses


@pytest.fixture
def mixed(field) -> Layout:
    return Layout(
        (
            field("a", [1, 1, 2]),
            field("u", [1, 1], scalar=Scalar.UNIFORM, discrete=False, ordered=True),
            field("b", [1, 3]),
            field("x", [1, 1], scalar=Scalar.MODE, discrete=False, ordered=True),
        )
    )


@pytest.fixture
def reals(mixed) -> Layout:
    return Layout(mixed.fields[1::2])


def batch(layout: Layout, rows: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([field.cardinality for field in layout.fields])
    codes = (torch.rand(rows, len(sizes), generator=generator) * sizes).long()
    return codes, torch.rand(rows, len(sizes), generator=generator)


def losses(model: GTCoder, layout: Layout, *, rows: int = 40, fitted: bool = False) -> Losses:
    noise = torch.randn(rows, 2, generator=torch.Generator().manual_seed(1))
    asked = None
    if model.config.conditional:
        given = torch.arange(rows // 4 * len(layout.fields)).view(rows // 4, -1) % 3 == 0
        asked = Asked(torch.arange(rows // 4), given)
    return model(*batch(layout, rows), noise=noise, against_mixture=fitted, asked=asked)


def test_contrastive_loss_by_hand(field, small):
    """Two fields of two categories, C = 2, one row; worked on paper."""
    model = GTCoder(Layout((field("a"), field("b"))), small(width=2, heads=1, tau=0.95).model)
    with torch.no_grad():
        model.projection.weight.copy_(torch.eye(2))
        model.projection.bias.zero_()
        model.prior.embedding.weight.copy_(
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
        )
    fused = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [0.0, 0.5]]])  # [CLS], a, b
    # a is 0: similarities 1 / τ and 0; b is 1: 0.5 / τ and −0.5 / τ
    a = -math.log(math.exp(1 / 0.95) / (math.exp(1 / 0.95) + 1))
    b = -math.log(math.exp(-0.5 / 0.95) / (math.exp(0.5 / 0.95) + math.exp(-0.5 / 0.95)))
    assert (round(a, 4), round(b, 4)) == (0.2994, 1.352)
    loss = model.contrastive(fused, torch.tensor([[0, 1]]))
    assert loss.item() == pytest.approx((a + b) / 2, abs=1e-6)


def test_kl_without_discrete_columns_is_to_the_standard_normal(reals, small):
    torch.manual_seed(0)
    model = GTCoder(reals, small().model)
    assert model.prior is None
    codes, scalars = batch(reals, 1)
    mu, logvar, _ = model.encode(codes, scalars)
    closed = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum()
    many = 40_000
    with torch.no_grad():
        noise = torch.randn(many, 2)
        drawn = model(
            codes.expand(many, -1), scalars.expand(many, -1), noise=noise, against_mixture=False
        )
    assert drawn.kl_label.item() == pytest.approx(closed.item(), abs=0.03)


def test_losses_are_means_over_rows(mixed, small):
    torch.manual_seed(0)
    model = GTCoder(mixed, small().model)
    codes, scalars = batch(mixed)
    noise = torch.randn(40, 2)
    whole = model(codes, scalars, noise=noise, against_mixture=True)
    halves = [
        model(codes[at], scalars[at], noise=noise[at], against_mixture=True)
        for at in (slice(0, 20), slice(20, 40))
    ]
    for name, all_rows, *parts in zip(whole._fields, whole, *halves, strict=True):
        if name != "contrastive":  # that of some of the rows
            torch.testing.assert_close(sum(parts) / 2, all_rows)


def test_the_mixtures_kl_counts_once_it_is_fitted(mixed, small):
    torch.manual_seed(0)
    model = GTCoder(mixed, small().model)
    assert losses(model, mixed).kl_mixture == 0
    assert losses(model, mixed, fitted=True).kl_mixture != 0
    for name in ("reconstruction", "kl_label", "contrastive"):
        one, other = (getattr(losses(model, mixed, fitted=f), name) for f in (True, False))
        torch.testing.assert_close(one, other)


SWITCHES = ("fusion", "mixture_prior", "contrastive", "autoregressive", "conditional")


@pytest.mark.parametrize(
    "values", [each for each in product([True, False], repeat=5) if each[3] or not each[4]]
)
@pytest.mark.parametrize("columns", ["mixed", "reals"])
@pytest.mark.parametrize("fitted", [True, False])
def test_every_parameter_that_is_left_learns(request, small, values, columns, fitted):
    """A parameter without a gradient would stop training on several workers."""
    layout = request.getfixturevalue(columns)
    torch.manual_seed(0)
    model = GTCoder(layout, small(**dict(zip(SWITCHES, values, strict=True))).model)
    sum(losses(model, layout, fitted=fitted)).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def names(model: GTCoder) -> set[str]:
    return {name.rsplit(".", 1)[0] for name, _ in model.named_parameters()}


def test_losses_in_bfloat16_are_nearly_those_in_full(mixed, small):
    """As on a GPU, whose losses are computed in it."""
    model = GTCoder(mixed, small().model)
    exact = losses(model, mixed)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = losses(model, mixed)
    sum(rounded).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    for name, loss in exact._asdict().items():
        assert getattr(rounded, name).item() == pytest.approx(loss.item(), rel=0.02), name


def test_switches_remove_what_they_say(mixed, small):
    whole = names(GTCoder(mixed, small().model))
    without = {
        switch: whole - names(GTCoder(mixed, small(**{switch: False}).model))
        for switch in SWITCHES
        if switch != "autoregressive"
    }
    assert all(name.startswith("fusion.blocks") for name in without["fusion"])
    assert without["mixture_prior"] == {"prior.head.1", "prior.mu", "prior.logvar"}
    assert without["contrastive"] == {"projection"}
    assert without["conditional"] == {
        "context",
        "decoder.ahead",
        "decoder.inverse",
        "decoder.tied",
    }
    alone = GTCoder(mixed, small(conditional=False, autoregressive=False).model)
    assert whole - names(alone) == without["conditional"] | {"decoder.seen"}


def test_to_complete_rows_it_must_see_columns_before(small):
    with pytest.raises(ConfigError, match="autoregressive"):
        small(autoregressive=False)


def test_without_the_contrastive_loss_it_is_zero(mixed, small):
    assert losses(GTCoder(mixed, small(contrastive=False).model), mixed).contrastive == 0


def test_without_the_mixture_prior_z_goes_to_the_standard_normal(mixed, small):
    model = GTCoder(mixed, small(mixture_prior=False).model)
    z = torch.randn(5, 2)
    expected = Normal(0, 1).log_prob(z).sum(1)
    torch.testing.assert_close(model.label_log_prob(z, batch(mixed, 5)[0]), expected)


def test_attention_is_of_the_same_tokens(mixed, small):
    model = GTCoder(mixed, small().model)
    codes, scalars = batch(mixed, 5)
    attention = model.attention(codes, scalars)
    assert attention.shape == (5, 5, 5)
    torch.testing.assert_close(attention, model.fusion.attention(model.tokens(codes, scalars)))
