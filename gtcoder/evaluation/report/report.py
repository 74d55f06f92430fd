"""The report as plain JSON values: every figure, where it came from, and what it says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import pyarrow as pa

from gtcoder import __version__
from gtcoder.evaluation.fidelity.shape import missing_shares
from gtcoder.evaluation.frame import MISSING
from gtcoder.evaluation.measures import (
    ATTACK_ROWS,
    DISTANCE_ROWS,
    HELD_OUT,
    INDEPENDENT,
    SYNTHETIC,
    Fidelity,
    Leakage,
    Tables,
)
from gtcoder.evaluation.privacy.membership import Membership
from gtcoder.evaluation.report import glossary
from gtcoder.evaluation.report.grade import graded_line
from gtcoder.evaluation.report.kinds import plain_kind
from gtcoder.evaluation.report.profile import profile
from gtcoder.evaluation.report.verdict import few_rows, judge
from gtcoder.evaluation.utility import PaperScores

FORMAT_VERSION = 2
DECIMALS = 6
MOST_LOST = 20
"""Lost categories that are named of a column, the most frequent first."""
_NAMES = (SYNTHETIC, HELD_OUT, INDEPENDENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where rows came from."""

    uri: str | None
    """None for rows that were split off the real table."""
    rows: int | None
    """Of the whole table."""
    used: int
    """Rows that were measured."""


