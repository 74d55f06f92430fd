"""Rows from the page: a preview, files, the same in code, and what is said of a wrong request."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

KEY = "the-key-of-these-tests"
FILES = {"CSV": "text/csv", "Parquet": "application/vnd.apache.parquet"}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def asked(visit):
    """The page with a request: 300 rows of seed 7, red ones of a size from 10."""
    page = visit("/#/claims")
    page.get_by_label("How many rows").fill("300")
    page.get_by_label("Seed", exact=True).fill("7")
    add(page, "colour")
    page.get_by_label("red", exact=True).check()
    add(page, "size")
    page.get_by_label("size from").fill("10")
    return page


def add(page, column):
    page.get_by_label("Column for a new condition").select_option(column)
    page.get_by_role("button", name="Add condition").click()


def saved(page, label):
    page.get_by_label(label, exact=True).check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 300 rows").click()
    with open(download.value.path(), "rb") as file:
        return download.value.suggested_filename, file.read()


def test_the_key_is_asked_for_once_and_kept_in_the_session(visit):
    page = visit(key=None, provoked=["status of 401"])
    dialog = page.get_by_role("dialog")
    for key, said in (("", "Enter the key"), ("a-key-of-nobody-at-all", "does not open")):
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Use key").click()
        expect(dialog).to_contain_text(said)
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_label("Key", exact=True).press("Enter")
    expect(page.get_by_role("link", name="claims")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="claims")).to_be_visible()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    page.get_by_role("button", name="Forget key").click()
    expect(dialog).to_be_visible()


def test_a_card_tells_of_a_model_and_chooses_it(visit):
    page = visit()
    card = page.get_by_role("listitem").filter(has_text="claims")
    expect(card).to_contain_text("3 columns, learned from 600 rows")
    expect(card).to_contain_text("Trained")
    page.get_by_role("link", name="claims").click()
    expect(page.get_by_role("heading", name="claims").last).to_be_in_viewport()
    expect(page.locator("#preview tbody tr")).to_have_count(20)
    page.get_by_role("tab", name="Columns").click()
    expect(page.get_by_role("row", name="colour category")).to_contain_text("red")


def test_the_preview_is_the_beginning_of_the_rows(asked, sample):
    where = {"colour": "red", "size": {"from": 10}}
    whole = sample(rows=20, seed=7, where=where, accept="text/csv").content
    asked.get_by_role("button", name="Preview").click()
    expect(asked.locator("#preview-note")).to_contain_text("20 made-up rows")
    shown = [row.split("\t") for row in asked.locator("#preview tbody tr").all_inner_texts()]
    wanted = pa.csv.read_csv(pa.BufferReader(whole)).to_pylist()
    assert [(row[0], float(row[1])) for row in shown] == [(r["colour"], r["size"]) for r in wanted]


def test_what_is_missing_is_asked_for_and_shown(visit):
    page = visit("/#/claims")
    add(page, "size")
    page.get_by_label("or missing").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview td", has_text="missing")).to_have_count(20)


def test_shares_of_categories_are_asked_for_and_met(visit):
    page = visit("/#/claims")
    page.get_by_label("How many rows").fill("300")
    add(page, "colour")
    page.get_by_label("set shares").check()
    page.get_by_label("Share of blue in %").fill("110")
    page.get_by_role("button", name="Preview").click()
    condition = page.get_by_role("group", name="colour")
    expect(condition).to_contain_text("The shares sum to 110 %")
    page.get_by_label("Share of blue in %").fill("90")
    assert '"where":{"colour":{"mix":{"blue":0.9}}}' in page.locator("#curl").inner_text()
    assert 'where={"colour": {"blue": 0.9}}' in page.locator("#python").inner_text()
    _, content = saved(page, "CSV")
    rows = pa.csv.read_csv(pa.BufferReader(content)).to_pandas()
    assert 0.84 < (rows["colour"] == "blue").mean() < 0.96  # of the table's, 0.2 are
    page.get_by_label("all equally common").check()
    assert 'where={"colour": {}}' in page.locator("#python").inner_text()
    _, content = saved(page, "CSV")
    counts = pa.csv.read_csv(pa.BufferReader(content)).to_pandas()["colour"].value_counts()
    assert counts.min() > 70
    assert len(counts) == 3


def test_a_column_or_category_may_be_called_mix(visit):
    page = visit("/#/claims")
    printed = page.evaluate(
        """async where => {
          const { python } = await import(new URL("page/code.js", document.baseURI));
          return python("claims", "csv", { rows: 1, where }, false);
        }""",
        {"mix": "a", "age": {"from": 1}, "colour": {"mix": {"mix": 0.5}}},
    )
    assert 'where={"mix": "a", "age": (1, None), "colour": {"mix": 0.5}}' in printed


def test_files_hold_what_the_service_sends(asked, sample):
    where = {"colour": "red", "size": {"from": 10}}
    for label, media in FILES.items():
        name, content = saved(asked, label)
        assert content == sample(rows=300, seed=7, where=where, accept=media).content
        assert name == f"claims.{label.lower()}"
    _, content = saved(asked, "CSV for Excel")
    plain = sample(rows=300, seed=7, where=where, accept="text/csv").content
    assert content == "\ufeff".encode() + plain
    expect(asked.locator("#wanted-status")).to_contain_text("300 rows saved as claims.csv")


def test_the_code_gives_the_same_rows(asked, tmp_path, sample):
    asked.get_by_label("Parquet", exact=True).check()
    where = {"colour": "red", "size": {"from": 10}}
    wanted = sample(rows=300, seed=7, where=where, accept=FILES["Parquet"]).content
    programs = {"curl": ["bash", "-c"], "python": [sys.executable, "-c"]}
    for name, program in programs.items():
        code = asked.locator(f"#{name}").inner_text()
        assert KEY not in code
        folder = tmp_path / name
        folder.mkdir()
        environment = {**os.environ, "GTCODER_API_KEY": KEY, "PYTHONPATH": ":".join(sys.path)}
        subprocess.run([*program, code], cwd=folder, env=environment, check=True)
        table = pq.read_table(folder / "claims.parquet")
        assert table.to_pandas().equals(pq.read_table(pa.BufferReader(wanted)).to_pandas()), name


def test_copying_puts_the_code_on_the_clipboard(asked):
    asked.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked.get_by_role("button", name="Copy curl").click()
    expect(asked.locator("#live")).to_have_text("Copied")
    clipboard = asked.evaluate("navigator.clipboard.readText()")
    assert clipboard == asked.locator("#curl").text_content()


def test_what_is_wrong_is_said_at_its_field(visit):
    page = visit("/#/claims", provoked=["status of 422"])
    expect(page.locator("#preview tbody tr")).to_have_count(20)
    page.get_by_label("How many rows").fill("200001")
    page.get_by_role("button", name="Download").click()
    expect(page.locator("#rows-error")).to_contain_text("At most 200,000 rows come in one file")
    expect(page.get_by_label("How many rows")).to_be_focused()
    page.get_by_label("How many rows").fill("10")
    add(page, "size")
    page.get_by_role("button", name="Preview").click()
    condition = page.get_by_role("group", name="size")
    expect(condition).to_contain_text("Fill in from, to, or both.")
    page.get_by_label("size from").fill("1000000")
    page.get_by_role("button", name="Preview").click()
    expect(condition).to_contain_text("expected something seen in training")
    expect(page.get_by_label("size from")).to_be_focused()
    page.get_by_label("size from").fill("10")
    expect(condition).not_to_contain_text("expected something")
    page.get_by_role("button", name="Remove the condition on size").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview tbody tr")).to_have_count(10)
    assert page.locator(".error:not(:empty)").count() == 0
