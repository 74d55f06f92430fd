"""The verdict in plain words: what was measured beside what it should be, and no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.evaluation.report.markup import short

FEW_ROWS = 500
"""Held-out rows below which figures are called rough."""
LARGEST_CHANCE = 0.53
"""An AUC of held-out rows above this is not taken for what the detector reaches by chance."""
NAMED = 3
"""Columns or classes that are named in a sentence."""
_ATTACKS = {"density_ratio": "a density-ratio attack", "classifier": "a classifier attack"}


def judge(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """A headline and a few sentences on fidelity, utility and privacy."""
    topics = {
        "Likeness": _likeness(report),
        "Use": _use(report),
        "Leaks looked for": _leaks(report["privacy"], report["fidelity"]["detector_auc"]),
    }
    rows = report["sources"]["held_out"]["used"]
    rough = f" There are only {rows} held-out rows: these figures are rough."
    return [
        {"topic": topic, "headline": headline, "text": text + (rough if rows < FEW_ROWS else "")}
        for topic, (headline, text) in topics.items()
    ]


def _likeness(report: Mapping[str, Any]) -> tuple[str, str]:
    auc = report["fidelity"]["detector_auc"]
    trend, shape = (report["fidelity"][f"{kind}_error_pct"] for kind in ("trend", "shape"))
    found, chance = auc["synthetic"], min(max(auc["held_out"], 0.5), LARGEST_CHANCE) + 0.02
    if found <= chance:
        headline = "The detector cannot tell them from real rows"
    elif found <= 0.65:
        headline = "Small differences from real rows"
    elif found <= 0.85:
        headline = "Clear differences from real rows"
    else:
        headline = "Easily told from real rows"
    text = (
        f"A boosted tree trained to tell synthetic from real rows reaches an AUC of {found:.3f} "
        f"(0.5 is guessing; held-out real rows {auc['held_out']:.3f}, independent columns "
        f"{auc['independent']:.3f}). Columns are off by {shape['synthetic']:.2f} % on average "
        f"(held-out real rows {shape['held_out']:.2f} %), pairs of columns by "
        f"{trend['synthetic']:.2f} % ({trend['held_out']:.2f} %; independent columns "
        f"{trend['independent']:.2f} %)."
    )
    if auc["held_out"] > LARGEST_CHANCE and _drifts(report["privacy"]):
        text += " Held-out rows differ from the training rows themselves: they are no ceiling here."
    text += _where(report["by_column"], found > chance)
    return headline, text + _lost(report["by_column"])


def _where(columns: list[Mapping[str, Any]], told: bool) -> str:
    """The columns that differ most."""
    worst = max(columns, key=lambda column: column["shape_error_pct"]["synthetic"])
    text = (
        f" The column furthest off is {worst['name']} "
        f"({worst['shape_error_pct']['synthetic']:.2f} %)."
    )
    ranked = sorted(columns, key=lambda column: -column["detector_importance"])
    by = [c["name"] for c in ranked[:NAMED] if c["detector_importance"] > 0.01]
    return text + (f" The detector goes by {_listed(by)} most." if told and by else "")


def _lost(columns: list[Mapping[str, Any]]) -> str:
    lost = columns_with_losses(columns)
    if not lost:
        return ""
    named = [f"{c['lost_categories']['count']['synthetic']} of {c['name']}" for c in lost[:NAMED]]
    if len(lost) > NAMED:
        named.append(f"some of {len(lost) - NAMED} more columns")
    return f" Categories that never appear, though enough real rows have them: {_listed(named)}."


def columns_with_losses(columns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The columns of which the synthetic table lost categories, those of most real rows first."""
    lost = [c for c in columns if c["lost_categories"] and c["lost_categories"]["real_rows"]]
    return sorted(lost, key=lambda column: -column["lost_categories"]["real_rows"])


