"""The report in a folder: `report.json`, and the page made of it."""

import json
from collections.abc import Mapping
from typing import Any

from gtcoder.errors import OutputError
from gtcoder.evaluation.report.page import render
from gtcoder.table.files import Uri, exists, join, write_bytes

REPORT, PAGE = "report.json", "report.html"


def make_way(out: Uri, *, overwrite: bool) -> None:
    """See that a report can be written.

    Raises:
        OutputError: there is one already.
    """
    there = next((join(out, name) for name in (REPORT, PAGE) if exists(join(out, name))), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there} exists; choose another place, or replace it: `overwrite=True`")


def write_report(report: Mapping[str, Any], out: Uri) -> None:
    """Write a report to a folder or URI."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    write_bytes(join(out, REPORT), text.encode(errors="replace"))
    write_bytes(join(out, PAGE), render(report).encode(errors="replace"))
