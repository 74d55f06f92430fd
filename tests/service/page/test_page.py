"""The rest of the page: explanation, batches, a report, keyboard, widths, and hostile names."""

import base64
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from gtcoder import revisions

HOSTILE = "<img src=x onerror=alert(1)>"
TABS = {
    "Rows": "#preview td",
    "Fill in": "#given input",
    "Columns": "#columns td",
    "Explanation": ".heat td",
    "Batches": "#batches li, #batches-note",
}
"""Each with what it shows once it is loaded."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def drawn(page):
    expect(page.locator("#preview tbody tr")).to_have_count(20)


def test_the_explanation_is_tables_of_what_the_service_says(visit, http):
    said = http.post("/v1/models/claims/explain", json={}).json()
    page = visit("/#/claims")
    page.get_by_role("tab", name="Explanation").click()
    bars = page.locator(".bars tr")
    expect(bars).to_have_count(3)
    by_share = sorted(said["columns"], key=lambda name: -said["contributions"][name])
    shares = [f"{name}\t{100 * said['contributions'][name]:.1f} %" for name in by_share]
    assert [" ".join(text.split()) for text in bars.all_inner_texts()] == [
        " ".join(text.split()) for text in shares
    ]
    expect(page.locator("#explanation")).to_contain_text("33.3 %, 1/3")
    at = [said["columns"].index(name) for name in by_share]
    cells = [f"{100 * said['matrix'][row][column]:.0f}" for row in at for column in at]
    looks = page.get_by_role("region", name="Which columns look at which").last
    assert looks.locator("tbody td").all_inner_texts() == cells


@pytest.mark.parametrize("there", [True, False])
def test_what_columns_tell_of_one_another_is_shown_if_it_is_known(visit, there):
    names = ["size", HOSTILE, "count"]
    nats = [[0, 0.5, 0.004], [0.5, 0, 0.126], [0.004, 0.126, 0]]
    known = {"rows": 540, "columns": names, "nats": nats} if there else None

    def answer(route):
        told = route.fetch().json()
        route.fulfill(json={**told, "dependence": known})

    page = visit()
    page.route("**/explain", answer)
    page.get_by_role("link", name="claims").click()
    page.get_by_role("tab", name="Explanation").click()
    expect(page.get_by_role("heading", name="Which columns look at which")).to_be_visible()
    title = "How much columns tell of one another"
    expect(page.get_by_role("heading", name=title)).to_have_count(int(there))
    if there:
        region = page.get_by_role("region", name=title).last
        cells = ["0.00", "0.50", "0.00", "0.50", "0.00", "0.13", "0.00", "0.13", "0.00"]
        assert region.locator("tbody td").all_inner_texts() == cells
        assert region.locator("tbody th").all_inner_texts() == names
        expect(page.locator("#explanation")).to_contain_text("in nats; 0 means nothing")


def test_a_batch_is_begun_watched_and_its_files_saved(visit, sample):
    page = visit("/#/claims", provoked=["status of 422"])
    drawn(page)
    page.get_by_label("How many rows").fill("400")
    page.get_by_label("Seed", exact=True).fill("11")
    page.get_by_label("Large batch").check()
    page.get_by_label("Folder").fill("../out")
    page.get_by_role("button", name="Start the batch").click()
    expect(page.locator("#output-error")).to_contain_text("Expected folders below the batch root")
    page.get_by_label("Folder").fill("")
    page.get_by_role("button", name="Start the batch").click()
    batch = page.locator("#batches li.box").first
    expect(batch).to_contain_text("400 rows of claims")
    expect(batch).to_contain_text("400 of 400 rows written", timeout=60_000)
    expect(batch.locator(".chip")).to_have_text("done")
    assert batch.locator("progress").evaluate("bar => bar.value") == 400
    batch.get_by_text("Files").click()
    with page.expect_download() as download:
        batch.get_by_role("button", name="part-00000-of-00001.parquet").click()
    whole = sample(rows=400, seed=11, accept="application/vnd.apache.parquet").content
    table = pq.read_table(download.value.path())
    assert table.equals(pq.read_table(pa.BufferReader(whole)))


def test_a_batch_is_cancelled_after_a_question(visit):
    page = visit("/#/claims")
    drawn(page)
    page.get_by_label("How many rows").fill("50000000")
    page.get_by_label("Large batch").check()
    page.get_by_role("button", name="Start the batch").click()
    batch = page.locator("#batches li.box").first
    batch.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Go on writing").click()
    expect(batch.locator(".chip")).not_to_have_text("cancelled")
    batch.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the batch").click()
    expect(batch.locator(".chip")).to_have_text("cancelled", timeout=60_000)
    expect(batch.get_by_role("button", name="Go on")).to_be_visible()


def test_a_report_opens_without_scripts(visit, bundle_path):
    folder = Path(f"{bundle_path}.report")
    folder.mkdir()
    text = "<style>p { color: rgb(1, 2, 3) }</style><p>Good</p><script>alert(1)</script>"
    (folder / "report.html").write_text(text)
    try:
        page = visit(provoked=["script"])
        page.get_by_role("button", name="Report of claims").click()
        page.wait_for_url("**/report?*")
        expect(page.locator("p")).to_have_text("Good")
        expect(page.locator("p")).to_have_css("color", "rgb(1, 2, 3)")
    finally:
        (folder / "report.html").unlink()
        folder.rmdir()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_every_tab_fits_its_screen(visit, width, dark):
    page = visit("/#/claims", width=width, dark=dark)
    drawn(page)
    for tab, what in TABS.items():
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(what).locator("visible=true").first).to_be_visible()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, tab
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(shade) < 64) is dark


def test_the_keyboard_is_enough(visit):
    page = visit(width=390)
    expect(page.get_by_role("link", name="claims")).to_be_visible()
    press = page.keyboard.press

    def to(name):
        """Go on with the tab key until the focus, which can be seen, is on something."""
        for _ in range(40):
            press("Tab")
            at = page.locator(":focus")
            label = at.evaluate("e => e.labels?.[0]?.textContent ?? e.textContent")
            if label.strip().startswith(name):
                assert at.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
                return
        raise AssertionError(f"no way to {name}")

    to("claims")
    press("Enter")
    drawn(page)
    to("Column for a new condition")
    page.keyboard.type("colour")
    to("Add condition")
    press("Enter")
    expect(page.locator(".condition input").first).to_be_focused()
    press("Shift+Tab")  # so that the next is it
    to("red")
    press("Space")
    to("Preview 20 rows")
    press("Enter")
    expect(page.locator("#preview td", has_text="red")).to_have_count(20)
    to("Download")
    with page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename == "claims.csv"
    page.get_by_role("tab", name="Rows").focus()
    press("ArrowRight")
    to("colour")
    page.keyboard.type("red")
    press("Enter")
    expect(page.locator("#filled ins").first).to_be_visible()
    page.get_by_role("tab", name="Fill in").focus()
    press("ArrowRight")
    press("ArrowRight")
    expect(page.get_by_role("tab", name="Explanation")).to_be_focused()
    looks = page.get_by_role("region", name="Which columns look at which").last
    expect(looks.locator("tbody td")).to_have_count(9)


@pytest.fixture(scope="module")
def hostile_bundle(bundle_path, tmp_path_factory):
    """The same bundle, whose first column and category are called as markup."""

    def called(name, content):
        if not name.endswith(".json"):
            return content
        text = content.decode()
        for word in ("colour", "red"):
            text = text.replace(json.dumps(word), json.dumps(HOSTILE))
        if name != "schema.json":
            return text.encode()
        plain = json.loads(text)
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(plain["arrow"])))
        arrow = pa.schema(
            [each.with_name(HOSTILE) if each.name == "colour" else each for each in arrow]
        )
        plain["arrow"] = base64.b64encode(arrow.serialize()).decode()
        return json.dumps(plain).encode()

    stored = revisions.read(bundle_path)
    contents = {name: called(name, content) for name, content in stored.contents.items()}
    path = str(tmp_path_factory.mktemp("hostile") / "b")
    revisions.write(path, contents, stored.index["info"])
    return path


def test_names_are_texts_whatever_they_are(visit, deploy, hostile_bundle):
    deploy(hostile=hostile_bundle)
    try:
        page = visit("/#/hostile", provoked=["status of 422"])
        drawn(page)
        page.get_by_label("Column for a new condition").select_option(HOSTILE)
        page.get_by_role("button", name="Add condition").click()
        page.get_by_role("checkbox", name=HOSTILE).check()
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview td", has_text=HOSTILE)).to_have_count(20)
        page.get_by_role("tab", name="Fill in").click()
        page.locator("#given").get_by_label(HOSTILE, exact=True).fill(HOSTILE)
        page.get_by_role("button", name="Fill in the rest").click()
        expect(page.locator("#filled td", has_text=HOSTILE)).to_have_count(3)
        for tab, where in (("Columns", "#columns"), ("Explanation", "#explanation")):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator(where)).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 1  # the page's own
    finally:
        deploy()


@pytest.mark.parametrize("dark", [False, True])
def test_the_list_of_calls_works_without_a_foreign_server(visit, dark):
    page = visit("/docs", dark=dark)
    call = page.locator("#operations-models-healthz_healthz_get")
    expect(call).to_be_visible()
    expect(call.locator(".authorization__btn")).to_have_count(0)
    call.get_by_role("button").first.click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table")).to_contain_text('"status": "ok"')
    shade = page.evaluate(
        "getComputedStyle(document.querySelector('html')).backgroundColor.match(/\\d+/g)"
    )
    assert (shade[:3] == ["28", "32", "34"]) is dark
