"""The report as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from gtcoder.evaluation.report import glossary
from gtcoder.evaluation.report.markup import Child, Markup, element, join, short, style
from gtcoder.evaluation.report.picture import LARGEST_MAP, bars, column_picture, heat_map, scale
from gtcoder.evaluation.report.style import STYLE
from gtcoder.evaluation.report.verdict import columns_with_losses

WORST_PAIRS = 12
MOST_BARS = 15
MOST_NAMED = 8
"""Lost categories of a column that are named; report.json has more."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_HALVES = "margin-top:14px;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr))"
_TABLES = ("synthetic", "held_out", "independent")


def render(report: Mapping[str, Any]) -> str:
    """The page of a report."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width,initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", "Synthetic table: evaluation"),
        style(STYLE),
    )
    body = element(
        "main",
        element("h1", "How good is this synthetic table?"),
        _sources(report),
        _verdict(report),
        _likeness(report),
        _differences(report),
        _use(report),
        _leaks(report),
        _columns(report),
        _method(report),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


def _sources(report: Mapping[str, Any]) -> Markup:
    words = []
    for name, label in (("synthetic", "synthetic"), ("real", "real"), ("held_out", "held-out")):
        source = report["sources"][name]
        used, rows = source["used"], source["rows"]
        of = "" if rows in (None, used) else f" of {rows:,}"
        where = f" from {source['uri']}" if source["uri"] else " split off the real table"
        words.append(f"{used:,}{of} {label} rows{where}")
    return element("p", " · ".join(words), f" · seed {report['settings']['seed']}", class_="soft")


def _verdict(report: Mapping[str, Any]) -> Markup:
    cards = [
        element(
            "section",
            element("h3", each["topic"]),
            element("div", each["headline"], class_="head"),
            element("p", each["text"]),
            class_="card verdict",
        )
        for each in report["verdict"]
    ]
    return element("div", cards, class_="grid", style="margin-top:20px")


def _likeness(report: Mapping[str, Any]) -> Markup:
    rows = [_figure(entry, report["fidelity"][key]) for key, entry in glossary.FIDELITY.items()]
    return _section("Likeness", _table(_HEADS, rows), lead=_ENDS)


_HEADS = ("", "synthetic", "held-out real", "independent columns", "best", "")
_ENDS = (
    "Every figure beside the same figure of held-out real rows, as good as it gets, and of "
    "independent columns, where every real column is shuffled for itself and all dependence is "
    "lost. The bar says how far the synthetic table has come from these to those."
)


def _figure(
    entry: glossary.Entry, values: Mapping[str, float], ceiling: str = "held_out"
) -> tuple[Child, ...]:
    found, top, floor = values["synthetic"], values[ceiling], values["independent"]
    if None in (found, top, floor):
        return _cells(entry, ["not measured", "–", "–"])
    gain = (floor - top) if entry.falling else (top - floor)
    # no scale where independent columns are as good: for Shape always, by chance on few rows
    lies = scale(found, top, floor) if gain > 0.02 * (abs(top) + abs(floor)) else None
    shown = [_shown(value, entry.percent) for value in (found, top, floor)]
    return (*_cells(entry, shown), lies)


def _differences(report: Mapping[str, Any]) -> Markup:
    pairs = [
        (tuple(pair["columns"]), pair["trend_error_pct"])
        for pair in report["by_pair"]
        if pair["trend_error_pct"]["synthetic"] is not None
    ]
    errors = {columns: error["synthetic"] for columns, error in pairs}
    worst = sorted(pairs, key=lambda pair: -pair[1]["synthetic"])[:WORST_PAIRS]
    rows = [
        (f"{a} × {b}", *(_shown(error[name], True) for name in _TABLES)) for (a, b), error in worst
    ]
    top = max([*errors.values(), 1.0])
    ranked = sorted(report["by_column"], key=lambda column: -column["detector_importance"])
    importance = [(c["name"], c["detector_importance"]) for c in ranked[:MOST_BARS]]
    names = [column["name"] for column in report["by_column"]]
    cut = f" The {LARGEST_MAP} columns furthest off." if len(names) > LARGEST_MAP else ""
    return _section(
        "Where they differ",
        element(
            "div",
            element("h3", "Pair errors of the synthetic table"),
            element("div", heat_map(names, errors), class_="wide") if errors else "one column only",
            element(
                "p",
                f"The stronger the colour the worse: the strongest is {top:.1f} %.{cut}",
                class_="soft",
            ),
            class_="card",
        ),
        element(
            "div",
            element(
                "div",
                element("h3", "What the detector goes by"),
                bars(importance),
                element(
                    "p",
                    "By how much its AUC falls when a column is shuffled. Columns that are only "
                    "wrong together all show up.",
                    class_="soft",
                ),
                class_="card",
            ),
            element(
                "div",
                element("h3", "Largest pair errors"),
                _table(("", "synthetic", "held-out", "indep."), rows, class_="wide"),
                class_="card",
            ),
            class_="grid",
            style=_HALVES,
        ),
        _lost(report["by_column"]),
    )


def _lost(columns: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Categories that the synthetic table never has, the columns with the most such rows first."""
    lost = columns_with_losses(columns)
    rows = [_loss(short(column["name"], 60), column["lost_categories"]) for column in lost]
    if not rows:
        return None
    more = f" {MOST_BARS} of {len(lost)} columns are shown." if len(lost) > MOST_BARS else ""
    return element(
        "div",
        element("h3", "Categories that were lost"),
        _table(("", "synthetic", "held-out real", "real rows"), rows[:MOST_BARS], class_="wide"),
        element(
            "p",
            "They never appear, though at least five rows were to have them by their share of the "
            f"real rows. In brackets how many real rows do.{more}",
            class_="soft",
        ),
        class_="card",
        style="margin-top:14px",
    )


