"""The three groups of measures, each figure beside its ceiling and its floor.

Ceiling: the same measure of held-out real rows. Floor: of independent columns, every real column
shuffled for itself. All three are measured on equally many rows where chance alone makes a figure
worse with fewer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gtcoder.evaluation.fidelity.detector import Detection, detect
from gtcoder.evaluation.fidelity.information import normalised_information, weighted_error
from gtcoder.evaluation.fidelity.lost import Lost, lost_categories
from gtcoder.evaluation.fidelity.manifold import Manifold, compare_manifolds
from gtcoder.evaluation.fidelity.shape import missing_shares, shape_errors
from gtcoder.evaluation.fidelity.trend import trend_errors
from gtcoder.evaluation.frame import Frame
from gtcoder.evaluation.parallel import at_once
from gtcoder.evaluation.privacy.membership import Membership, infer_membership
from gtcoder.evaluation.privacy.nearness import nearer_share
from gtcoder.evaluation.utility import PaperScores, score_utility

DISTANCE_ROWS = 10_000
"""Rows of each table that are compared by distance, pair by pair."""
MEMBERS = 5_000
"""Training rows that are attacked."""
ATTACK_ROWS = 20_000
"""Rows of the synthetic and of the held-out table that an attack uses."""

QUICK_ROWS = 5_000
"""Of each table that the detector and models see in a quick report."""
QUICK_LEAVES_OUT = (
    "α-precision, β-recall, nearness to training rows and membership inference; the detector and "
    f"the models see at most {QUICK_ROWS:,} rows of each table, with which they find less"
)

SYNTHETIC, HELD_OUT, INDEPENDENT = "synthetic", "held_out", "independent"
OTHER_TRAINING = "other_training"
"""Training rows in the place of the synthetic table, while others of them are attacked."""

Progress = Callable[[float], None]
"""Is told the share done."""


@dataclass(frozen=True)
class Tables:
    """The rows that are compared, aligned."""

    real: Frame
    """What the generator was trained on, or the part of it that was not split off."""
    synthetic: Frame
    held_out: Frame
    independent: Frame

    @property
    def compared(self) -> dict[str, Frame]:
        """Everything that is set against the real rows, by name."""
        return {
            SYNTHETIC: self.synthetic,
            HELD_OUT: self.held_out,
            INDEPENDENT: self.independent,
        }

    @property
    def alike_rows(self) -> int:
        """As many rows as all of them have."""
        return min(map(len, self.compared.values()))

    @property
    def most_rows(self) -> int:
        """As many as one of all tables has."""
        return max(map(len, (self.real, *self.compared.values())))


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How alike a table is to the real one."""

    shape: Mapping[str, float]
    """Error of each column."""
    trend: np.ndarray
    """Error of each two columns, (K, K)."""
    information: np.ndarray
    """Normalised mutual information of each two columns, (K, K)."""
    information_error: float
    manifold: Manifold | None
    """None in a quick report."""
    detection: Detection
    missing: Mapping[str, float]
    lost: Mapping[str, Lost]
    """Of each discrete column."""


def measure_fidelity(
    tables: Tables, *, seed: int, quick: bool, progress: Progress
) -> dict[str, Fidelity]:
    """Fidelity of the synthetic table, of held-out rows and of independent columns."""
    real = tables.real
    truth = normalised_information(real, real)
    frames = _alike(tables.compared, tables.alike_rows, np.random.default_rng([seed, 8]))
    seen = _alike(
        {"real": real, **frames},
        QUICK_ROWS if quick else tables.most_rows,
        np.random.default_rng([seed, 10]),
    )
    manifolds: Mapping[str, Manifold] = {}
    if not quick:
        rng = np.random.default_rng([seed, 3])
        found = compare_manifolds(real, list(frames.values()), rows=DISTANCE_ROWS, rng=rng)
        manifolds = dict(zip(frames, found, strict=True))
    progress(0.3)

    def measure(name: str) -> Fidelity:
        whole, frame = tables.compared[name], frames[name]
        found = normalised_information(real, frame)
        return Fidelity(
            shape=shape_errors(real, frame),
            trend=trend_errors(real, frame),
            information=found,
            information_error=weighted_error(truth, found),
            manifold=manifolds.get(name),
            detection=detect(seen["real"], seen[name], seed=seed, explain=name == SYNTHETIC),
            missing=missing_shares(whole),
            lost=lost_categories(real, whole),
        )

    return dict(zip(frames, at_once(measure, frames), strict=True))


def _alike(frames: Mapping[str, Frame], rows: int, rng: np.random.Generator) -> dict[str, Frame]:
    """At most so many rows of each."""
    return {name: frame.sample(rows, rng) for name, frame in frames.items()}


def measure_utility(tables: Tables, *, seed: int, quick: bool) -> dict[str, PaperScores]:
    """Models fitted on each table, the real one as `held_out`, and tested on held-out rows.

    They are fitted on equally many rows of each.
    """
    rows = min(len(tables.real), len(tables.synthetic), QUICK_ROWS if quick else tables.most_rows)
    fitted = {**tables.compared, HELD_OUT: tables.real}
    frames = _alike(fitted, rows, np.random.default_rng([seed, 9]))

    def measure(frame: Frame) -> PaperScores:
        return score_utility(tables.real, frame, tables.held_out, seed=seed)

    return dict(zip(frames, at_once(measure, frames.values()), strict=True))


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """What was tried to find single training rows again.

    Four tables are looked through: the synthetic one; half of the held-out rows, against the other
    half; independent columns; and half of the training rows while the other half is attacked. This
    last one knows none of the rows that are attacked: what is found through it is how training and
    held-out rows differ by themselves (drift), and no membership.
    """

    nearer: dict[str, float]
    """Share of rows nearer to training than to held-out rows, for each table."""
    membership: dict[str, Membership]
    """Membership inference, for each table."""


def measure_leakage(tables: Tables, *, seed: int, progress: Progress) -> Leakage:
    """Nearness and membership."""
    rng = np.random.default_rng([seed, 4])
    fresh, rest = _halves(tables.held_out, rng)
    others, attacked = _halves(tables.real, rng)
    trials = {
        SYNTHETIC: (tables.real, tables.held_out, tables.synthetic),
        HELD_OUT: (tables.real, rest, fresh),
        INDEPENDENT: (tables.real, tables.held_out, tables.independent),
        OTHER_TRAINING: (attacked, tables.held_out, others),
    }
    nearer, membership = {}, {}
    for at, (name, frames) in enumerate(trials.items()):
        progress(at / len(trials))
        rng = np.random.default_rng([seed, 5])
        nearer[name] = nearer_share(*frames, rows=DISTANCE_ROWS, rng=rng)
        membership[name] = infer_membership(*frames, members=MEMBERS, rows=ATTACK_ROWS, seed=seed)
    return Leakage(nearer=nearer, membership=membership)


def _halves(frame: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    one, other = np.array_split(rng.permutation(len(frame)), 2)
    return frame.take(np.sort(one)), frame.take(np.sort(other))
