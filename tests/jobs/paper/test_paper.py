"""The paper's experiments: run, resume, failures, tables and figures."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError, OutputError
from ray_jobs.paper.experiment import Experiment, epochs_for
from ray_jobs.paper.figures import write_figures
from ray_jobs.paper.methods import ABLATIONS
from ray_jobs.paper.printed import TABLE_1, TABLE_2, table_1, table_2
from ray_jobs.paper.results import Results
from ray_jobs.paper.run import PaperRequest, run_paper
from ray_jobs.paper.tables import write_tables

PICTURE = b"\x89PNG"


def health(rows, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(15, 60, rows)
    risk = np.where(age + rng.normal(0, 5, rows) > 35, "high risk", "low risk")
    return pa.table({"Age": age, "BS": rng.normal(8, 2, rows), "RiskLevel": risk})


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(health(150), folder / "maternal_health_risk.parquet")
    bands = {"band01": np.arange(150.0), "class": pa.nulls(150, pa.string())}
    pq.write_table(pa.table(bands), folder / "sonar.parquet")
    return folder


def test_runs_goes_on_and_keeps_failures(ray_session, reporter, tmp_path, data, capsys):
    request = PaperRequest(
        out=str(tmp_path / "out"),
        datasets=("maternal_health_risk", "sonar"),
        methods=("identity", "tvae"),
        seeds=(0,),
        epochs=1,
        data=str(data),
        num_cpus=4,
    )
    run_paper(request, reporter)
    lines = read(tmp_path)
    assert len(lines) == 4
    scores = {(x["dataset"], x["method"]): x.get("f1_macro") for x in lines}
    assert scores["maternal_health_risk", "identity"] > 0.6
    assert scores["maternal_health_risk", "tvae"] is not None
    failed = [line["error"] for line in lines if "error" in line]
    assert len(failed) == 2
    assert all("class" in said and "\n" not in said for said in failed)
    tables = (tmp_path / "out" / "tables.md").read_text()
    assert "| Maternal health risk (sample) | Identity |" in tables
    assert "## Failed" in tables
    assert (tmp_path / "out" / "figure_3.png").read_bytes().startswith(PICTURE)
    said = capsys.readouterr()
    assert "4 experiments run now" in said.out
    assert "sonar, tvae, seed 0" in said.err

    run_paper(request, reporter)
    assert read(tmp_path) == lines
    assert "0 experiments run now" in capsys.readouterr().out


def read(tmp_path):
    text = (tmp_path / "out" / "results.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_run():
    request = PaperRequest(
        out="x", datasets=("sonar", "grid", "mushroom"), methods=("identity", "gtcoder"), seeds=(4,)
    )
    found = [(e.dataset, e.method) for e in request.experiments()]
    assert found[:3] == [("sonar", "identity"), ("sonar", "gtcoder"), ("grid", "gtcoder")]
    ablated = [method for dataset, method in found if dataset == "mushroom"]
    assert ablated[2:] == ["gtcoder:none", "gtcoder:prior", "gtcoder:tft", "gtcoder:prior+tft"]
    everything = PaperRequest(out="x").experiments()
    assert len(everything) == len(set(everything)) == 3 * (7 * 9 + 3 * 8 + 3 * 2 * 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"datasets": ["iris"]}, "--datasets 'iris': there are .*adult"),
        ({"methods": ["ddpm"]}, "--methods 'ddpm': there are .*ctgan"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"seeds": ()}, "--seeds"),
    ],
)
def test_odd_requests(options, said):
    with pytest.raises(ConfigError, match=said):
        PaperRequest(out="x", **options)


def test_results_are_kept_on_this_machine(reporter):
    with pytest.raises(ConfigError, match=r"--out s3://bucket/paper: .* a folder of this machine"):
        run_paper(PaperRequest(out="s3://bucket/paper"), reporter)


def test_a_failure_is_tried_again_and_a_cut_line_is_not_a_result(tmp_path):
    results = Results.open(tmp_path, 5)
    one, other = Experiment("sonar", "tvae", 0), Experiment("sonar", "ctgan", 0)
    results.append(one, {"error": "it broke"})
    results.append(other, {"f1_macro": 0.5})
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"dataset": "sonar", "met')
    again = Results.open(tmp_path, 5)
    assert again.failed() == {one: "it broke"}
    again.append(one, {"f1_macro": 0.6})
    last = Results.open(tmp_path, 5)
    assert last.failed() == {}
    assert last.values("sonar", "tvae", "f1_macro") == [0.6]
    with pytest.raises(OutputError, match="results of 5 epochs, not the rule's epochs"):
        Results.open(tmp_path, None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"dataset": "sonar", "method": "tvae", "seed": 0}', "lines without asked_epochs"),
        ("[1]", "damaged"),
        ("nothing", "damaged"),
    ],
)
def test_lines_that_are_no_results_are_one_line(tmp_path, line, said):
    (tmp_path / "results.jsonl").write_text(line + "\n")
    with pytest.raises(OutputError, match=rf"results\.jsonl.*{said}.*choose another --out"):
        Results.open(tmp_path, None)


@pytest.mark.parametrize(("rows", "epochs"), [(166, 300), (3_341, 149), (39_073, 20)])
def test_the_rule_for_epochs(rows, epochs):
    assert epochs_for(rows) == epochs


def test_tables_and_figures_from_results_alone(tmp_path):
    results = Results.open(tmp_path, 300)
    for seed, f1 in enumerate((0.5, 0.6, 0.7)):
        both = {"f1_macro": f1, "f1_weighted": f1 + 0.1, "rows_whole": 351}
        for ablation in ABLATIONS:
            done = both | {"epochs": 300}
            results.append(Experiment("ionosphere", ablation.of("gtcoder-paper"), seed), done)
        results.append(Experiment("news", "ctgan", seed), {"r2": -f1, "rows_whole": 22_750})
        fitness = {"l_syn": -2.0 - f1, "l_test": -4.0, "l_true": -3.0}
        results.append(Experiment("grid", "tvae", seed), fitness)
    write_tables(results)
    write_figures(results)
    said = (tmp_path / "tables.md").read_text()
    for line in (
        "| Ionosphere | GTCoder, paper preset | 0.600 ± 0.100 | 0.700 ± 0.100 | – | 0.60 / 0.62 | "
        "300 | 3 |",
        "| News (sample) | CTGAN | – | – | -0.600 ± 0.100 | -0.035 | – | 3 |",
        "| grid | TVAE | -2.600 ± 0.100 | -4.000 ± 0.000 | -3.000 ± 0.000 | 0.400 ± 0.100 | "
        "1.000 ± 0.000 | -1.07 / -4.36 | 3 |",
        "| Ionosphere | paper | – | ✓ | – | 0.600 ± 0.100 | 0.700 ± 0.100 | 0.410 / 0.497 | 3 |",
    ):
        assert line in said
    assert (tmp_path / "table_3.csv").read_text().count("\n") == 6
    assert (tmp_path / "figure_3.png").read_bytes().startswith(PICTURE)


def test_printed_figures_are_the_papers():
    assert table_1("gtcoder", "mushroom") == table_1("gtcoder-paper", "mushroom") == (0.95, 0.95)
    assert table_1("lvae", "news") == (-0.023,)
    assert table_2("wgan", "ring") == (-1.19, -3.17)
    assert table_2("identity", "ring") is None
    assert {len(row) for row in TABLE_1.values()} == {13}
    assert {len(row) for row in TABLE_2.values()} == {6}
