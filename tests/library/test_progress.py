"""What is shown of a job while it runs."""

import pytest

from gtcoder import progress
from gtcoder.progress import Reporter, clock
from gtcoder.training.options import announced


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")]
)
def test_seconds_as_a_clock(seconds, text):
    assert clock(seconds) == text


def test_what_is_left_is_said_with_how_sure_it_is(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with Reporter().stage("train") as stage:
        stage.update(0.25, "epoch 1", 125.0, at_most=True)
        stage.update(0.5, "epoch 2", 60.0)
        stage.update(0.01, "too little known")
    told = capsys.readouterr().err.splitlines()
    assert told[:3] == [
        "train: 25%, epoch 1, at most 2:05 left",
        "train: 50%, epoch 2, 1:00 left",
        "train: 1%, too little known",
    ]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ((1_500, 20, None, None), "at most 20 times over; it ends sooner if nothing is gained"),
        ((1_500, 1, 190.0, None), "1,500 rows, at most 1 time over and 3:10 long; it ends sooner"),
        ((1_500, 20, None, 0.0), "training on 1,500 rows, at most 20 times over"),
    ],
)
def test_how_long_a_training_may_take_is_said_before(told, text):
    said = announced(*told)
    assert text in said
    assert ("sooner" in said) == (told[3] != 0)
