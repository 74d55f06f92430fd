"""What stands on the page: one line first, colours that mean the same, dates, plain words."""

import datetime
import re
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.evaluation.evaluate import Request, evaluate
from gtcoder.evaluation.frame import align
from gtcoder.evaluation.report.axis import MOST_MARKS, marks
from gtcoder.evaluation.report.grade import graded_line
from gtcoder.evaluation.report.heat import LARGEST_MAP, heat_map, legend
from gtcoder.evaluation.report.page import render
from gtcoder.evaluation.report.picture import column_picture
from gtcoder.evaluation.report.profile import profile
from gtcoder.evaluation.report.verdict import judge
from gtcoder.evaluation.roles import Roles


@contextmanager
def stage(name):
    yield lambda share: None


def make_rows(rows, seed):
    """Two columns that go together, points in time, codes, and a key."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], rows)
    day = np.datetime64("2013-01-01") + rng.integers(0, 365, rows)
    when = np.datetime64("2019-06-01T00:00:00", "us") + rng.integers(0, 10**12, rows)
    return pa.table(
        {
            "kind": pa.array(kind).dictionary_encode(),
            "size": rng.normal(0, 1, rows) + 3 * (kind == "b"),
            "day": day,
            "seen": pa.array(when).cast(pa.timestamp("us", "UTC")),
            "opens": pa.array(rng.integers(21_600, 79_200, rows), pa.int32()).cast(pa.time32("s")),
            "lasts": pa.array(rng.integers(0, 10 * 86_400, rows), pa.duration("s")),
            "code": [f"K-{at:04d}" for at in rng.integers(0, 300, rows)],
            "row": np.arange(rows),
        }
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for seed, (name, rows) in enumerate({"real": 700, "fresh": 900, "test": 520}.items()):
        pq.write_table(make_rows(rows, seed), folder / f"{name}.parquet")
    return {name: str(folder / f"{name}.parquet") for name in ("real", "fresh", "test")}


@pytest.fixture(scope="module")
def quick(places):
    request = Request(
        real=places["real"],
        synthetic=places["fresh"],
        holdout=places["test"],
        target="kind",
        quick=True,
    )
    return evaluate(request, stage)


def text_of(page):
    text = page.partition("</style>")[2].replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"<[^>]*>", " ", text)


def test_one_line_comes_before_all_else(quick):
    line = quick["summary"]["line"]
    assert line.startswith(f"As a stand-in for the real rows: {quick['summary']['grade']}, because")
    assert "Not measured: whether single real rows can be found again." in line
    page = text_of(render(quick))
    assert page.index(line) < page.index("Likeness")


def test_a_quick_report_says_what_it_leaves_out(quick):
    assert quick["privacy"]["membership"] is None
    assert quick["fidelity"]["beta_recall"] == dict.fromkeys(
        ("synthetic", "held_out", "independent")
    )
    assert quick["utility"]["measures"]["f1_macro"]["synthetic"] > 0.4
    page = text_of(render(quick))
    assert f"A quick report, without {quick['settings']['quick_leaves_out']}." in page
    assert "membership inference" in page
    assert "not measured: a quick report leaves it out" in page


def test_tables_are_compared_on_equally_many_rows(quick):
    assert quick["settings"]["compared_rows"] == 520
    assert "520 synthetic rows" in text_of(render(quick))
    # 700 independent rows would have no error by construction, 520 of them have that of chance
    shape = quick["fidelity"]["shape_error_pct"]
    assert 0 < shape["independent"] < shape["held_out"] * 2


def test_analysts_read_no_type_of_arrow(quick):
    page = text_of(render(quick))
    assert not re.search(r"timestamp\[|date32|time32|duration\[|dictionary<|double|int64", page)
    kinds = {column["name"]: column["kind"] for column in quick["by_column"]}
    assert kinds == {
        "kind": "category",
        "size": "number",
        "day": "date",
        "seen": "date and time, here in UTC",
        "opens": "time of day",
        "lasts": "length of time",
    }
    assert "code: only the form of its values is compared" in page
    assert "row: an identifier, which is not compared" in page


def test_made_up_codes_are_compared_by_their_form(quick):
    assert quick["patterns"] == [
        {
            "name": "code",
            "known_form_share": {"synthetic": 1.0, "held_out": 1.0},
            "real_value_share": quick["patterns"][0]["real_value_share"],
        }
    ]
    assert quick["patterns"][0]["real_value_share"]["synthetic"] > 0.5
    assert "Codes, numbers and addresses" in text_of(render(quick))


def test_points_in_time_have_dates_on_their_axis(quick):
    page = {c["name"]: c["profile"] for c in quick["by_column"]}
    assert ">2013-07</text>" in column_picture(page["day"])
    assert [text for _, text in marks(page["day"])] == ["2013-04", "2013-07", "2013-10"]
    assert "12:00" in [text for _, text in marks(page["opens"])]
    assert [text for _, text in marks(page["lasts"])][1:3] == ["4 days", "6 days"]
    assert all(text.startswith("2019-06-") for _, text in marks(page["seen"]))
    assert page["day"]["unit"] == "date"


@pytest.mark.parametrize(
    ("low", "high", "unit", "texts"),
    [
        (17.0, 90.0, "", ["20", "40", "60", "80"]),
        (-3.0, 3.0, "", ["-2", "0", "2"]),
        (0.001, 0.0042, "", ["0.001", "0.002", "0.003", "0.004"]),
        (0.0, 2.3e6, "", ["0", "1,000,000", "2,000,000"]),
        ("1950-03-03", "2024-01-01", "date", ["1960", "1980", "2000", "2020"]),
        ("2024-03-01", "2024-03-29", "date", ["2024-03-07", "2024-03-14", "2024-03-21"]),
        ("06:00:00", "22:30:00", "time of day", ["06:00", "12:00", "18:00"]),
        ("2024-01-01T10:00:00", "2024-01-01T10:00:03", "date", ["2024-01-01 10:00"]),
    ],
)
def test_axes_are_marked_at_round_places(low, high, unit, texts):
    found = marks({"edges": [low, high], "unit": unit})
    assert [text for _, text in found][: len(texts)] == texts
    assert len(found) <= MOST_MARKS + 1
    assert all(0 <= share <= 1 for share, _ in found)


def test_few_values_are_named_below_their_bars():
    table = pa.table({"stars": pa.array([1.0, 2, 2, 5, 5, 5])})
    frame = align(Roles.of(table), table)[0]
    found = profile(frame, frame, "stars", pa.float64())
    assert found["values"] == [1, 2, 5]
    assert [text for _, text in marks(found)] == ["1", "2", "5"]
    when = [datetime.datetime(2020, 1, day) for day in (1, 2, 2, 9, 9, 9)]
    table = pa.table({"when": pa.array(when, pa.timestamp("ns"))})
    frame = align(Roles.of(table), table)[0]
    texts = [text for _, text in marks(profile(frame, frame, "when", table["when"].type))]
    assert texts == ["2020-01-01", "2020-01-02", "2020-01-09"]


def test_a_colour_of_the_map_means_the_same_in_every_report():
    mild = heat_map(["a", "b"], {("a", "b"): 3.0})
    wild = heat_map(["a", "b", "c"], {("a", "b"): 3.0, ("b", "c"): 60.0, ("a", "c"): 0.2})
    step = re.search(r'class="(s\d)"', mild)[1]
    assert f'class="{step}"><title>a × b: 3.00 %' in wild
    assert 'class="s5"><title>b × c: 60.00 %' in wild
    assert 'class="s0"><title>a × c: 0.20 %' in wild
    assert ">3.0</text>" in wild
    assert ">60</text>" in wild
    assert "2 to 5 %" in text_of("</style>" + legend())
    names = [f"c{at}" for at in range(LARGEST_MAP + 5)]
    some = heat_map(names, {(names[at], names[0]): at / 10 for at in range(1, len(names))})
    assert names[-1] in some
    assert f">{names[1]}<" not in some


def changed(report, **changes):
    """The report with other figures, judged anew."""
    report = {**report, "fidelity": {k: dict(v) for k, v in report["fidelity"].items()}}
    for key, values in changes.items():
        report["fidelity"][key].update(values)
    return report | {"verdict": judge(report)}


def test_a_detector_that_goes_by_nothing_is_said_to(quick):
    silent = [column | {"detector_importance": 0.0} for column in quick["by_column"]]
    page = text_of(render({**quick, "by_column": silent}))
    assert "By nothing: no single column gives the rows away." in page
    loud = [*silent[:-1], silent[-1] | {"detector_importance": 0.2}]
    page = text_of(render({**quick, "by_column": loud}))
    assert "By nothing" not in page
    assert f"Of the other {len(loud) - 1} columns each tells less." in page


def test_what_is_better_than_real_rows_is_said_to_be_chance(quick):
    lucky = changed(quick, trend_error_pct={"synthetic": 0.5, "held_out": 2.0})
    assert "better than real rows, by the noise of few rows" in text_of(render(lucky))
    copied = {"exact_copy_share": {"synthetic": 0.4, "held_out": 0.01, "independent": 0.0}}
    lucky = {**lucky, "privacy": quick["privacy"] | copied}
    assert "better than real rows, as many rows are copies" in text_of(render(lucky))


def test_the_line_is_as_good_as_the_worst_topic(quick):
    def graded(**changes):
        return graded_line(changed(quick, **changes)["verdict"], None)

    auc = {"synthetic": 0.5, "held_out": 0.5}
    assert graded(detector_auc=auc)["grade"] == "good"
    fair = graded(detector_auc=auc | {"synthetic": 0.75})
    assert fair["grade"] == "fair"
    assert "fair, because a detector sees clear differences" in fair["line"]
    assert ", though models learn" in fair["line"]
    assert graded(detector_auc=auc | {"synthetic": 0.95})["grade"] == "poor"
    shares = {"synthetic": 0.8, "held_out": 1.0, "real": 1.0}
    broken = [{"in_words": "a < b", "nearly": False, "kept_share": shares}]
    line = graded_line(judge({**changed(quick, detector_auc=auc), "rules": broken}), 120)
    assert line["grade"] == "fair"
    assert "20 % of the rows concerned break the rule “a < b”" in line["line"]
    assert "only 120 held-out rows" in line["line"]
    near = [{"in_words": "a is within 1 of b", "nearly": True, "kept_share": shares}]
    told = judge({**changed(quick, detector_auc=auc), "rules": near})
    assert graded_line(told, 120)["grade"] == "good"
    page = text_of(render({**quick, "rules": near}))
    assert "a is within 1 of b" in page
    assert "as near as in 19 of 20 real ones" in page
    assert "What every real row keeps" not in page
