"""The tab that fills in: part of a row, a file's gaps, and its least likely rows."""

import csv
import io
import math
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from playwright.sync_api import expect

KEY = "the-key-of-these-tests"
GAPS = [["count", "mine", "colour", "size"], ["3", 'a "b",\nc', "red", ""], ["", "é", "", "10.50"]]
"""A file in another order, with a column that the model lacks."""
EXCEL = {"sep": ";", "decimal": ",", "keep_default_na": False, "na_values": [""]}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def filling(visit):
    page = visit("/#/claims", provoked=["status of 422"])
    expect(page.locator("#preview tbody tr")).to_have_count(20)
    page.get_by_role("tab", name="Fill in").click()
    return page


def upload(page, lines, name="mine.csv", mark=",", encoding="utf-8"):
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows(lines)
    content = text.getvalue().encode(encoding)
    page.get_by_label("CSV file").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def saved(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the filled file").click()
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        return download.value.suggested_filename, file.read()


def shown(page, where):
    """The cells of a table's rows, and whether each is marked as drawn."""
    rows = page.locator(f"{where} tbody tr")
    return rows.evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell =>"
        " [(cell.querySelector('ins') ?? cell).textContent, Boolean(cell.querySelector('ins'))]))"
    )


def test_what_is_given_is_kept_and_the_rest_is_drawn(filling, http):
    filling.get_by_label("colour", exact=True).fill("blue")
    filling.get_by_label("count", exact=True).fill("2")
    filling.get_by_label("How many versions").fill("4")
    filling.get_by_label("Seed of the versions").fill("7")
    filling.get_by_role("button", name="Fill in the rest").click()
    expect(filling.locator("#filled tbody tr")).to_have_count(3)
    colour, size, count = shown(filling, "#filled")
    assert colour == [["colour", False], *[["blue", False]] * 4]
    assert count == [["count", False], *[["2", False]] * 4]
    assert all(drawn for _, drawn in size[1:])
    wanted = {"rows": [{"colour": "blue", "count": 2}], "n": 4, "seed": 7}
    told = http.post("/v1/models/claims/complete", json=wanted).json()["rows"]
    sizes = [None if value == "missing" else float(value) for value, _ in size[1:]]
    assert sizes == [row["size"] for row in told]
    mark = filling.locator("#filled ins").first
    assert mark.evaluate("mark => getComputedStyle(mark).textDecorationLine") == "underline"


def test_a_filled_row_is_the_same_in_code(filling, tmp_path):
    filling.get_by_label("colour", exact=True).fill("blue")
    filling.get_by_label("Seed of the versions").fill("7")
    filling.get_by_role("button", name="Fill in the rest").click()
    expect(filling.locator("#filled tbody tr")).to_have_count(3)
    counts = [value for value, _ in shown(filling, "#filled")[2][1:]]
    programs = {"curl": ["bash", "-c"], "python": [sys.executable, "-c"]}
    environment = {**os.environ, "GTCODER_API_KEY": KEY, "PYTHONPATH": ":".join(sys.path)}
    for name, program in programs.items():
        code = filling.locator(f"#fill-{name}").inner_text()
        assert KEY not in code
        if name == "python":
            code += "\nprint(frame.to_csv(index=False))"
        run = subprocess.run([*program, code], env=environment, capture_output=True, text=True)
        frame = pd.read_csv(io.StringIO(run.stdout))
        assert list(frame["count"].astype(str)) == counts, (name, run.stderr)


def test_what_is_wrong_with_a_row_is_said_at_its_field(filling):
    fill = filling.get_by_role("button", name="Fill in the rest")
    fill.click()
    expect(filling.locator("#given-error")).to_contain_text("Fill in at least one field.")
    filling.get_by_label("count", exact=True).fill("2.5")
    fill.click()
    field = filling.locator("#given [data-column=count]")
    expect(field.locator(".error")).to_contain_text("expected values of type int32")
    expect(filling.get_by_label("count", exact=True)).to_be_focused()
    filling.get_by_label("count", exact=True).fill("2")
    expect(field.locator(".error")).to_be_empty()
    filling.get_by_label("colour", exact=True).fill("violet")
    filling.get_by_label("How many versions").fill("21")
    fill.click()
    expect(filling.locator("#versions-error")).to_contain_text("from 1 to 20")
    filling.get_by_label("How many versions").fill("1")
    fill.click()
    expect(filling.locator("#filled-note")).to_contain_text("does not know “violet” in colour")


