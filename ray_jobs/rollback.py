"""Going back to the bundle that another has replaced."""

from gtcoder.errors import OutputError
from gtcoder.progress import Reporter
from gtcoder.revisions import point_back


def run_rollback(bundle: str, checksum: str | None, reporter: Reporter) -> None:
    """Make an earlier bundle count again.

    Raises:
        GTCoderError: there is none such, or its pointer cannot be written.
    """
    try:
        now = point_back(bundle, checksum)
    except OSError as error:
        raise OutputError(f"{bundle} is as it was: {error}") from error
    reporter.result(f"{bundle} is {now[:16]} again; gtcoder rollback {bundle} undoes this")
