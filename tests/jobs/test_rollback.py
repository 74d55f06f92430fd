"""Going back to an earlier bundle, as a command."""

import dataclasses

import pytest

from gtcoder.bundle import Bundle
from gtcoder.errors import BundleError
from gtcoder.progress import Reporter
from ray_jobs.generate import GenerateRequest, run_generation
from ray_jobs.rollback import run_rollback


@pytest.fixture
def replaced(bundle_path, tmp_path):
    """A bundle that another was written over."""
    bundle = Bundle.load(bundle_path)
    bundle.save(tmp_path / "b")
    dataclasses.replace(bundle, history=[], checksum="").save(tmp_path / "b", overwrite=True)
    return str(tmp_path / "b")


def test_it_says_what_counts_now(replaced, bundle_path, capsys):
    first = Bundle.load(bundle_path).checksum
    run_rollback(replaced, None, Reporter())
    assert Bundle.load(replaced).checksum == first
    assert f"{replaced} is {first[:16]} again" in capsys.readouterr().out
    with pytest.raises(BundleError, match=r"no such earlier bundle .*; there are: [0-9a-f]{16}$"):
        run_rollback(replaced, first, Reporter())


def test_rows_of_the_bundle_that_is_meant_after_it_was_replaced(
    replaced, bundle_path, tmp_path, reporter
):
    first = Bundle.load(bundle_path).checksum
    wanted = GenerateRequest(
        bundle=replaced, rows=10, out=str(tmp_path / "rows.csv"), checksum=first
    )
    run_generation(wanted, reporter)
    assert (tmp_path / "rows.csv").read_text().count("\n") == 11
