"""The benchmark of the codec runs, and says what it measured."""

import re

from ray_jobs.benchmarks.codec import benchmark_codec


def test_codec(reporter, capsys):
    benchmark_codec([1_000, 20_000], reporter)
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r"\s*([\d,]+) rows", line)[1] for line in lines] == ["1,000", "20,000"]
    assert all("peak memory" in line for line in lines)
