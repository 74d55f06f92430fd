"""Eq. 13 and its floor: the same however many workers share a batch."""

import pytest
import torch

from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import Losses
from gtcoder.training.objective import criterion, objective

CONFIG = {
    "reconstruction": 2.0,
    "kl_warm": 3.0,
    "kl_label": 5.0,
    "kl_mixture": 7.0,
    "contrastive": 11.0,
}


def losses(*values: float) -> Losses:
    return Losses(*(torch.tensor(value, requires_grad=True) for value in values))


@pytest.mark.parametrize(("fitted", "weight"), [(False, 3), (True, 5)])
def test_the_sum_and_its_floor(fitted, weight):
    config = TrainingConfig(epochs=1, batch_rows=1, rate_floor=2.0, asked_share=0.25, **CONFIG)
    terms = losses(1.0, 3.0, 0.5, 0.1, 0.7)
    loss = objective(terms, config, fitted=fitted)
    assert loss.item() == pytest.approx(2 * (1 + 0.7 / 4) + weight * 3 + 7 * 2 + 11 * 0.1)
    loss.backward()
    assert [each.grad.item() for each in terms] == pytest.approx([2, weight, 0, 11, 0.5])


def test_each_preset_is_judged_by_what_it_is_trained_on():
    config = TrainingConfig(epochs=1, batch_rows=1, **CONFIG)
    terms = losses(1.0, 3.0, 0.5, 0.1, 0.7)
    assert criterion(terms, config, fitted=True, elbo=True).item() == pytest.approx(1.5)
    assert criterion(terms, config, fitted=False, elbo=True).item() == pytest.approx(4.0)
    paper = criterion(terms, config, fitted=False, elbo=False)
    assert paper.item() == pytest.approx(2 * 1 + 3 * 3 + 7 * 0.5 + 11 * 0.1)


TWO = """
from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import Losses
from gtcoder.training.objective import objective

kl = torch.tensor([1.0, 5.0][rank], requires_grad=True)  # 3 on average
config = TrainingConfig(epochs=1, batch_rows=1, rate_floor=2.0)
zero = torch.zeros(())
objective(Losses(zero, zero, kl, zero, zero), config, fitted=True).backward()
result = {"grad": kl.grad}
"""


def test_the_floor_is_that_of_all_workers_together(two_workers):
    assert [each["grad"].item() for each in two_workers(TWO)] == [1.0, 1.0]
