"""The evaluation job: measure a synthetic table in this process, write `report.json` and a page."""

from gtcoder.compare import shown_by
from gtcoder.errors import OutputError
from gtcoder.evaluation.evaluate import Request, evaluate
from gtcoder.evaluation.report.files import PAGE, make_way, write_report
from gtcoder.progress import Reporter
from gtcoder.table.files import absolute, join
from ray_jobs.stopping import leaving


def run_evaluation(request: Request, out: str, reporter: Reporter, *, overwrite: bool) -> None:
    """Evaluate and write the report to a folder.

    Raises:
        GTCoderError: the tables cannot be compared, or there is a report already.
    """
    try:
        make_way(out, overwrite=overwrite)
        with leaving(lambda: "no report is written, the same command begins anew"):
            report = evaluate(request, shown_by(reporter))
        write_report(report, out)
    except OSError as error:
        raise OutputError(str(error)) from error
    reporter.result(report["summary"]["line"])
    if left_out := report["settings"]["quick_leaves_out"]:
        reporter.result(f"A quick report, without {left_out}.")
    for each in report["verdict"]:
        reporter.result(f"{each['topic']}: {each['headline']}. {each['text']}")
    reporter.note(reporter.stages())
    reporter.result(f"report: {absolute(join(out, PAGE))}")
