"""A model's report: what `gtcoder evaluate` wrote to the folder NAME.report beside its bundle."""

from gtcoder.table.files import join, last_written, read_bytes
from serve.http.problems import ProblemError
from serve.http.schemas import Report
from serve.registry import Model


def find_report(model: Model) -> Report | None:
    """Where the service gives a model's report, and when it was written; None without one.

    Raises:
        OSError: the storage does not answer.
    """
    try:
        written = last_written(_page(model))
    except FileNotFoundError:
        return None
    return Report(url=f"/v1/models/{model.name}/report", written=written.isoformat())


def read_report(model: Model) -> bytes:
    """A model's report, an HTML page.

    Raises:
        ProblemError: it has none (404).
        OSError: the storage does not answer.
    """
    try:
        return read_bytes(_page(model))
    except FileNotFoundError:
        detail = (
            f"model {model.name!r} has no report; `gtcoder evaluate` writes one to {_folder(model)}"
        )
        raise ProblemError(404, "No report", detail) from None


def _folder(model: Model) -> str:
    return model.uri.rstrip("/") + ".report"


def _page(model: Model) -> str:
    return join(_folder(model), "report.html")
