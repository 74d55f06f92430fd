"""The whole evaluation: samples, the report, and a page that no table's value can break out of."""

import html.parser
import json
import re
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError, SchemaError, TableError
from gtcoder.evaluation.evaluate import Request, evaluate
from gtcoder.evaluation.report.page import render
from gtcoder.evaluation.report.verdict import judge
from gtcoder.evaluation.samples import sample_rows
from gtcoder.table.locate import locate

EVIL = "</style></svg><script>alert('1')</script><img src=x onerror=\"alert(2)\">&"


@contextmanager
def stage(name):
    yield lambda share: None


def run(real, synthetic, **options):
    return evaluate(Request(real=str(real), synthetic=str(synthetic), **options), stage)


def make_rows(rows, seed):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    size = rng.normal(0, 1, rows) + 3 * (kind == "b")
    return pa.table({"kind": kind, "size": size, "large": np.where(size > 1, "yes", "no")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Training rows, held-out ones, as synthetic: rows of the same kind; and a nasty table."""
    folder = tmp_path_factory.mktemp("tables")
    for seed, name in enumerate(("train", "test", "fresh")):
        pq.write_table(make_rows(600, seed), folder / f"{name}.parquet")
    for seed, name in enumerate(("nasty", "nasty_too")):
        rng = np.random.default_rng(seed)
        table = pa.table(
            {
                EVIL: rng.choice([EVIL, "b"], 60),
                "when": pa.array(rng.integers(0, 10**18, 60), pa.timestamp("ns", "Europe/Berlin")),
                "gone": pa.nulls(60, pa.float64()),
                "gone_text": pa.nulls(60, pa.string()),
                "same": ["always"] * 60,
                "huge": rng.choice([1e300, -1e300, np.nan, np.inf], 60),
                "many": pa.array([f"ü{at % 29}" for at in range(60)]).dictionary_encode(),
                "": pa.array(rng.random(60) < 0.5),
            }
        )
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def fair(folder):
    """The report of synthetic rows that come from the same distribution."""
    return run(
        folder / "train.parquet",
        folder / "fresh.parquet",
        holdout=str(folder / "test.parquet"),
        target="large",
    )


@pytest.fixture(scope="module")
def split(folder):
    """The report without held-out rows."""
    return run(folder / "train.parquet", folder / "fresh.parquet", target="large")


@pytest.fixture(scope="module")
def nasty(folder):
    return run(folder / "nasty.parquet", folder / "nasty_too.parquet", target=EVIL)


def test_every_figure_has_its_ceiling_and_floor(fair):
    for key, values in fair["fidelity"].items():
        assert set(values) == {"synthetic", "held_out", "independent"}, key
        assert fair["about"][key]
    found, floor = (
        {key: values[name] for key, values in fair["fidelity"].items()}
        for name in ("synthetic", "independent")
    )
    assert found["trend_error_pct"] < 8 < floor["trend_error_pct"]
    assert found["detector_auc"] < 0.6 < 0.8 < floor["detector_auc"]
    assert floor["shape_error_pct"] == 0
    utility = fair["utility"]["measures"]["f1_macro"]
    assert utility["independent"] < 0.65 < 0.95 < utility["synthetic"] <= utility["real"] + 0.02
    tables = {"synthetic", "held_out", "independent", "other_training"}
    assert set(fair["privacy"]["membership"]) == tables
    assert set(fair["privacy"]["nearer_to_training_share"]) == tables


def test_the_training_table_as_synthetic_is_found_out(folder):
    train, test = folder / "train.parquet", folder / "test.parquet"
    report = run(train, train, holdout=str(test))
    assert report["fidelity"]["shape_error_pct"]["synthetic"] == 0
    assert report["fidelity"]["beta_recall"]["synthetic"] > 0.99
    assert report["fidelity"]["detector_score"]["synthetic"] == 1
    privacy = report["privacy"]
    assert privacy["exact_copy_share"]["synthetic"] == 1
    assert privacy["exact_copy_share"]["held_out"] == 0
    assert privacy["nearer_to_training_share"]["synthetic"] > 0.95
    found = privacy["membership"]["synthetic"]
    assert found["attacks"]["density_ratio"]["auc"]["value"] > 0.99
    assert report["verdict"][2]["headline"] == "Training rows can be recognised"
    assert report["utility"] is None


@pytest.fixture(scope="module")
def later(folder):
    """Held-out rows of a shifted distribution."""
    rows = make_rows(600, 1)
    moved = rows.set_column(1, "size", pa.array(rows["size"].to_numpy() + 1.5))
    pq.write_table(moved, folder / "later.parquet")
    return str(folder / "later.parquet")


def test_drift_is_not_taken_for_membership(folder, later, fair):
    report = run(folder / "train.parquet", folder / "fresh.parquet", holdout=later)
    membership = report["privacy"]["membership"]
    found, drift = (membership[n]["largest"]["auc"] for n in ("synthetic", "other_training"))
    assert found["low"] > 0.6  # though no training row is in the synthetic table
    assert drift["value"] == pytest.approx(found["value"], abs=0.05)
    assert membership["held_out"]["largest"]["auc"]["low"] < 0.5
    assert report["privacy"]["nearer_to_training_share"]["other_training"] > 0.6
    likeness, _, leaks = report["verdict"]
    assert leaks["headline"] == "Attacks see drift of the held-out rows, and perhaps no membership"
    assert "told apart by themselves" in leaks["text"]
    assert "they are no ceiling" in likeness["text"]
    shown = " ".join(Page(render(report)).words)
    assert f"{drift['value']:.3f} [{drift['low']:.3f}, {drift['high']:.3f}]" in shown
    drift = fair["privacy"]["membership"]["other_training"]["largest"]["auc"]
    assert drift["low"] < 0.5
    assert "drift" not in json.dumps(fair["verdict"])


def test_drift_does_not_hide_that_training_rows_were_copied(folder, later):
    train = folder / "train.parquet"
    leaks = run(train, train, holdout=later)["verdict"][2]
    assert leaks["headline"] == "Training rows can be recognised"
    assert "told apart by themselves" in leaks["text"]


def test_the_report_is_plain_json_and_the_same_every_time(folder, split):
    assert json.loads(json.dumps(split, allow_nan=False)) == split
    again = run(folder / "train.parquet", folder / "fresh.parquet", target="large")
    assert again == split


def test_without_held_out_rows_it_says_what_it_did(split):
    report = split
    assert report["settings"]["held_out"] == "split off the real table"
    assert report["sources"]["held_out"] == {"uri": None, "rows": None, "used": 120}
    assert report["sources"]["real"]["used"] == 480
    assert report["privacy"]["membership"] is None
    assert report["verdict"][2]["headline"] == "Membership was not measured"
    assert "split off the real table" in report["verdict"][1]["text"]
    assert "may have seen all of them" in render(report)
    assert all("only 120 held-out rows" in each["text"] for each in report["verdict"])


def test_one_class_to_test_on_is_said_to_measure_nothing(folder):
    test = make_rows(600, 1)
    pq.write_table(test.filter(pc.field("large") == "no"), folder / "no.parquet")
    train, fresh = folder / "train.parquet", folder / "fresh.parquet"
    report = run(train, fresh, holdout=str(folder / "no.parquet"), target="large")
    for measure in ("f1_macro", "f1_weighted", "auc"):
        figures = report["utility"]["measures"][measure]
        assert figures == dict.fromkeys(("synthetic", "real", "independent"))
    use = report["verdict"][1]
    assert use["headline"] == "Not measured"
    assert "but all held-out rows have the same large" in use["text"]
    page = render(report)
    assert page.count("not measured") == 3
    assert "all held-out rows have the same large" in page


def test_categories_that_were_lost_are_listed(folder):
    fresh = make_rows(600, 2)
    pq.write_table(fresh.filter(pc.field("kind") != "c"), folder / "lost.parquet")
    report = run(folder / "train.parquet", folder / "lost.parquet", target="kind")
    lost = {column["name"]: column["lost_categories"] for column in report["by_column"]}
    assert lost["size"] is None
    assert lost["large"]["count"] == {"synthetic": 0, "held_out": 0}
    rows = lost["kind"]["real_rows"]
    assert 30 < rows < 70
    assert lost["kind"] == {
        "count": {"synthetic": 1, "held_out": 0},
        "of": {"synthetic": 3, "held_out": 3},
        "real_rows": rows,
        "most_frequent": [{"category": "c", "real_rows": rows}],
    }
    likeness, use, _ = (each["text"] for each in report["verdict"])
    assert "never appear, though enough real rows have them: 1 of kind." in likeness
    assert "Classes that no synthetic row has: c." in use
    assert f"c ({rows})" in render(report)


def test_many_lost_categories_are_bounded(folder):
    names = np.array([f"{EVIL}{at}" for at in range(60)])
    many = {f"{EVIL}{column}": np.repeat(names, 6) for column in range(20)}
    pq.write_table(pa.table(many), folder / "many.parquet")
    few = {name: np.repeat(names[:2], 180) for name in many}
    pq.write_table(pa.table(few), folder / "few.parquet")
    report = run(folder / "many.parquet", folder / "few.parquet", schema=categories(many))
    for column in report["by_column"]:
        assert column["lost_categories"]["count"]["synthetic"] > 30
        assert len(column["lost_categories"]["most_frequent"]) == 20
    assert "some of 17 more columns" in report["verdict"][0]["text"]
    text = render(report)
    page = Page(text)
    assert not page.elements & {"script", "img"}
    assert "15 of 20 columns are shown" in text
    assert any(words.endswith("more") and EVIL[:20] in words for words in page.words)


def categories(names):
    return {"columns": {name: {"kind": "categorical"} for name in names}}


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: elements, and all text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.attributes = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def test_no_value_of_a_table_becomes_markup(nasty):
    page = Page(render(nasty))
    assert not page.elements & {"script", "img", "link", "iframe", "object", "a", "image", "use"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert any("<script>alert('1')" in words for words in page.words)


def test_a_page_needs_nothing_else(fair):
    text = render(fair)
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src &#x27;none&#x27;" in text
    assert all(name in text for name in ("kind", "size", "large"))


def test_nothing_is_promised(fair, nasty, split):
    for report in (fair, nasty, split):
        words = " ".join(Page(render(report)).words) + json.dumps(report)
        words = words.replace("alarm, not privacy", "").replace('"privacy"', "")
        assert not re.search(r"\b(private|privacy|anonym\w*|safe\w*|secure\w*)\b", words, re.I)


def test_headlines_follow_the_figures(fair):
    def headlines(**changed):
        report = json.loads(json.dumps(fair))
        for path, value in changed.items():
            *parents, last = path.split("__")
            place = report
            for key in parents:
                place = place[key]
            place[last] = value
        return [each["headline"] for each in judge(report)]

    auc = "fidelity__detector_auc__synthetic"
    assert headlines(**{auc: 0.5})[0].startswith("The detector cannot tell")
    assert headlines(**{auc: 0.8})[0] == "Clear differences from real rows"
    assert headlines(**{auc: 0.99})[0] == "Easily told from real rows"
    lucky = {auc: 0.6, "fidelity__detector_auc__held_out": 0.67}
    assert headlines(**lucky)[0] == "Small differences from real rows"
    f1 = "utility__measures__f1_macro__synthetic"
    assert headlines(**{f1: 0.5})[1] == "Models learn little"
    largest = {"auc": {"value": 0.6, "low": 0.58, "high": 0.62}, "tpr": None}
    found = headlines(privacy__membership__synthetic__largest=largest)[2]
    assert found == "An attack finds training rows better than by guessing"


def test_a_sample_is_uniform_and_repeatable(tmp_path):
    for part in range(4):
        rows = pa.table({"n": np.arange(part * 500, part * 500 + 500)})
        pq.write_table(rows, tmp_path / f"{part}.parquet", row_group_size=64)
    table = locate(tmp_path)

    def draw(seed, rows=200):
        rng = np.random.default_rng(seed)
        return sample_rows(table, table.schema, rows=rows, rng=rng)["n"].to_numpy()

    assert draw(0).tolist() == draw(0).tolist() != draw(1).tolist()
    assert draw(0, 5000).tolist() == list(range(2000))
    assert len(np.unique(draw(0))) == 200
    counts = sum(np.bincount(draw(seed) // 500, minlength=4) for seed in range(20))
    assert counts == pytest.approx([1000] * 4, abs=110)  # deviation 26


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["size"]), "column 'size' of .*train.* is missing from .*bad"),
        (lambda t: t.append_column("x", t["size"]), "column 'x' of .*bad.* is missing from"),
        (
            lambda t: t.set_column(1, "size", pa.array(["tall"] * 600)),
            "column 'size' has type double in .* but string in",
        ),
    ],
)
def test_tables_that_do_not_go_together_name_the_column(folder, tmp_path, change, message):
    pq.write_table(change(make_rows(600, 3)), tmp_path / "bad.parquet")
    with pytest.raises(SchemaError, match=message):
        run(folder / "train.parquet", tmp_path / "bad.parquet")


def test_numbers_of_another_width_are_compared_as_they_are(tmp_path):
    whole = pa.table({"n": pa.array(np.arange(100) % 50, pa.int32())})
    real = pa.table({"n": (np.arange(100) % 50) + 0.4})
    pq.write_table(whole, tmp_path / "whole.parquet")
    pq.write_table(real, tmp_path / "real.parquet")
    report = run(tmp_path / "whole.parquet", tmp_path / "real.parquet")
    assert report["privacy"]["exact_copy_share"]["synthetic"] == 0
    assert 0 < report["fidelity"]["shape_error_pct"]["synthetic"] < 20
    assert "one column only" in render(report)


def test_bad_options_are_one_line(folder, tmp_path):
    train = folder / "train.parquet"
    with pytest.raises(SchemaError, match=r"'larg': no such column .* did you mean 'large'"):
        run(train, train, target="larg")
    with pytest.raises(SchemaError, match=r"`exclude=\['colour'\]`: no such column"):
        run(train, train, exclude=("colour",))
    with pytest.raises(ConfigError, match="`rows=5`: expected at least 50"):
        run(train, train, rows=5)
    pq.write_table(make_rows(12, 0), tmp_path / "few.parquet")
    with pytest.raises(TableError, match=r"few.parquet: expected at least 50 rows .* found 12"):
        run(train, tmp_path / "few.parquet")
