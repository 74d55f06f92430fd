"""Small encoded tables for the tests of the tensor half, and a model trained on one."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from gtcoder.codec.layout import Encoded, Field, Layout, Scalar
from gtcoder.config import Config, ModelConfig, Preset, TrainingConfig
from gtcoder.model.gtcoder import GTCoder
from gtcoder.training.loop import train
from gtcoder.training.rows.encoded import EncodedRows


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tensors this small are slower on several threads, most of all on a busy machine."""
    torch.set_num_threads(1)


def make_field(
    name: str,
    frequencies: Sequence[float] = (0.5, 0.5),
    *,
    scalar: Scalar = Scalar.NONE,
    discrete: bool = True,
    ordered: bool = False,
    missing: int = 0,
    spread: Sequence[bool] | None = None,
) -> Field:
    """A field; where its scalar is a place, all codes have a span unless it is said which."""
    share = np.asarray(frequencies, float)
    if spread is None:
        spans = scalar is not Scalar.NONE
        spread = [spans] * (len(share) - missing) + [False] * missing
    return Field(
        name=name,
        cardinality=len(share),
        scalar=scalar,
        discrete=discrete,
        ordered=ordered,
        frequencies=tuple((share / share.sum()).tolist()),
        missing=missing,
        spread=tuple(spread),
    )


@pytest.fixture(scope="session")
def field() -> Callable[..., Field]:
    return make_field


@pytest.fixture(scope="session")
def encoded() -> Encoded:
    """Colour (3, the last rare) → amount (5 bins), flag (2); and place (20) → amount too."""
    rng = np.random.default_rng(0)
    rows = 3_000
    colour = rng.choice(3, rows, p=[0.6, 0.37, 0.03])
    place = rng.integers(0, 20, rows)
    amount = np.clip(colour + place // 7 + (rng.random(rows) < 0.2), 0, 4)
    flag = (colour % 2) ^ (rng.random(rows) < 0.1)
    codes = np.stack([colour, amount, flag, place], 1).astype(np.int16)
    scalars = np.zeros((rows, 4), np.float32)
    scalars[:, 1] = rng.random(rows, np.float32)
    return Encoded(codes, scalars)


@pytest.fixture(scope="session")
def layout(encoded: Encoded) -> Layout:
    shares = [np.bincount(codes) / len(encoded) for codes in encoded.codes.T]
    return Layout(
        (
            make_field("colour", shares[0]),
            make_field("amount", shares[1], scalar=Scalar.UNIFORM, discrete=False, ordered=True),
            make_field("flag", shares[2]),
            make_field("place", shares[3]),
        )
    )


@pytest.fixture(scope="session")
def small() -> Callable[..., Config]:
    """A configuration that trains in seconds; keywords go to the training or to the model.

    `contrastive` is a weight in the one and a switch in the other.
    """

    def config(**chosen: object) -> Config:
        training = {"epochs": 2, "batch_rows": 100, "learning_rate": 3e-3}
        model = {
            "width": 8,
            "heads": 2,
            "layers": 1,
            "latent": 2,
            "components": 4,
            "hidden": 16,
            "features": 16,
        }
        for name, value in chosen.items():
            weighs = name in TrainingConfig.__dataclass_fields__ and not isinstance(value, bool)
            (training if weighs else model)[name] = value
        return Config(
            preset=Preset.DEFAULT, model=ModelConfig(**model), training=TrainingConfig(**training)
        )

    return config


@pytest.fixture(scope="session")
def trained(layout: Layout, encoded: Encoded, small: Callable[..., Config]) -> GTCoder:
    """A small model that has learned `encoded`, whose rare colour it knows."""
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.1)
    chosen = {"width": 16, "hidden": 64, "latent": 4, "components": 10, "learning_rate": 1e-2}
    config = small(epochs=25, batch_rows=200, **chosen)
    return train(layout, rows, config).model


@pytest.fixture
def two_workers(tmp_path) -> Callable[[str], list[dict[str, torch.Tensor]]]:
    """Runs a script in two processes joined by gloo; what each saves of `result`.

    The script finds `rank` and leaves `result`.
    """
    before = (
        "import os, sys, torch, torch.distributed as dist\n"
        "rank, folder = int(sys.argv[1]), sys.argv[2]\n"
        "torch.set_num_threads(1)\n"
        "dist.init_process_group('gloo', f'file://{folder}/join', rank=rank, world_size=2)\n"
    )
    # Gone at once: a thread of gloo's that wants Python while it is taken down ends in an abort.
    after = (
        "\ntorch.save(result, f'{folder}/{rank}.pt')\n"
        "dist.barrier()\ndist.destroy_process_group()\nos._exit(0)\n"
    )

    def run(script: str) -> list[dict[str, torch.Tensor]]:
        path = tmp_path / "worker.py"
        path.write_text(before + script + after)
        command = [sys.executable, str(path)]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        workers = [
            subprocess.Popen([*command, str(rank), str(tmp_path)], env=env) for rank in range(2)
        ]
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
        return [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]

    return run
