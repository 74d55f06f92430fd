"""The training loop: it learns, it stops when it should, and it goes on as if never stopped."""

import json
from itertools import pairwise

import pytest
import torch

from gtcoder.codec.layout import take
from gtcoder.training import loop as training
from gtcoder.training.checkpoint import NoCheckpoints
from gtcoder.training.loop import Training, train
from gtcoder.training.options import Progress, RunOptions
from gtcoder.training.rows import encoded as encoded_rows
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start


class KilledError(Exception):
    pass


class Memory:
    """Keeps the last state, and dies after keeping `kill_after` of them."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.state: bytes | None = None
        self.kept = 0
        self.kill_after = kill_after

    def load(self) -> bytes | None:
        return self.state

    def save(self, state: bytes | None) -> None:
        self.state = state
        self.kept += 1
        if self.kept == self.kill_after:
            raise KilledError


@pytest.fixture
def rows(encoded):
    return EncodedRows.of(encoded, seed=0, validation_fraction=0.1)


@pytest.fixture
def eager(monkeypatch):
    """Checkpoints wherever there may be one."""
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(training, "MID_EPOCH_SECONDS", 0.0)


def same_weights(a, b) -> bool:
    one, other = a.model.state_dict(), b.model.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_the_loss_falls_below_the_entropy_of_the_columns_alone(layout, rows, small):
    trained = train(layout, rows, small(epochs=10, learning_rate=1e-2))
    entropy = -sum(p * torch.tensor(p).log() for f in layout.fields for p in f.frequencies if p)
    first, last = trained.history[0], trained.history[-1]
    assert last["reconstruction"] < first["reconstruction"]
    assert last["validation"] < float(entropy) - 0.2
    assert last["contrastive"] < first["contrastive"]
    assert trained.stopped == "epochs"
    assert trained.rows == 10 * (rows.rows // 100) * 100


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kill_after", [1, 4, 7])
def test_a_killed_run_goes_on_to_the_very_same_weights(layout, rows, small, kill_after):
    config = small(epochs=4, warm_share=0.3, batch_rows=90)
    undisturbed = train(layout, rows, config)
    checkpoints = Memory(kill_after)
    with pytest.raises(KilledError):
        train(layout, rows, config, checkpoints=checkpoints)
    resumed = train(layout, rows, config, checkpoints=checkpoints)
    assert same_weights(resumed, undisturbed)
    assert resumed.rows == undisturbed.rows
    assert [h["validation"] for h in resumed.history] == [
        h["validation"] for h in undisturbed.history
    ]


@pytest.mark.usefixtures("eager")
def test_a_run_killed_twice_between_checkpoints(layout, rows, small):
    config = small(epochs=3, warm_share=0.3)
    checkpoints, calls = Memory(), 0

    def die_on(last: int):
        def progress(_: Progress) -> None:
            nonlocal calls
            calls += 1
            if calls == last:
                raise KilledError

        return RunOptions(progress=progress)

    for last in (4, 8):
        with pytest.raises(KilledError):
            train(layout, rows, config, options=die_on(last), checkpoints=checkpoints)
    resumed = train(layout, rows, config, checkpoints=checkpoints)
    assert same_weights(resumed, train(layout, rows, config))


@pytest.mark.usefixtures("eager")
def test_a_finished_run_resumes_to_its_end(layout, rows, small):
    checkpoints = Memory()
    once = train(layout, rows, small(), checkpoints=checkpoints)
    again = train(layout, rows, small(), checkpoints=checkpoints)
    assert same_weights(once, again)
    assert again.stopped == "epochs"


def test_the_seed_decides_the_weights(layout, rows, small):
    one, same, other = (
        train(layout, rows, small(epochs=1), options=RunOptions(seed=seed)) for seed in (1, 1, 2)
    )
    assert same_weights(one, same)
    assert not same_weights(one, other)


def test_no_global_random_state_is_touched_or_used(layout, rows, small):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = train(layout, rows, small(epochs=1))
    torch.testing.assert_close(torch.rand(3), expected)
    assert same_weights(one, train(layout, rows, small(epochs=1)))


def test_max_time_ends_the_run_with_its_mixture_fitted(layout, rows, small):
    options = RunOptions(max_time_s=1.0)
    trained = train(layout, rows, small(epochs=10_000, patience=1_000), options=options)
    assert trained.stopped == "max_time"
    assert 0.5 <= trained.elapsed_s < 3
    assert len(trained.model.mixture.means.unique(dim=0)) == 4


def test_it_stops_when_validation_no_longer_improves(layout, rows, small):
    config = small(epochs=60, patience=3, learning_rate=1e-9, validations=60)
    trained = train(layout, rows, config)
    assert trained.stopped == "plateau"
    assert trained.rows < 30 * rows.rows


def test_one_long_epoch_is_validated_all_along(layout, rows, small):
    config = small(epochs=1, batch_rows=10, validations=20)
    history = train(layout, rows, config).history
    assert 18 <= len(history) <= 21
    shares = [line["epoch"] for line in history]
    assert shares == sorted(shares)
    assert max(b - a for a, b in pairwise(shares)) < 0.1


def test_patience_can_run_out_within_one_epoch(layout, rows, small):
    config = small(epochs=1, batch_rows=5, patience=3, learning_rate=1e-9, validations=50)
    trained = train(layout, rows, config)
    assert trained.stopped == "plateau"
    assert trained.rows < rows.rows / 2


def test_the_gradients_of_parts_of_a_batch_add_up_to_those_of_the_whole(
    layout, rows, small, monkeypatch
):
    config = small(conditional=False, contrastive=False, rate_floor=0.0)
    runs = [Training(layout, rows, config, RunOptions(), NoCheckpoints()) for _ in range(2)]
    runs[1].at_once = 30
    monkeypatch.setattr(torch, "randn", lambda *shape, **_: torch.zeros(*shape))
    found = []
    for run in runs:
        losses = run._step(next(run._epoch()))
        found.append([losses, *(p.grad for p in run.model.parameters() if p.grad is not None)])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-3)


def test_it_keeps_the_best(layout, rows, small):
    run = Training(layout, rows, small(epochs=8, learning_rate=0.1), RunOptions(), Memory())
    trained = run.run()
    fitted = [line for line in trained.history if line["kl_mixture"]]
    best = min(line["validation"] for line in fitted)
    assert run.state.best == pytest.approx(best, abs=1e-4)  # less is no gain
    for name, value in trained.model.state_dict().items():
        if not name.startswith("mixture."):  # which EM finishes
            assert torch.equal(value, run.validation.best[name])


def test_without_validation_rows_it_takes_all_its_epochs(layout, encoded, small):
    rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.0)
    trained = train(layout, rows, small(epochs=2))
    assert trained.stopped == "epochs"
    assert all("validation" not in line for line in trained.history)


def test_the_shortest_run_still_has_a_mixture(layout, rows, small):
    trained = train(layout, rows, small(epochs=1, batch_rows=2_000))
    assert len(trained.model.mixture.means.unique(dim=0)) == 4


def test_progress_only_rises(layout, rows, small):
    seen: list[Progress] = []
    train(layout, rows, small(), options=RunOptions(progress=seen.append))
    for one, other in pairwise(seen):
        assert one.share <= other.share
        assert one.rows <= other.rows
        assert one.elapsed_s <= other.elapsed_s
    assert seen[-1].share == 1.0
    steps = [each for each in seen if not each.doing]
    assert steps[-1].validation_loss is not None
    assert [each.doing for each in seen[len(steps) :]] == ["finishing"] * 3
    left = [each.left_s for each in seen[len(steps) :]]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize("rows_there", [2, 3, 33])
def test_tiny_tables(layout, encoded, small, rows_there):
    few = EncodedRows.of(take(encoded, slice(0, rows_there)), seed=0, validation_fraction=0.0)
    trained = train(layout, few, small(components=1))
    assert all(value.isfinite().all() for value in trained.model.state_dict().values())


@pytest.mark.parametrize("switch", ["fusion", "mixture_prior", "contrastive", "latent_mixture"])
def test_every_ablation_trains(layout, rows, small, switch):
    trained = train(layout, rows, small(epochs=1, **{switch: False}))
    assert all(value.isfinite().all() for value in trained.model.state_dict().values())


TWO = """
import json

