"""The evaluation job: measure a synthetic table in this process, write `report.json` and a page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from gtcoder.errors import OutputError
from gtcoder.evaluation.evaluate import Request, evaluate
from gtcoder.evaluation.measures import Progress
from gtcoder.evaluation.report.page import render
from gtcoder.progress import Reporter
from gtcoder.table.files import absolute, exists, join, write_bytes

REPORT, PAGE = "report.json", "report.html"


def run_evaluation(request: Request, out: str, reporter: Reporter, *, overwrite: bool) -> None:
    """Evaluate and write the report to a folder.

    Raises:
        GTCoderError: the tables cannot be compared, or there is a report already.
    """
    try:
        _make_way(out, overwrite)
        report = evaluate(request, lambda name: _stage(reporter, name))
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        write_bytes(join(out, REPORT), text.encode(errors="replace"))
        write_bytes(join(out, PAGE), render(report).encode(errors="replace"))
    except OSError as error:
        raise OutputError(str(error)) from error
    for each in report["verdict"]:
        reporter.result(f"{each['topic']}: {each['headline']}. {each['text']}")
    reporter.note(reporter.stages())
    reporter.result(f"report: {absolute(join(out, PAGE))}")


def _make_way(out: str, overwrite: bool) -> None:
    if overwrite:
        return
    there = next((join(out, name) for name in (REPORT, PAGE) if exists(join(out, name))), None)
    if there is not None:
        raise OutputError(f"{there} exists; choose another place, or replace it with --overwrite")


@contextmanager
def _stage(reporter: Reporter, name: str) -> Iterator[Progress]:
    with reporter.stage(name) as stage:
        yield lambda share: stage.update(share, "")
