"""The benchmark of generation runs, and says what it measured."""

import re

from ray_jobs.benchmarks.generation import benchmark_generate


def test_generate_beside_its_floor(ray_session, bundle_path, reporter, capsys):
    benchmark_generate(bundle_path, 20_000, 1, None, reporter)
    said = capsys.readouterr().out
    speeds = [float(text.replace(",", "")) for text in re.findall(r"([\d,]+) rows/s", said)]
    assert len(speeds) == 4
    floor, table = speeds[:2]
    assert floor > table
