"""The report as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Mapping
from typing import Any

from gtcoder.evaluation.report.grade import WEIGHED
from gtcoder.evaluation.report.markup import Markup, element, prose, short, style
from gtcoder.evaluation.report.picture import column_picture
from gtcoder.evaluation.report.sections.differences import differences
from gtcoder.evaluation.report.sections.likeness import likeness, patterns, rules
from gtcoder.evaluation.report.sections.use_and_leaks import leaks, use
from gtcoder.evaluation.report.style import STYLE
from gtcoder.evaluation.report.table import section

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


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
        element("p", prose(report["summary"]["line"]), class_="answer"),
        _quick(report),
        _sources(report),
        _verdict(report),
        likeness(report),
        rules(report),
        patterns(report),
        differences(report),
        use(report),
        leaks(report),
        _columns(report),
        _method(report),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


def _quick(report: Mapping[str, Any]) -> Markup | None:
    """What a quick report leaves out."""
    left_out = report["settings"]["quick_leaves_out"]
    return element("p", f"A quick report, without {left_out}.") if left_out else None


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
            element("p", prose(each["text"])),
            class_="card verdict",
        )
        for each in report["verdict"]
    ]
    return element("div", cards, class_="grid", style="margin-top:20px")


def _columns(report: Mapping[str, Any]) -> Markup:
    cards = [
        element(
            "div",
            element("h3", short(column["name"], 60)),
            column_picture(column["profile"]),
            element("p", prose(_caption(column)), class_="soft"),
            class_="card",
        )
        for column in report["by_column"]
    ]
    return section(
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
    said = f"{column['kind']} · {errors}"
    if missing["real"] or missing["synthetic"]:
        shares = [f"{100 * missing[name]:.1f} %" for name in ("real", "synthetic")]
        said += f" · missing {shares[0]}, synthetic {shares[1]}"
    return said


def _method(report: Mapping[str, Any]) -> Markup:
    settings, left_out = report["settings"], report["columns"]["left_out"]
    lines = [
        WEIGHED,
        f"At most {settings['rows']:,} rows of each table, drawn uniformly with seed "
        f"{settings['seed']}. The figures of likeness are of {settings['compared_rows']:,} "
        "synthetic rows, as many held-out ones and as many independent ones, against all sampled "
        "real rows: with fewer rows chance alone makes them worse. Distances are between at most "
        f"{settings['distance_rows']:,} rows of each, attacks through at most "
        f"{settings['attack_rows']:,}.",
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
    return section("How it was measured", [element("p", line) for line in lines])
