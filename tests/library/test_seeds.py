"""Streams of random numbers: repeatable, and apart from one another."""

from itertools import product

import torch

from gtcoder.seeds import Purpose, generator, torch_generator, torch_seed


def test_the_same_key_gives_the_same_numbers():
    for _ in range(2):
        assert generator(3, Purpose.ORDER, 1).random() == generator(3, Purpose.ORDER, 1).random()
    one, other = (torch.rand(3, generator=torch_generator(3, Purpose.EM, 2)) for _ in range(2))
    assert torch.equal(one, other)


def test_no_two_keys_meet():
    keys = list(product((0, 1, 1_000, 2_000), Purpose, (0, 1, 1_000), (0, 1, 1_000)))
    assert len({torch_seed(seed, purpose, *where) for seed, purpose, *where in keys}) == len(keys)