def _loss(name: str, lost: Mapping[str, Any]) -> tuple[Child, ...]:
    counts = [f"{lost['count'][table]} of {lost['of'][table]}" for table in _TABLES[:2]]
    shown = lost["most_frequent"][:MOST_NAMED]
    named = ", ".join(f"{short(each['category'], 40)} ({each['real_rows']:,})" for each in shown)
    rest = lost["count"]["synthetic"] - len(shown)
    which = element("p", f"{named} and {rest} more" if rest else named, class_="soft")
    return ([element("strong", name), which], *counts, f"{lost['real_rows']:,}")


def _use(report: Mapping[str, Any]) -> Markup:
    utility = report["utility"]
    if utility is None:
        return _section("Use", element("p", "Not measured: name a column with --target."))
    gone = utility["not_measured"]
    rows = [
        _figure(glossary.UTILITY[key], values, "real")
        for key, values in utility["measures"].items()
    ]
    models = [
        (f"{model.replace('_', ' ')}, {_MEASURES[measure]}", *(_shown(values[n]) for n in _FITTED))
        for model, measures in utility["by_model"].items()
        for measure, values in measures.items()
    ]
    return _section(
        "Use",
        _table(("", "on synthetic", "on real", "on independent", "best", ""), rows),
        element(
            "details",
            element("summary", "Model by model"),
            _table(("", "on synthetic", "on real", "on independent"), models),
        ),
        lead=[
            f"Models trained on each table predict {utility['target']} in held-out real rows.",
            f" But {gone}, so that one guess is always right." if gone else None,
        ],
    )


_FITTED = ("synthetic", "real", "independent")
_MEASURES = {"f1_macro": "macro F1", "f1_weighted": "weighted F1", "r2": "r²"}


def _leaks(report: Mapping[str, Any]) -> Markup:
    privacy, entries = report["privacy"], glossary.PRIVACY
    rows = [_plain(entries["exact_copy_share"], privacy["exact_copy_share"], percent=True)]
    if privacy["membership"] is None:
        return _section(
            "Leaks looked for", _table(_LEAK_HEADS, rows), lead=_capital(privacy["not_measured"])
        )
    rows.append(_plain(entries["nearer_to_training_share"], privacy["nearer_to_training_share"]))
    for measure in ("auc", "tpr"):
        values = {n: found["largest"][measure] for n, found in privacy["membership"].items()}
        key = "membership_auc" if measure == "auc" else "membership_tpr_at_1pct_fpr"
        rows.append(_interval(entries[key], values))
    made = privacy["membership"]["synthetic"]
    attacks = [
        (
            name.replace("_", " ") + (" (the stronger)" if name == made["strongest"] else ""),
            _spread(attack["auc"]),
            _spread(attack["tpr"]),
        )
        for name, attack in made["attacks"].items()
    ]
    return _section(
        "Leaks looked for",
        _table(_LEAK_HEADS, rows),
        element("h3", "Both attacks", style="margin-top:16px"),
        _table(("", "AUC", "found at 1 % false alarms"), attacks),
        lead=f"{made['training_rows']:,} training rows and {made['held_out_rows']:,} held-out rows "
        f"were attacked through {made['synthetic_rows']:,} synthetic rows. Under “held-out real” "
        "half of the held-out rows stand in for the synthetic table; under “other training” half "
        "of the training rows do while the other half is attacked. That half knows no row that is "
        "attacked: what is found through it is drift between training and held-out rows, and no "
        "membership.",
    )