from gtcoder.config import Config
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start
from gtcoder.codec.layout import Encoded, Layout
from gtcoder.training import loop
from gtcoder.training.loop import train

given = torch.load(f"{folder}/given.pt")
loop.STATE_VALUES = given["at_once"]
layout = Layout.from_dict(json.loads(given["layout"]))
encoded = Encoded(given["codes"].numpy(), given["scalars"].numpy())
rows = EncodedRows.of(encoded, seed=0, validation_fraction=0.1)
trained = train(layout, rows, Config.from_dict(given["config"]))
result = {**trained.model.state_dict(), "rows": torch.tensor(trained.rows),
          "validation": torch.tensor(trained.history[-1]["validation"])}
"""


@pytest.mark.parametrize("at_once", [1 << 26, 1 << 11], ids=["whole batches", "in parts"])
def test_two_workers_end_with_one_model(
    two_workers, tmp_path, layout, encoded, rows, small, at_once
):
    config = small(epochs=4, learning_rate=1e-2)
    torch.save(
        {
            "codes": torch.from_numpy(encoded.codes),
            "scalars": torch.from_numpy(encoded.scalars),
            "layout": json.dumps(layout.to_dict()),
            "config": config.to_dict(),
            "at_once": at_once,
        },
        tmp_path / "given.pt",
    )
    first, second = two_workers(TWO)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[k], second[k]) for k in first)
    alone = train(layout, rows, config)
    assert int(first["rows"]) == alone.rows
    assert abs(float(first["validation"]) - alone.history[-1]["validation"]) < 0.4


@pytest.fixture
def known(layout, rows, small):
    """A model that has learned the rows, as the start of another run."""

    def start(trained, share):
        state = trained.model.state_dict()
        weights = {k: v for k, v in state.items() if not k.startswith("mixture.")}
        return Start(weights=weights, share=share, rows=rows.validation)

    return start


def test_it_goes_on_from_weights_that_it_is_given(layout, rows, small, known):
    before = train(layout, rows, small(epochs=10, learning_rate=1e-2))
    config = small(epochs=1, learning_rate=1e-3, warm_share=0.9)
    afresh = train(layout, rows, config)
    on = train(layout, rows, config, start=known(before, 0.5))
    assert on.history[0]["kl_mixture"] > 0, "the mixture stands from the first step"
    assert on.history[-1]["validation"] < before.history[-1]["validation"] + 0.05
    assert on.history[-1]["validation"] < afresh.history[-1]["validation"] - 0.2


def test_what_the_mixture_ends_on_may_be_wider_than_the_window(rows, monkeypatch):
    monkeypatch.setattr(encoded_rows, "WINDOW_VALUES", 4)
    both = Start(weights={}, share=0.5, rows=rows.validation).beside(rows, seed=0)
    assert both.whole() is None
    assert len(both.shard(rank=0, world=1, most=100, seed=0)) == 100


@pytest.mark.usefixtures("eager")
def test_what_it_goes_on_from_keeps_its_share_though_the_run_is_killed(layout, rows, small, known):
    before, config = train(layout, rows, small(epochs=2)), small(epochs=2)
    first = known(before, 0.0)
    ends = {share: train(layout, rows, config, start=known(before, share)) for share in (0, 0.75)}
    state = {share: trained.model.state_dict() for share, trained in ends.items()}
    for name, old in first.weights.items():
        if "heads" not in name and "bias" not in name:  # those are sharpened afterwards
            expected = 0.75 * old + 0.25 * state[0][name]
            torch.testing.assert_close(state[0.75][name], expected)
    checkpoints = Memory(kill_after=2)
    with pytest.raises(KilledError):
        train(layout, rows, config, checkpoints=checkpoints, start=known(before, 0.75))
    again = train(layout, rows, config, checkpoints=checkpoints, start=known(before, 0.75))
    assert same_weights(again, ends[0.75])
