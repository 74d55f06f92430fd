"""The layer between the running sum and the head of each step."""

import pytest
import torch

from gtcoder.model.features import Features
from gtcoder.model.grouped import Grouped

SIZES = [2, 64, 60, 5, 300]


@pytest.fixture
def features() -> Features:
    torch.manual_seed(0)
    made = Features(Grouped(SIZES), hidden=6, features=4)
    torch.nn.init.normal_(made.bias)
    return made


def test_steps_together_are_those_of_each_alone(features):
    states = torch.randn(len(SIZES), 7, 6)
    grouped = features.grouped
    found = torch.cat(features(grouped.split(states[grouped.order])))
    for s, state in enumerate(states):
        alone = torch.relu(state @ features.weight[s] + features.bias[s])
        torch.testing.assert_close(found[grouped.order.index(s)], alone)
        torch.testing.assert_close(features.of(s, state), alone)
    assert 0.2 < (found > 0).float().mean() < 0.8


def test_behind_the_layer_a_head_is_how_its_logits_follow_the_state(features):
    """Where all units are on."""
    heads = torch.randn(sum(SIZES), 4)
    torch.nn.init.constant_(features.bias, 100.0)
    found = features.behind(heads).split(SIZES)
    for s, vectors in enumerate(heads.split(SIZES)):
        slopes = torch.autograd.functional.jacobian(
            lambda state, s=s, vectors=vectors: features.of(s, state) @ vectors.T, torch.zeros(1, 6)
        )
        torch.testing.assert_close(found[s], slopes[0, :, 0])