_LEAK_HEADS = ("", "synthetic", "held-out real", "independent", "other training", "best")


def _plain(
    entry: glossary.Entry, values: Mapping[str, float], *, percent: bool = False
) -> tuple[Child, ...]:
    shown = [_shown((1, 100)[percent] * values[n], percent) for n in _TABLES]
    drift = values.get("other_training")
    return _cells(entry, [*shown, _shown(drift)])


def _interval(entry: glossary.Entry, values: Mapping[str, Any]) -> tuple[Child, ...]:
    return _cells(entry, [_spread(values[name]) for name in (*_TABLES, "other_training")])


def _cells(entry: glossary.Entry, shown: Sequence[str]) -> tuple[Child, ...]:
    title = (element("strong", entry.title), element("p", entry.text, class_="soft"))
    return (title, element("strong", shown[0]), *shown[1:], entry.best)


def _spread(interval: Mapping[str, float] | None) -> Markup:
    """A figure, and its interval below it: four of them fit beside one another."""
    if interval is None:
        return join("too few rows")
    ends = f"[{interval['low']:.3f}, {interval['high']:.3f}]"
    return join([f"{interval['value']:.3f}", element("br"), element("small", ends, class_="soft")])


def _columns(report: Mapping[str, Any]) -> Markup:
    cards = [
        element(
            "div",
            element("h3", short(column["name"], 60)),
            column_picture(column["profile"]),
            element("p", _caption(column), class_="soft"),
            class_="card",
        )
        for column in report["by_column"]
    ]
    return _section(
        "Every column",
        element("div", cards, class_="grid"),
        lead=(
            "Shares of rows: ",
            element("span", class_="key r"),
            "real",
            element("span", class_="key m"),
            "synthetic. The percentages are the real table's.",
        ),
    )


def _caption(column: Mapping[str, Any]) -> str:
    error, missing = column["shape_error_pct"], column["missing_share"]
    errors = f"error {error['synthetic']:.2f} % (held-out {error['held_out']:.2f} %)"
    said = f"{column['type']} · {errors}"
    if missing["real"] or missing["synthetic"]:
        said += f" · missing {missing['real']:.1%}, synthetic {missing['synthetic']:.1%}"
    return said


def _method(report: Mapping[str, Any]) -> Markup:
    settings, left_out = report["settings"], report["columns"]["left_out"]
    lines = [
        f"At most {settings['rows']:,} rows of each table, drawn uniformly with seed "
        f"{settings['seed']}; distances between at most {settings['distance_rows']:,} rows of "
        f"each, attacks through at most {settings['attack_rows']:,}.",
    ]
    if settings["held_out"] != "given":
        lines.append(
            "No held-out rows were given: a fifth of the real rows was split off by the seed and "
            "serves as held-out rows; the rest stands for the real table. The generator may have "
            "seen all of them."
        )
    lines += [f"{name}: {why}." for name, why in left_out.items()]
    lines.append(
        "The page shows shares and names of categories of the real table: treat it as you treat "
        f"that table. Written by GTCoder {report['library_version']}; all figures are in "
        "report.json."
    )
    return _section("How it was measured", [element("p", line) for line in lines])


def _section(title: str, *blocks: Child, lead: Child = None) -> Markup:
    """A section with a heading and a few words on what it shows."""
    said = element("p", lead, class_="soft") if lead else None
    return element("section", element("h2", title), said, blocks)


def _table(
    heads: tuple[str, ...], rows: Sequence[tuple[Child, ...]], *, class_: str = "card wide"
) -> Markup:
    head = element("thead", _row("th", heads))
    body = element("tbody", [_row("td", row) for row in rows])
    return element("div", element("table", head, body), class_=class_)


def _row(name: str, cells: tuple[Child, ...]) -> Markup:
    kinds = ["t"] + ["n"] * len(cells)
    return element(
        "tr", [element(name, cell, class_=k) for k, cell in zip(kinds, cells, strict=False)]
    )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _shown(value: float | None, percent: bool = False) -> str:
    if value is None:
        return "–"
    if percent:
        return f"{value:.2f} %"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
