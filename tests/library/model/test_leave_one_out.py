"""One field among all the others, as the decoder that draws whole rows says it."""

import pytest
import torch

from gtcoder.codec.layout import Layout, Scalar
from gtcoder.config import ModelConfig
from gtcoder.model import steps
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.leave_one_out import LeaveOneOut


@pytest.fixture
def model(field, monkeypatch) -> GTCoder:
    """A number with cells, and a field in two digits, with weights of their own everywhere."""
    monkeypatch.setattr(steps, "LARGEST_STEP", 3)
    number = field("x", [3, 2, 1], scalar=Scalar.UNIFORM, ordered=True, discrete=False, missing=1)
    fields = (field("a", [1, 1]), number, field("b", [1] * 9), field("c", [1, 2, 1]))
    torch.manual_seed(0)
    made = GTCoder(Layout(fields), ModelConfig(hidden=16, components=2))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


@pytest.mark.parametrize(
    ("left_out", "others"), [(0, ()), (1, ()), (2, ()), (3, ()), (0, (2,)), (1, (3,))]
)
def test_it_is_what_the_decoder_says_of_rows_shown_in_part(model, left_out, others):
    sizes = torch.tensor(model.tokens.cardinalities)
    codes = (torch.rand(50, 4) * sizes).long()
    scalars = torch.rand(50, 4)
    given = torch.ones(50, 4, dtype=torch.bool)
    given[:, [left_out, *others]] = False
    with torch.inference_mode():
        context = model.context_of(codes, scalars, given)
        expected = model.decoder.surprise(context, codes, scalars, given)[:, left_out]
        found = LeaveOneOut(model, codes, scalars).surprise(left_out, *others)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.1
