"""Running sums: those of a CPU are those of few operations, and so are their gradients."""

import pytest
import torch
from torch import Tensor

from gtcoder.model.sums import RunningSums

GROUPS = [[3, 0], [1], [4, 2]]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("sources", [[0, 1, 3, 2, 4], [0, 2, 3]])
def test_sums_and_gradients_are_those_of_the_formula(later, sources):
    torch.manual_seed(0)
    sums = RunningSums(sources, GROUPS, later=later)
    first = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    parts = [
        torch.randn(count, 7, 3, dtype=torch.float64, requires_grad=True)
        for count in (2, len(sources) - 2)
    ]
    vectors = dict(zip(sources, torch.cat(parts), strict=True))
    nothing = torch.zeros_like(first)

    def expected(s: int) -> Tensor:
        among = range(s + 1, 5) if later else range(s)
        total = first + sum((vectors.get(t, nothing) for t in among), nothing)
        return total if later else total.relu()

    weights = [torch.randn(len(group), 7, 3, dtype=torch.float64) for group in GROUPS]
    wanted = [torch.stack([expected(s) for s in group]) for group in GROUPS]
    grads = gradients(wanted, weights, [first, *parts])
    for found in (sums(first, parts), sums.in_few(first, parts)):
        for each, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(each, other)
        for each, other in zip(gradients(found, weights, [first, *parts]), grads, strict=True):
            torch.testing.assert_close(each, other)


def gradients(found: list[Tensor], weights: list[Tensor], of: list[Tensor]) -> tuple[Tensor, ...]:
    total = sum((each * weight).sum() for each, weight in zip(found, weights, strict=True))
    return torch.autograd.grad(total, of)


@pytest.mark.parametrize("way", [RunningSums.in_turn, RunningSums.in_few])
def test_gradients_of_some_sums_alone(way):
    """Of the second group, whose gradient has one number in memory; the first vector is shared."""
    part, nothing = torch.rand(1, 7, 3, requires_grad=True), torch.zeros(7, 3)
    found = way(RunningSums([0, 1, 2], [[0, 1], [2]]), nothing, [part.expand(3, 7, 3)])
    found[1].sum().backward()
    assert (part.grad == 2).all(), "it is in the third sum twice"


def test_one_step_sees_what_is_first():
    first = torch.randn(7, 3)
    (found,) = RunningSums([0], [[0]])(first, [torch.randn(1, 7, 3)])
    assert torch.equal(found[0], first.relu())
