"""The benchmarks run, and say what they measured."""

import re

from ray_jobs.benchmarks.generation import benchmark_codec, benchmark_generate


def test_codec(reporter, capsys):
    benchmark_codec([1_000, 20_000], reporter)
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r"\s*([\d,]+) rows", line)[1] for line in lines] == ["1,000", "20,000"]
    assert all("peak memory" in line for line in lines)


def test_generate_beside_its_floor(ray_session, bundle_path, reporter, capsys):
    benchmark_generate(bundle_path, 20_000, 1, None, reporter)
    said = capsys.readouterr().out
    speeds = [float(text.replace(",", "")) for text in re.findall(r"([\d,]+) rows/s", said)]
    assert len(speeds) == 4
    floor, table = speeds[:2]
    assert floor > table
