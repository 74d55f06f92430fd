"""Random numbers that follow from (seed, purpose, where), never from who draws them or when.

Two streams of different purposes, or of different places (epoch, step, worker, block), are
independent: all parts of the key go into numpy's SeedSequence, none is added to another.
"""

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """What random numbers are for; its number is part of the key."""

    ORDER = 1
    """The order of an epoch's rows or parts."""
    WINDOW = 2
    """The order within a window of a table too large to shuffle whole."""
    SAMPLE = 3
    """Which training rows EM, sharpening and explanations look at."""
    HELD_OUT = 4
    """Which rows are held out for validation."""
    ROWS = 5
    """Synthetic rows."""
    STEP = 6
    """Noise and dropout of one training step."""
    VALIDATION = 7
    """Draws of z for the held-out rows, the same at every validation."""
    EM = 8
    """Draws of z in one fit of the latent mixture."""
    COMPONENTS = 9
    """Which draws the mixture's components start from."""
    SHARPEN = 11
    """Draws of z that the decoder's marginals are taken from."""
    LEARNED = 12
    """Which rows of a very large table are learned."""
    CONDITIONS = 13
    """Candidates for the conditioned values of rows."""
    SCORE = 14
    """Draws of z that a row's likelihood is told by."""
    COMPLETED = 15
    """Cells of rows that are completed."""


def sequence(seed: int, purpose: Purpose, *where: int) -> np.random.SeedSequence:
    """The key of a stream."""
    return np.random.SeedSequence([seed, int(purpose), *where])


def generator(seed: int, purpose: Purpose, *where: int) -> np.random.Generator:
    """A numpy generator of a stream."""
    return np.random.default_rng(sequence(seed, purpose, *where))


def torch_seed(seed: int, purpose: Purpose, *where: int) -> int:
    """A seed for torch of a stream, in [0, 2**63)."""
    return int(sequence(seed, purpose, *where).generate_state(1, np.uint64)[0] >> 1)


def torch_generator(seed: int, purpose: Purpose, *where: int) -> torch.Generator:
    """A torch generator of a stream, on the CPU whatever the device, so that devices agree."""
    return torch.Generator().manual_seed(torch_seed(seed, purpose, *where))