def test_a_rule_that_could_not_be_kept_is_told(filling):
    def broken(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "gtcoder-broken": "2"})

    filling.route("**/complete", broken)
    filling.get_by_label("count", exact=True).fill("2")
    filling.get_by_role("button", name="Fill in the rest").click()
    expect(filling.locator("#filled-broken")).to_contain_text("In 2 versions a drawn value does")
    upload(filling, GAPS)
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#found-broken")).to_contain_text("In 2 rows a drawn value does not")


def test_the_gaps_of_a_file_are_filled_and_all_else_stays(filling):
    upload(filling, GAPS, encoding="utf-8-sig")
    expect(filling.locator("#file-note")).to_contain_text("2 rows of 4 columns")
    expect(filling.locator("#file-note")).to_contain_text("The model has no mine: left as it is")
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#found-note")).to_contain_text("3 cells drawn in 2 rows")
    assert sum(drawn for row in shown(filling, "#found") for _, drawn in row) == 3
    name, text = saved(filling)
    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert name == "mine-filled.csv"
    assert header == GAPS[0]
    assert (first[:3], second[1], second[3]) == (GAPS[1][:3], "é", "10.50")
    assert math.isfinite(float(first[3]))
    assert int(second[0]) >= 0
    assert second[2] in ("red", "green", "blue")


def test_a_file_of_a_german_excel_is_read_and_written_alike(filling):
    lines = [["size", "colour", "count"], ["10,5", "red", ""], ["", "grün", "3,0"]]
    upload(filling, lines, mark=";", encoding="cp1252")
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#found-note")).to_contain_text("2 cells drawn")
    expect(filling.locator("#file-note")).to_contain_text("does not know “grün” in colour")
    _, text = saved(filling)
    _, first, second = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";")
    assert first[:2] == ["10,5", "red"]
    assert second[1:] == ["grün", "3,0"]
    assert re.fullmatch(r"\d+,\d+", second[0])


def test_a_column_that_a_german_file_lacks_is_drawn_with_commas(filling):
    upload(filling, [["count", "mine"], *[["3,0", "x"]] * 9], mark=";")
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#found-note")).to_contain_text("cells drawn in")
    header, *rows = csv.reader(io.StringIO(saved(filling)[1].removeprefix("\ufeff")), delimiter=";")
    assert header == ["count", "mine", "colour", "size"]
    assert all(row[:2] == ["3,0", "x"] for row in rows)
    sizes = [row[3] for row in rows if row[3]]  # a size may be drawn as missing
    assert sizes
    assert all(re.fullmatch(r"\d+,\d+", size) for size in sizes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["3.5", "1,234"], "the comma in 1,234 is not read as a decimal one"),
        (["1,234", ""], "The comma in 1,234 is read as a decimal one, as 1.234"),
        (["1,234", "3,0"], None),
    ],
)
def test_what_a_comma_in_numbers_was_taken_for_is_told(filling, row, said):
    upload(filling, [["size", "count"], row], mark="\t")
    expect(filling.locator("#file-note")).to_contain_text(said or "1 row of 2 columns")
    if said is None:
        expect(filling.locator("#file-note")).not_to_contain_text("comma")


def test_a_number_with_a_comma_beside_points_is_not_guessed(filling):
    upload(filling, [["size", "count"], ["3.5", ""], ["1,234", ""]], mark="\t")
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#file-error")).to_contain_text("mend the value of row 2")


def test_the_code_fills_a_file_of_a_german_excel_alike(filling, tmp_path):
    lines = [["colour", "size", "count"], ["NA", "10,5", ""], ["grün", "", "3"], ["", "9,25", "2"]]
    upload(filling, lines, mark=";", encoding="cp1252")
    filling.get_by_label("Seed of the gaps").fill("7")
    filling.get_by_role("button", name="Fill its gaps").click()
    expect(filling.locator("#found-note")).to_contain_text("3 cells drawn")
    page = pd.read_csv(io.StringIO(saved(filling)[1].removeprefix("\ufeff")), **EXCEL)
    text = "".join(";".join(line) + "\r\n" for line in lines)
    (tmp_path / "mine.csv").write_bytes(text.encode("cp1252"))
    environment = {**os.environ, "GTCODER_API_KEY": KEY, "PYTHONPATH": ":".join(sys.path)}
    for code, more in (("gaps", ""), ("unlikely", "\nassert len(unlikely) == 3")):
        program = filling.locator(f"#{code}-python").inner_text() + more
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    filled = pd.read_csv(tmp_path / "mine-filled.csv", encoding="utf-8-sig", **EXCEL)
    pd.testing.assert_frame_equal(filled, page)
    assert list(filled["colour"])[:2] == ["NA", "grün"]


