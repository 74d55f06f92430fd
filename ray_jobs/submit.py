"""A command line as a job: what may be submitted, what it brings, what it would not find there.

What runs on the cluster is one of a fixed list of commands of this package, which rides along.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter
from ray_jobs.jobs import Jobs, command

VERBS = ("train", "generate", "evaluate", "benchmark")
"""What can be submitted."""
_PACKAGES = ("gtcoder", "ray_jobs")
_KEPT = ("--out", "--storage")
"""Options that name what must outlive the job."""


def submit(
    verb: str,
    arguments: Sequence[str],
    address: str | None,
    working_dir: str | None,
    reporter: Reporter,
) -> str:
    """Start a command on a cluster; the job's ID.

    Raises:
        ConfigError: the command cannot be submitted, or there is no such cluster.
    """
    if verb not in VERBS:
        raise ConfigError(f"cannot submit {verb!r}; there are: {', '.join(VERBS)}")
    _check_places(arguments, working_dir, reporter)
    job_id = f"{verb}-{secrets.token_hex(4)}"
    environment = _environment(working_dir)
    Jobs.at(address).submit(job_id, command(verb, *arguments), runtime_env=environment)
    return job_id


def _check_places(arguments: Sequence[str], working_dir: str | None, reporter: Reporter) -> None:
    """Say what a job would not find, or lose when it ends."""
    for option, value in _pairs(arguments):
        if option in _KEPT and "://" not in value and not os.path.isabs(value):
            raise ConfigError(
                f"{option} {value}: a job's own folder goes when it ends; give a URI such as "
                "s3://, or the full path of a folder that all machines of the cluster share"
            )
    for value in arguments:
        if "://" in value or value.startswith("-") or not Path(value).exists():
            continue
        if os.path.isabs(value) or working_dir is None:
            reporter.warn(
                f"{value} is here; the job looks for it on the cluster. A URI such as s3:// is the "
                "same everywhere, and --working-dir takes a folder of small files along"
            )


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, written `--out x` or `--out=x`."""
    for first, second in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = first.partition("=")
        yield option, value if equals else second


def _environment(working_dir: str | None) -> dict[str, Any]:
    """What the job brings: this package as it is installed here, and a folder if one is named."""
    import importlib.util

    specs = [importlib.util.find_spec(name) for name in _PACKAGES]
    folders = [str(Path(spec.origin).parent) for spec in specs if spec and spec.origin]
    environment: dict[str, Any] = {"py_modules": folders, "excludes": ["__pycache__"]}
    if working_dir is not None:
        if not Path(working_dir).is_dir():
            raise ConfigError(f"--working-dir {working_dir}: no such folder")
        environment["working_dir"] = working_dir
    return environment
