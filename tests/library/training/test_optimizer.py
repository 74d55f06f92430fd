"""What decays and what does not, and the learning rate's way."""

import pytest

from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import GTCoder
from gtcoder.training.optimizer import learning_rate, optimizer_of


def test_biases_norms_and_log_marginals_do_not_decay(layout, small):
    config = small(weight_decay=0.3, free_decay=0.7)
    model = GTCoder(layout, config.model)
    decay = {
        id(parameter): group["weight_decay"]
        for group in optimizer_of(model, config.training).param_groups
        for parameter in group["params"]
    }
    by_name = {name: decay.pop(id(each)) for name, each in model.named_parameters()}
    assert not decay
    for name, each in model.named_parameters():
        tables = [f"decoder.{table}.free" for table in ("heads", "seen", "ahead")]
        if name in ("tokens.embedding.weight", *tables):
            assert by_name[name] == 0.7
        else:
            assert by_name[name] == (0.3 if each.ndim > 1 else 0.0), name
    assert by_name["decoder.bias"] == by_name["fusion.norm.weight"] == 0.0


@pytest.mark.parametrize(
    ("step", "steps", "share", "expected"),
    [
        (0, 5_000, 0.0, 0.01),
        (99, 5_000, 0.0, 1.0),
        (500, 5_000, 0.5, 0.505),
        (9, 5_000, 1, 1e-3),
        (4, 100, 0.0, 0.5),
        (0, 3, 0.0, 1.0),
    ],
)
def test_the_learning_rate_rises_and_falls(step, steps, share, expected):
    config = TrainingConfig(epochs=1, batch_rows=1, learning_rate=1.0)
    assert learning_rate(config, step, steps, share) == pytest.approx(expected)