def test_a_file_that_is_read_slowly_gives_way_to_a_newer_one(filling):
    filling.evaluate(
        """() => {
          const bytes = Blob.prototype.arrayBuffer;
          Blob.prototype.arrayBuffer = async function () {
            if (this.name === "large.csv") await new Promise(done => { window.goOn = done; });
            return bytes.call(this);
          };
        }"""
    )
    upload(filling, [["size"], ["1"], ["2"], ["3"]], name="large.csv")
    upload(filling, [["size"], ["1"]], name="small.csv")
    expect(filling.locator("#file-note")).to_contain_text("1 row of 1 column")
    filling.evaluate("() => { goOn(); return new Promise(done => setTimeout(done, 300)); }")
    expect(filling.locator("#file-note")).to_contain_text("1 row of 1 column")
    expect(filling.locator("#gaps-python")).to_contain_text("small.csv")


def test_the_least_likely_rows_come_first_with_the_reason(filling, http):
    rows = [["colour", "size", "count"], *[["red", "9.5", "3"]] * 30]
    rows[8] = ["blue", "4.9", "11"]
    upload(filling, rows)
    filling.get_by_role("button", name="Find its least likely rows").click()
    found = filling.locator("#found tbody tr")
    expect(found).to_have_count(20)
    records = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    told = http.post("/v1/models/claims/score", json={"rows": records}).json()["rows"][7]
    number, likely, why = found.first.locator("th, td").all_inner_texts()[:3]
    assert number == "8"
    assert float(likely.replace("−", "-")) == pytest.approx(told["log_likelihood"], abs=0.006)
    name = told["most_surprising"]
    times = re.fullmatch(rf"{name} = {records[7][name]}: ([\d.]+) times less likely.*", why)
    assert float(times[1]) == pytest.approx(math.exp(told["excess"]), rel=0.06)
    expect(found.first.locator(".surprising")).to_have_text(records[7][name])


@pytest.mark.parametrize(
    ("lines", "button", "said"),
    [
        ([["a", "b"], ["1", "2"]], "Fill its gaps", "none of the model’s columns (colour, size"),
        ([["colour", "size"]], "Fill its gaps", "a header but no rows"),
        ([["colour", "size"], ["red"]], "Fill its gaps", "Row 1 has 1 cell, the header 2"),
        ([["size"], *[["1"]] * 51], "Fill its gaps", "51 rows, and the service takes at most 50"),
        ([["size"], ["1"], ["many"]], "Fill its gaps", "'size': expected values of type double"),
        ([["size"], ["1"], ["many"]], "Fill its gaps", "row 2"),
        ([["size"], ["1"]], "Find its least", "The file has no colour, count"),
        ([["size", "size"], ["1", "2"]], "Fill its gaps", "“size” comes twice"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_at_it(filling, lines, button, said):
    upload(filling, lines)
    filling.get_by_role("button", name=button).click()
    expect(filling.locator("#file-error")).to_contain_text(said)
    expect(filling.get_by_label("CSV file")).to_be_focused()
    expect(filling.locator("#found table")).to_have_count(0)


def test_a_model_that_cannot_fill_in_says_so_and_scores(visit):
    page = visit("/#/other")
    expect(page.locator("#preview tbody tr")).to_have_count(20)
    page.get_by_role("tab", name="Fill in").click()
    expect(page.locator("#fill-none")).to_contain_text("This model cannot fill in rows")
    expect(page.get_by_role("button", name="Fill")).to_have_count(0)
    upload(page, [["colour", "size"], ["red", "9"], ["blue", "15"]])
    page.get_by_role("button", name="Find its least likely rows").click()
    expect(page.locator("#found tbody tr")).to_have_count(2)
    expect(page.locator("#found")).not_to_contain_text("surprises")
