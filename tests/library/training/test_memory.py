"""Pages that a training keeps: arrays made anew have them already, and later ones do not."""

import resource
import sys

import pytest
import torch

from gtcoder.training.memory import memory_kept

CPU = torch.device("cpu")
NUMBERS = 1 << 24
"""Of an array of 64 MB: 16,384 pages."""


def faults_of_an_array() -> int:
    """Pages made for a second array of the same size, once the first is gone."""
    torch.ones(NUMBERS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(NUMBERS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_pages_are_kept_within_and_no_longer():
    with memory_kept(CPU):
        assert faults_of_an_array() < 1_000
    assert faults_of_an_array() > 10_000
    with memory_kept(torch.device("cuda")):
        assert faults_of_an_array() > 10_000, "nothing is kept where it would not be used"


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_what_was_kept_is_given_back_when_a_training_fails():
    with pytest.raises(RuntimeError), memory_kept(CPU):
        raise RuntimeError
    assert faults_of_an_array() > 10_000
