"""Draws computed together are those computed one by one."""

import torch
from torch.nn import functional

from gtcoder.model.grouped import Grouped, groups_of


def test_like_sizes_go_together_and_every_draw_is_in_one_group():
    groups = groups_of([2, 64, 60, 5, 300, 64, 16, 40])
    assert groups == [[4], [1, 5, 2], [7], [6, 3, 0]]
    assert groups_of([3]) == [[0]]


def test_cross_entropies_are_those_of_each_draw_alone():
    """Also where logits are the sum of two products."""
    torch.manual_seed(0)
    sizes = [2, 64, 60, 5, 300]
    grouped = Grouped(sizes)
    inputs, others = torch.randn(5, 7, 4), torch.randn(5, 7, 3)
    vectors, wide, bias = (torch.randn(sum(sizes), *width) for width in ((4,), (3,), ()))
    outcomes = torch.stack([torch.randint(size, (7,)) for size in sizes])
    order = grouped.order
    products = [(grouped.split(inputs[order]), vectors), (grouped.split(others[order]), wide)]
    found = grouped.cross_entropy(products, bias, outcomes[order])
    alone = zip(vectors.split(sizes), wide.split(sizes), bias.split(sizes), strict=True)
    for s, (each, other, b) in enumerate(alone):
        logits = inputs[s] @ each.T + others[s] @ other.T + b
        expected = functional.cross_entropy(logits, outcomes[s], reduction="none")
        torch.testing.assert_close(found[order.index(s)], expected)
