"""The sections on what models learn from the rows, and on leaks that were looked for."""

from collections.abc import Mapping
from typing import Any

from gtcoder.evaluation.report import glossary
from gtcoder.evaluation.report.markup import Markup, element
from gtcoder.evaluation.report.sections.figures import TABLES, cells, figure, spread
from gtcoder.evaluation.report.table import Row, section, shown, table

_FITTED = ("synthetic", "real", "independent")
_MEASURES = {"f1_macro": "macro F1", "f1_weighted": "weighted F1", "r2": "r²"}
_LEAK_HEADS = ("", "synthetic", "held-out real", "independent", "other training", "best")


def use(report: Mapping[str, Any]) -> Markup:
    """How well models that learned from each table predict the target."""
    utility = report["utility"]
    if utility is None:
        return section("Use", element("p", "Not measured: no column to predict was named."))
    gone = utility["not_measured"]
    rows = [
        figure(glossary.UTILITY[key], values, ceiling="real")
        for key, values in utility["measures"].items()
    ]
    models = [
        (f"{model.replace('_', ' ')}, {_MEASURES[measure]}", *(shown(values[n]) for n in _FITTED))
        for model, measures in utility["by_model"].items()
        for measure, values in measures.items()
    ]
    return section(
        "Use",
        table(("", "on synthetic", "on real", "on independent", "best", ""), rows),
        element(
            "details",
            element("summary", "Model by model"),
            table(("", "on synthetic", "on real", "on independent"), models),
        ),
        lead=[
            f"Models trained on equally many rows of each table predict {utility['target']} in "
            "held-out real rows.",
            f" But {gone}, so that one guess is always right." if gone else None,
        ],
    )


def leaks(report: Mapping[str, Any]) -> Markup:
    """Copies, nearness, and what attacks reached."""
    privacy, entries = report["privacy"], glossary.PRIVACY
    copies = privacy["exact_copy_share"]
    rows = [
        _row(entries["exact_copy_share"], {n: 100 * s for n, s in copies.items()}, percent=True)
    ]
    if privacy["membership"] is None:
        text = privacy["not_measured"]
        lead = f"Whether single training rows can be found again was {text}."
        return section("Leaks looked for", table(_LEAK_HEADS, rows), lead=lead)
    rows.append(_row(entries["nearer_to_training_share"], privacy["nearer_to_training_share"]))
    for measure in ("auc", "tpr"):
        values = {n: found["largest"][measure] for n, found in privacy["membership"].items()}
        key = "membership_auc" if measure == "auc" else "membership_tpr_at_1pct_fpr"
        rows.append(_attacked(entries[key], values))
    made = privacy["membership"]["synthetic"]
    attacks = [
        (
            name.replace("_", " ") + (" (the stronger)" if name == made["strongest"] else ""),
            spread(attack["auc"]),
            spread(attack["tpr"]),
        )
        for name, attack in made["attacks"].items()
    ]
    return section(
        "Leaks looked for",
        table(_LEAK_HEADS, rows),
        element("h3", "Both attacks", style="margin-top:16px"),
        table(("", "AUC", "found at 1 % false alarms"), attacks),
        lead=f"{made['training_rows']:,} training rows and {made['held_out_rows']:,} held-out rows "
        f"were attacked through {made['synthetic_rows']:,} synthetic rows. Under “held-out real” "
        "half of the held-out rows stand in for the synthetic table; under “other training” half "
        "of the training rows do while the other half is attacked. That half knows no row that is "
        "attacked: what is found through it is drift between training and held-out rows, and no "
        "membership.",
    )


def _row(entry: glossary.Entry, values: Mapping[str, float], *, percent: bool = False) -> Row:
    texts = [shown(values[name], percent) for name in TABLES]
    return cells(entry, [*texts, shown(values.get("other_training"))])


def _attacked(entry: glossary.Entry, values: Mapping[str, Any]) -> Row:
    return cells(entry, [spread(values[name]) for name in (*TABLES, "other_training")])
