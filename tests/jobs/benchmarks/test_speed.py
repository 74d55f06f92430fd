"""The speed benchmark measures GTCoder beside the baselines."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gtcoder.errors import ConfigError
from ray_jobs.benchmarks.speed import Speed, SpeedRequest, benchmark_speed, measure, speed_lines


@pytest.fixture
def request_for(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table({"x": rng.normal(size=300), "y": rng.choice(["a", "b"], 300)})
    pq.write_table(table, tmp_path / "t.parquet")

    def make(*methods):
        path = str(tmp_path / "t.parquet")
        return SpeedRequest(table=path, methods=methods, epochs=1, rows=500)

    return make


def test_gtcoder(request_for):
    speed = measure("gtcoder", request_for("gtcoder"))
    assert 0 < 250 / speed.fit < speed.fit_s  # the loop is a part of the fit
    assert speed.draw > 100
    assert speed.peak_bytes > 50e6


def test_in_a_process_of_its_own(request_for, reporter, capsys):
    benchmark_speed(request_for("tvae"), reporter)
    said = capsys.readouterr().out
    assert re.search(r"^300 rows, 2 columns; 1 passes, batches of 32, 500 rows drawn", said)
    assert "| TVAE |" in said


def test_ratios_are_of_gtcoder_to_each():
    ours = Speed(fit=300.0, draw=50.0, peak_bytes=200_000_000, fit_s=9.0)
    theirs = Speed(fit=100.0, draw=100.0, peak_bytes=100_000_000, fit_s=3.0)
    lines = speed_lines({"gtcoder": ours, "ctgan": theirs})
    assert lines[3] == "| CTGAN | 100 (×3.00) | 100 (×0.50) | 100 (×2.00) | 3.0 (×3.00) |"


def test_no_such_method(request_for):
    with pytest.raises(ConfigError, match="--methods 'ddpm': there are gtcoder"):
        request_for("ddpm")