def build_report(
    tables: Tables,
    schema: pa.Schema,
    *,
    sources: Mapping[str, Source],
    fidelity: Mapping[str, Fidelity],
    rules: Sequence[Mapping[str, Any]],
    patterns: Sequence[Mapping[str, Any]],
    utility: Mapping[str, PaperScores] | None,
    copies: Mapping[str, float],
    leakage: Leakage | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Put all that was measured together; numbers that do not exist are None."""
    roles = tables.real.roles
    report: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "library_version": __version__,
        "settings": {
            **settings,
            "compared_rows": tables.alike_rows,
            "distance_rows": DISTANCE_ROWS,
            "attack_rows": ATTACK_ROWS,
            "held_out": "given" if sources["held_out"].uri else "split off the real table",
        },
        "sources": {name: asdict(source) for name, source in sources.items()},
        "columns": {
            "continuous": list(roles.continuous),
            "discrete": list(roles.discrete),
            "left_out": dict(roles.left_out),
        },
        "fidelity": _fidelity(fidelity),
        "rules": list(rules),
        "patterns": list(patterns),
        "utility": _utility(utility, roles.target),
        "privacy": _privacy(copies, leakage, quick=settings["quick_leaves_out"] is not None),
        "by_column": _by_column(tables, schema, fidelity),
        "by_pair": _by_pair(tables, fidelity),
        "about": {
            key: entry.text
            for group in (glossary.FIDELITY, glossary.UTILITY, glossary.PRIVACY)
            for key, entry in group.items()
        },
    }
    plain: dict[str, Any] = _plain(report)
    verdict = judge(plain)
    return plain | {"summary": graded_line(verdict, few_rows(plain)), "verdict": verdict}


def _fidelity(measured: Mapping[str, Fidelity]) -> dict[str, dict[str, float | None]]:
    figures = {name: _figures(measured[name]) for name in _NAMES}
    return {key: {name: figures[name][key] for name in _NAMES} for key in glossary.FIDELITY}


def _figures(fidelity: Fidelity) -> dict[str, float | None]:
    upper = fidelity.trend[np.triu_indices(len(fidelity.trend), 1)]
    known = upper[~np.isnan(upper)]
    manifold = fidelity.manifold
    return {
        "shape_error_pct": 100 * float(np.mean(list(fidelity.shape.values()))),
        "trend_error_pct": 100 * float(known.mean()) if len(known) else 0.0,
        "wnmi_error": fidelity.information_error,
        "detector_auc": fidelity.detection.auc,
        "detector_score": fidelity.detection.score,
        "alpha_precision": None if manifold is None else manifold.alpha_precision,
        "beta_recall": None if manifold is None else manifold.beta_recall,
    }


def _utility(scores: Mapping[str, PaperScores] | None, target: str | None) -> dict[str, Any] | None:
    """The same measures for models fitted on each table; `real` is the ceiling."""
    if scores is None:
        return None
    names = {SYNTHETIC: SYNTHETIC, "real": HELD_OUT, INDEPENDENT: INDEPENDENT}
    one = scores[SYNTHETIC]
    measures = {
        measure: {name: scores[key].mean[measure] for name, key in names.items()}
        for measure in one.mean
    }
    boosted = {name: scores[key].boosted for name, key in names.items()}
    measured = all(math.isfinite(value) for value in one.mean.values())
    return {
        "target": target,
        "task": one.task.value,
        "not_measured": None if measured else f"all held-out rows have the same {target}",
        "measures": {**measures, one.boosted_measure: boosted},
        "by_model": {
            model: {
                measure: {name: scores[key].by_model[model][measure] for name, key in names.items()}
                for measure in one.mean
            }
            for model in one.by_model
        },
    }


def _privacy(
    copies: Mapping[str, float], leakage: Leakage | None, *, quick: bool
) -> dict[str, Any]:
    privacy: dict[str, Any] = {"exact_copy_share": dict(copies)}
    if leakage is None:
        without = (
            "not measured: a quick report leaves it out"
            if quick
            else "not measured: it needs held-out rows that the generator never saw"
        )
        return privacy | {
            "nearer_to_training_share": None,
            "membership": None,
            "not_measured": without,
        }
    return privacy | {
        "nearer_to_training_share": leakage.nearer,
        "membership": {name: _membership(found) for name, found in leakage.membership.items()},
    }


def _membership(found: Membership) -> dict[str, Any]:
    return {
        "strongest": found.strongest,
        "largest": asdict(found.largest),
        "attacks": {name: asdict(attack) for name, attack in found.attacks.items()},
        "training_rows": found.members,
        "held_out_rows": found.others,
        "synthetic_rows": found.synthetic,
    }


def _by_column(
    tables: Tables, schema: pa.Schema, fidelity: Mapping[str, Fidelity]
) -> list[dict[str, Any]]:
    real = tables.real
    order = [name for name in schema.names if name in real.roles.columns]
    missing = {"real": missing_shares(real), SYNTHETIC: fidelity[SYNTHETIC].missing}
    return [
        {
            "name": name,
            "role": "continuous" if name in real.roles.continuous else "discrete",
            "type": str(schema.field(name).type),
            "kind": plain_kind(schema.field(name).type),
            "shape_error_pct": {key: 100 * fidelity[key].shape[name] for key in _NAMES},
            "missing_share": {key: shares[name] for key, shares in missing.items()},
            "lost_categories": _lost(fidelity, name),
            "detector_importance": fidelity[SYNTHETIC].detection.importance[name],
            "profile": profile(real, tables.synthetic, name, schema.field(name).type),
        }
        for name in order
    ]


def _lost(fidelity: Mapping[str, Fidelity], name: str) -> dict[str, Any] | None:
    """How many categories each table lost, of how many; and which the synthetic one did."""
    if name not in fidelity[SYNTHETIC].lost:
        return None
    tables = {key: fidelity[key].lost[name] for key in (SYNTHETIC, HELD_OUT)}
    rows = tables[SYNTHETIC].real_rows
    return {
        "count": {key: len(lost.real_rows) for key, lost in tables.items()},
        "of": {key: lost.of for key, lost in tables.items()},
        "real_rows": sum(rows.values()),
        "most_frequent": [
            {"category": MISSING if category is None else category, "real_rows": count}
            for category, count in islice(rows.items(), MOST_LOST)
        ],
    }


def _by_pair(tables: Tables, fidelity: Mapping[str, Fidelity]) -> list[dict[str, Any]]:
    columns = tables.real.roles.columns
    return [
        {
            "columns": [columns[a], columns[b]],
            "trend_error_pct": {key: 100 * float(fidelity[key].trend[a, b]) for key in _NAMES},
            "information": {key: float(fidelity[key].information[a, b]) for key in _NAMES},
        }
        for a, b in combinations(range(len(columns)), 2)
    ]


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: rounded, and None for what is not a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
