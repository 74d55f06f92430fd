"""How the programs behind the commands are run, and how they end."""

import runpy
import sys
from collections.abc import Callable

from gtcoder.errors import GTCoderError
from ray_jobs.cli.words import in_flags
from ray_jobs.stopping import exit_code, heed_signals


def run(app: Callable[[], object]) -> None:
    """Run a command line; what a user can mend is one line on standard error and exit code 1."""
    heed_signals()
    try:
        app()
    except (GTCoderError, OSError) as error:
        said = in_flags(" ".join(str(error).split())) or type(error).__name__
        print(f"error: {said}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit):  # typer makes the one the other
        if code := exit_code():
            sys.exit(code)
        raise


def run_module(name: str, arguments: list[str]) -> None:
    """Run what stands over these jobs as a program of its own: they do not import it."""
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
