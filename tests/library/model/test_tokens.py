"""Eq. 1–3: tokens, and the rank scale that numbers stand on."""

import pytest
import torch

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.model.tokens import Tokens, rank_of_codes


@pytest.mark.parametrize("frequencies", [[1.0], [0.5, 0.5], [0.1, 0.6, 0.3]])
def test_ranks_with_scalars_are_uniform_with_mean_0_and_variance_1(field, frequencies):
    low, width = rank_of_codes(field("x", frequencies, scalar=Scalar.UNIFORM, ordered=True))
    share = torch.tensor(frequencies)
    middle = low + width / 2
    torch.testing.assert_close((share * middle).sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    second = (share * (middle**2 + width**2 / 12)).sum()
    torch.testing.assert_close(second, torch.tensor(1.0))
    torch.testing.assert_close(low[1:], (low + width)[:-1])


def test_ranks_without_scalars_stand_in_the_middle(field):
    shares = [0.25, 0.5, 0.25]
    low, width = rank_of_codes(field("x", shares, scalar=Scalar.UNIFORM, ordered=True))
    middle, nothing = rank_of_codes(field("x", shares, ordered=True))
    torch.testing.assert_close(middle, low + width / 2)
    assert (nothing == 0).all()


def test_fields_without_order_have_no_rank(field):
    assert all((each == 0).all() for each in rank_of_codes(field("x", [0.2, 0.8])))


def test_a_token_is_the_codes_embedding_and_a_linear_map_of_the_rank(field):
    layout = Layout(
        (field("a", [1, 1, 1]), field("x", [1, 1], scalar=Scalar.UNIFORM, ordered=True))
    )
    tokens = Tokens(layout, 4)
    codes, scalars = torch.tensor([[2, 1], [0, 0]]), torch.tensor([[0.0, 0.5], [0.0, 0.0]])
    out = tokens(codes, scalars)
    assert out.shape == (2, 3, 4)
    torch.testing.assert_close(out[:, 0], tokens.cls.expand(2, 4))
    torch.testing.assert_close(out[0, 1], tokens.embedding.weight[2] + tokens.bias[0])
    rank = 12**0.5 * (0.5 + 0.5 * 0.5 - 0.5)
    expected = tokens.embedding.weight[4] + rank * tokens.slope[1] + tokens.bias[1]
    torch.testing.assert_close(out[0, 2], expected)
