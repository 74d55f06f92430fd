"""The pages under docs/: their blocks run, their links lead somewhere, their lists are whole."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gtcoder.synthesizer import Synthesizer
from ray_jobs.cli.__main__ import app

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
PAGES = ["README.md", *DOCS]
RUN = {"bash", "python"}
SLOW = {"bash slow"}
ELSEWHERE = {"bash install", "bash tests", "bash service", "bash requests", "python client"}
"""Run by the README's tests."""
ALONE = {"bash batches", "python batches", "python ray"}
"""Run by tests of their own."""
SHOWN = {"", "text", "json"}
"""Not run: output, files, and what needs a cluster, hours or a table of one's own."""


def kinds(page):
    return set(re.findall(r"^```([^\n]+)$", (ROOT / page).read_text(), re.M))


@pytest.fixture
def folder(first_minute, tmp_path, monkeypatch):
    """A folder of a page's own, with what the README has made."""
    for name in ("orders.parquet", "synthetic.csv", "models/orders"):
        copy = shutil.copytree if (first_minute / name).is_dir() else shutil.copy2
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(first_minute / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(page, wanted, folder, blocks, shell):
    names: dict[str, object] = {}
    for kind, code in blocks(page):
        if kind not in wanted:
            continue
        if kind.startswith("bash"):
            shell(code, folder)
        else:
            exec(code, names)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_known(page):
    assert kinds(page) <= RUN | SLOW | ELSEWHERE | ALONE | SHOWN


def test_hardly_a_block_of_the_readme_is_not_run(blocks):
    assert [kind for kind, _ in blocks("README.md") if kind in SHOWN] == ["text"]


@pytest.mark.parametrize("page", [page for page in DOCS if kinds(page) & RUN])
def test_the_blocks_run(page, folder, blocks, shell):
    run(page, RUN, folder, blocks, shell)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in DOCS if kinds(page) & SLOW])
def test_the_slow_blocks_run(page, folder, blocks, shell):
    run(page, RUN | SLOW, folder, blocks, shell)


def test_the_ray_data_code_runs(folder, blocks):
    (code,) = (code for kind, code in blocks("docs/cluster.md") if kind == "python ray")
    local = "ray.init(address='local', num_cpus=2, include_dashboard=False)\n"
    code = code.replace("import ray\n", f"import ray\n{local}", 1)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    parisian = pd.read_parquet(folder / "parisian")
    assert len(parisian) == 100_000
    assert set(parisian["city"]) == {"Paris"}
    assert Synthesizer.load(folder / "models" / "orders_from_ray").schema.names[0] == "order_id"


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(found), f"{page}: {target}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    others = [Path(page).name for page in DOCS if page != "docs/README.md"]
    assert set(re.findall(r"\(([\w-]+\.md)\)", index)) == set(others)


@pytest.mark.parametrize("page", DOCS)
def test_pages_are_short_enough_to_read(page):
    assert len((ROOT / page).read_bytes()) < 16_000


def section(page: str, heading: str) -> str:
    return (ROOT / page).read_text().split(f"## {heading}")[1].split("\n## ")[0]


def test_every_departure_from_the_paper_is_listed():
    marked = {
        path.relative_to(ROOT).as_posix()
        for package in ("gtcoder", "ray_jobs", "serve")
        for path in (ROOT / package).rglob("*.py")
        if "NOTE[DIFF]" in path.read_text()
    }
    listed = section("docs/design-notes.md", "Where the code leaves the paper")
    assert marked == set(re.findall(r"`([\w/]+\.py)`", listed))


def test_every_command_is_listed():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    assert names <= set(re.findall(r"`gtcoder (\w+)", (ROOT / "docs/jobs.md").read_text()))
