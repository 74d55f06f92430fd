"""What is planned from a measurement follows from it."""

import re

import pytest

from gtcoder.errors import OutputError
from ray_jobs.benchmarks.scale import Cost, _runs, benchmark_scale, plan


def cost(**changed):
    plain = {
        "rows": 1_000_000,
        "workers": 2,
        "seconds": {"start": 10.0, "sketch": 15.0, "train": 75.0},
        "span_s": {"sketch": 10.0, "encode": 5.0, "train": 30.0, "generate": 10.0},
        "busy_s": {"sketch": 20.0, "train": 60.0},
        "trained_rows": 300_000,
        "peak_bytes": {"driver": 1},
        "object_store_bytes": 1,
    }
    return Cost(**(plain | changed))


def test_speeds_and_what_is_rays_own():
    assert cost().speed("sketch") == 100_000
    assert cost().speed("train") == 10_000
    assert cost().ray_share == pytest.approx(0.6)


def test_larger_tables_are_measured_with_a_core_for_every_worker():
    assert _runs([50, 1, 10], [4, 1, 2], cores=2) == [(1, 1), (1, 4), (1, 2), (10, 2), (50, 2)]
    assert _runs([1], [1, 2, 4], cores=2) == [(1, 1), (1, 4), (1, 2)]
    assert _runs([1], [4], cores=2) == [(1, 4)]


def test_a_plan_scales_the_passes_by_cpus_and_the_training_by_its_batch():
    lines = plan(cost(), cost())
    hours = [
        {stage: float(value) for stage, value in re.findall(r"(\w+) ([\d.]+)", line)}
        for line in lines[1:]
    ]
    # 50,000 rows a second and CPU: 10⁹ rows on 16 CPUs take 1,250 s.
    assert hours[0]["sketch"] == pytest.approx(1_250 / 3_600, abs=0.005)
    assert hours[1]["generate"] == pytest.approx(hours[0]["generate"] / 8, abs=0.006)
    # 25 million rows once, 5,000 rows a second and worker, 32 workers at most.
    assert hours[1]["train"] == pytest.approx(25e6 / (5_000 * 32) / 3_600, abs=0.005)
    assert hours[2]["train"] == hours[1]["train"]
    assert "first bottleneck: sketch" in lines[1]
    assert "first bottleneck: train" in lines[3]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_one_goes_on_where_it_stopped(bundle_path, tmp_path, reporter, capsys):
    for _ in range(2):
        benchmark_scale(bundle_path, str(tmp_path), [20_000], [2], 2.0, reporter)
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    for word in (
        "generate",
        "sketch",
        "encode",
        "train",
        "object store",
        "driver",
        "training",
        "Ray's own",
        "64 nodes",
    ):
        assert any(word in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "_request.json",
        "generate-20000-by-2.json",
        "train-20000-by-2.json",
    ]
    with pytest.raises(OutputError, match="another bundle or --train-time"):
        benchmark_scale(bundle_path, str(tmp_path), [20_000], [2], 3.0, reporter)
