"""The verdict in plain words: what was measured beside what it should be, and no more."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gtcoder.evaluation.report.grade import Grade, worst
from gtcoder.evaluation.report.markup import short

FEW_ROWS = 500
"""Held-out rows below which figures are called rough."""
LARGEST_CHANCE = 0.53
"""An AUC of held-out rows above this is not taken for what the detector reaches by chance."""
NAMED = 3
"""Columns or classes that are named in a sentence."""
BROKEN = 0.05
"""Of the rows, that may break a rule of rows that stand in well."""
TELLING = 0.01
"""A column by whose shuffling the detector's AUC falls less gives nothing away."""
_ATTACKS = {"density_ratio": "a density-ratio attack", "classifier": "a classifier attack"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one topic."""

    headline: str
    text: str
    grade: Grade | None = None
    """None if it was not measured."""
    clause: str = ""
    """Why, in a few words."""
    unknown: str = ""
    """What was not measured."""


def judge(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A headline, a few sentences and a grade on fidelity, utility and privacy."""
    topics = {
        "Likeness": _likeness(report),
        "Use": _use(report),
        "Leaks looked for": _leaks(report["privacy"], report["fidelity"]["detector_auc"]),
    }
    rows = few_rows(report)
    rough = f" There are only {rows} held-out rows: these figures are rough." if rows else ""
    return [
        {
            "topic": topic,
            **asdict(found),
            "text": found.text + rough,
            "grade": found.grade.value if found.grade else None,
        }
        for topic, found in topics.items()
    ]


def few_rows(report: Mapping[str, Any]) -> int | None:
    """How many held-out rows there are, if they are too few to be precise."""
    rows: int = report["sources"]["held_out"]["used"]
    return rows if rows < FEW_ROWS else None


def _likeness(report: Mapping[str, Any]) -> Finding:
    auc = report["fidelity"]["detector_auc"]
    trend, shape = (report["fidelity"][f"{kind}_error_pct"] for kind in ("trend", "shape"))
    found, chance = auc["synthetic"], min(max(auc["held_out"], 0.5), LARGEST_CHANCE) + 0.02
    if found <= chance:
        said = "The detector cannot tell them from real rows", Grade.GOOD, "cannot tell them apart"
    elif found <= 0.65:
        said = "Small differences from real rows", Grade.GOOD, "sees small differences only"
    elif found <= 0.85:
        said = "Clear differences from real rows", Grade.FAIR, "sees clear differences"
    else:
        said = "Easily told from real rows", Grade.POOR, "tells them from real rows easily"
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
    headline, grade, clause = said
    by = [c["name"] for c in telling(report["by_column"])[:NAMED]] if found > chance else []
    text += _worst_column(report["by_column"])
    text += f" The detector goes by {_listed(by)} most." if by else ""
    clause = f"a detector {clause}" + (f", by {_listed(by)} most" if by else "")
    broken = 1 - _least_kept(report["rules"])
    if broken > BROKEN and grade is not Grade.POOR:
        rule = short(ranked_rules(report["rules"])[0]["in_words"], 80)
        reason = f"{100 * broken:.0f} % of the rows concerned break the rule “{rule}”"
        grade, clause = Grade.FAIR, reason if grade is Grade.GOOD else f"{clause}, and {reason}"
    text += _rules(report["rules"]) + _lost(report["by_column"])
    return Finding(headline, text, grade, clause)


def telling(columns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The columns that the detector goes by, the most telling first."""
    told = [each for each in columns if each["detector_importance"] >= TELLING]
    return sorted(told, key=lambda each: -each["detector_importance"])


def _worst_column(columns: Sequence[Mapping[str, Any]]) -> str:
    worst = max(columns, key=lambda column: column["shape_error_pct"]["synthetic"])
    error = worst["shape_error_pct"]["synthetic"]
    return f" The column furthest off is {worst['name']} ({error:.2f} %)."


def ranked_rules(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rules that all real rows keep and synthetic rows can break, the least kept first."""
    said = [r for r in rules if r["kept_share"]["synthetic"] is not None and not r["nearly"]]
    return sorted(said, key=lambda each: float(each["kept_share"]["synthetic"]))


def _least_kept(rules: Sequence[Mapping[str, Any]]) -> float:
    """The share of synthetic rows that keep the rule they break most; 1 without rules."""
    return next((float(each["kept_share"]["synthetic"]) for each in ranked_rules(rules)), 1.0)


def _rules(rules: Sequence[Mapping[str, Any]]) -> str:
    """How many rules are kept, and the one that is kept least."""
    said = ranked_rules(rules)
    if not said:
        return ""
    worst, share = said[0], _least_kept(rules)
    count = f"{len(said)} rules" if len(said) > 1 else "one rule"
    if share == 1:
        every = "them all" if len(said) > 1 else "it"
        return f" Real rows keep {count} between columns; every synthetic row keeps {every}."
    return (
        f" Real rows keep {count} between columns; the one that synthetic rows break most is "
        f"“{short(worst['in_words'], 80)}”, kept by {100 * share:.1f} % of them."
    )


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


def _use(report: Mapping[str, Any]) -> Finding:
    utility, given = report["utility"], report["settings"]["held_out"] == "given"
    unknown = "whether models learn from them"
    if utility is None:
        text = "No target column was named, so no model was trained."
        return Finding("Not measured", text, unknown=unknown)
    if utility["not_measured"]:
        return Finding(
            "Not measured",
            f"This needs held-out rows that differ in {utility['target']}; but "
            f"{utility['not_measured']}, so that one guess is always right.",
            unknown=unknown,
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
    headline, grade, clause = _use_headline(found, real, floor)
    return Finding(headline, text, grade, clause, unknown="" if grade else unknown)


def _lost_classes(columns: list[Mapping[str, Any]], target: str) -> str:
    lost = [c["lost_categories"] for c in columns_with_losses(columns) if c["name"] == target]
    if not lost:
        return ""
    named = [short(each["category"], 40) for each in lost[0]["most_frequent"][:NAMED]]
    rest = lost[0]["count"]["synthetic"] - len(named)
    return f" Classes that no synthetic row has: {_listed(named + [f'{rest} more'] * (rest > 0))}."


def _use_headline(found: float, real: float, floor: float) -> tuple[str, Grade | None, str]:
    if real - floor < 0.02:
        return "The target can hardly be predicted from real rows either", None, ""
    kept = (found - floor) / (real - floor)
    if kept >= 0.97:
        how, grade = "as much as from real rows", Grade.GOOD
    elif kept >= 0.85:
        how, grade = "nearly as much as from real rows", Grade.GOOD
    elif kept >= 0.4:
        how, grade = "less than from real rows", Grade.FAIR
    else:
        how, grade = "little", Grade.POOR
    return f"Models learn {how}", grade, f"models learn {how}"


def _leaks(privacy: Mapping[str, Any], detector: Mapping[str, float]) -> Finding:
    copies = privacy["exact_copy_share"]
    copied = _copied(copies)
    said = (
        f" {100 * copies['synthetic']:.2f} % of synthetic rows equal a real row in every column "
        f"(held-out real rows {100 * copies['held_out']:.2f} %)."
    )
    if privacy["membership"] is None:
        text = f"Whether single training rows can be found again was {privacy['not_measured']}."
        unknown = "whether single real rows can be found again"
        return Finding("Membership was not measured", text + said, *copied, unknown=unknown)
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
    headline, grade, clause = _leak_headline(auc, drift)
    found = worst((grade, clause), copied)
    return Finding(headline, f"{text}{said} This says nothing of other attacks.", *found)


def _copied(copies: Mapping[str, float]) -> tuple[Grade | None, str]:
    """How bad it is that rows are copies, if more are than of held-out rows."""
    more = copies["synthetic"] - copies["held_out"]
    if more < 0.01:
        return None, ""
    grade = Grade.FAIR if more < 0.1 else Grade.POOR
    return grade, f"{100 * copies['synthetic']:.0f} % of them equal a real row"


def _leak_headline(auc: Mapping[str, float], drift: Mapping[str, float]) -> tuple[str, Grade, str]:
    blind = "two attacks found no training row"
    if auc["low"] <= 0.5:
        return "These two attacks did no better than guessing", Grade.GOOD, blind
    if drift["low"] > 0.5 and auc["low"] <= drift["high"]:
        headline = "Attacks see drift of the held-out rows, and perhaps no membership"
        return headline, Grade.GOOD, "attacks see no more than drift"
    if auc["value"] < 0.55:
        slightly = "does slightly better than guessing"
        return f"An attack {slightly}", Grade.GOOD, f"an attack on training rows {slightly}"
    if auc["value"] < 0.7:
        finds = "finds training rows better than by guessing"
        return f"An attack {finds}", Grade.FAIR, f"an attack {finds}"
    return "Training rows can be recognised", Grade.POOR, "training rows can be recognised"


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
