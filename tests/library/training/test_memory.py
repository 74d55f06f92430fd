"""Pages that a training keeps: arrays made anew have them already, and later ones do not."""

import multiprocessing
import resource
import sys

import pytest
import torch

from gtcoder.training.memory import memory_kept

BYTES = 1 << 26
"""Of an array: 16,384 pages."""


def faults_of_an_array() -> int:
    """Pages made for a second array of the same size, once the first is gone."""
    b"1" * BYTES
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def faults() -> list[int]:
    """Those in a training, in one on a GPU, and after one that failed."""
    found = []
    for device in ("cpu", "cuda"):
        with memory_kept(torch.device(device)):
            found.append(faults_of_an_array())
    try:
        with memory_kept(torch.device("cpu")):
            raise RuntimeError
    except RuntimeError:
        return [*found, faults_of_an_array()]


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_pages_are_kept_within_and_no_longer():
    """In a process of its own, in which no other array lies in between."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        within, on_a_gpu, after = process.apply(faults)
    assert within < 1_000
    assert min(on_a_gpu, after) > 10_000