def _use(report: Mapping[str, Any]) -> tuple[str, str]:
    utility, given = report["utility"], report["settings"]["held_out"] == "given"
    if utility is None:
        return "Not measured", "No target column was named (--target), so no model was trained."
    if utility["not_measured"]:
        return (
            "Not measured",
            f"This needs held-out rows that differ in {utility['target']}; but "
            f"{utility['not_measured']}, so that one guess is always right.",
        )
    measure = "f1_macro" if utility["task"] == "classification" else "r2"
    words = {"f1_macro": "macro F1", "r2": "r²"}[measure]
    figures = utility["measures"][measure]
    found, real, floor = (figures[name] for name in ("synthetic", "real", "independent"))
    text = (
        f"Models trained on synthetic rows predict {utility['target']} in held-out real rows with "
        f"a {words} of {found:.3f}; trained on real rows they reach {real:.3f}, on independent "
        f"columns {floor:.3f}."
    )
    text += _lost_classes(report["by_column"], utility["target"])
    if not given:
        text += (
            " The rows they were tested on were split off the real table, which the generator may "
            "have seen: this can flatter the synthetic rows."
        )
    return _use_headline(found, real, floor), text


def _lost_classes(columns: list[Mapping[str, Any]], target: str) -> str:
    lost = [c["lost_categories"] for c in columns_with_losses(columns) if c["name"] == target]
    if not lost:
        return ""
    named = [short(each["category"], 40) for each in lost[0]["most_frequent"][:NAMED]]
    rest = lost[0]["count"]["synthetic"] - len(named)
    return f" Classes that no synthetic row has: {_listed(named + [f'{rest} more'] * (rest > 0))}."


def _use_headline(found: float, real: float, floor: float) -> str:
    if real - floor < 0.02:
        return "The target can hardly be predicted from real rows either"
    kept = (found - floor) / (real - floor)
    if kept >= 0.97:
        return "Models learn as much as from real rows"
    if kept >= 0.85:
        return "Models learn nearly as much as from real rows"
    return "Models learn less than from real rows" if kept >= 0.4 else "Models learn little"


def _leaks(privacy: Mapping[str, Any], detector: Mapping[str, float]) -> tuple[str, str]:
    copies = privacy["exact_copy_share"]
    said = (
        f" {100 * copies['synthetic']:.2f} % of synthetic rows equal a real row in every column "
        f"(held-out real rows {100 * copies['held_out']:.2f} %)."
    )
    if privacy["membership"] is None:
        return (
            "Membership was not measured",
            "Whether single training rows can be found again can only be measured with held-out "
            f"rows that the generator never saw (--holdout).{said}",
        )
    found = privacy["membership"]["synthetic"]
    auc, drift = (_reached(privacy, name) for name in ("synthetic", "other_training"))
    text = (
        f"The stronger of two membership attacks, {_ATTACKS[found['strongest']]}, tells training "
        f"from held-out rows with an AUC of {_spread(auc)}, where 0.5 is guessing."
    )
    if _drifts(privacy):
        text += (
            " But training and held-out rows are told apart by themselves: through other training "
            f"rows, which know none of those attacked, the same attacks reach {_spread(drift)}, "
            f"and a detector of the two {detector['held_out']:.3f}. What is above guessing may be "
            "this drift and not membership; rows held out at random would show which."
        )
    return _leak_headline(auc, drift), f"{text}{said} This says nothing of other attacks."


def _leak_headline(auc: Mapping[str, float], drift: Mapping[str, float]) -> str:
    if auc["low"] <= 0.5:
        return "These two attacks did no better than guessing"
    if drift["low"] > 0.5 and auc["low"] <= drift["high"]:
        return "Attacks see drift of the held-out rows, and perhaps no membership"
    if auc["value"] < 0.55:
        return "An attack does slightly better than guessing"
    if auc["value"] < 0.7:
        return "An attack finds training rows better than by guessing"
    return "Training rows can be recognised"


def _drifts(privacy: Mapping[str, Any]) -> bool:
    """Whether training and held-out rows are told apart where no row's membership is known."""
    known = privacy["membership"] is not None
    return known and bool(_reached(privacy, "other_training")["low"] > 0.5)


def _reached(privacy: Mapping[str, Any], table: str) -> Mapping[str, float]:
    auc: Mapping[str, float] = privacy["membership"][table]["largest"]["auc"]
    return auc


def _spread(auc: Mapping[str, float]) -> str:
    return f"{auc['value']:.3f} (95 % interval {auc['low']:.3f} to {auc['high']:.3f})"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
