"""A bound that can be left again."""

import pytest
import torch

from gtcoder.model.bounds import bounded


@pytest.mark.parametrize("x", [-9.0, -1.0, 0.3, 1.0, 7.0])
def test_it_is_a_clamp(x):
    assert bounded(torch.tensor(x), -1, 1) == torch.tensor(x).clamp(-1, 1)


@pytest.mark.parametrize(
    ("x", "grad", "passed"),
    [(7.0, 1.0, 1.0), (7.0, -1.0, 0.0), (-9.0, -1.0, -1.0), (-9.0, 1.0, 0.0), (0.3, -2.0, -2.0)],
)
def test_outside_only_the_way_back_is_open(x, grad, passed):
    leaf = torch.tensor(x, requires_grad=True)
    (grad * bounded(leaf, -1, 1)).backward()
    assert leaf.grad == passed


def test_what_went_outside_comes_back():
    leaf = torch.tensor(5.0, requires_grad=True)
    optimizer = torch.optim.SGD([leaf], lr=0.5)
    for _ in range(50):
        optimizer.zero_grad()
        (bounded(leaf, -1, 1) - 0.2).square().backward()
        optimizer.step()
    assert leaf.item() == pytest.approx(0.2, abs=1e-3)
