"""A command line as a job: what may be submitted, what it brings, what it would not find there.

What runs on the cluster is one of a fixed list of commands of this package, which rides along. A
job is called after what it writes, so that a second one of the same output is told of the first.
"""

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from gtcoder.errors import ConfigError
from gtcoder.progress import Reporter
from gtcoder.table.files import absolute
from ray_jobs.jobs import Job, Jobs, TakenError, command

VERBS = (
    "train",
    "generate",
    "complete",
    "score",
    "evaluate",
    "explain",
    "inspect",
    "drift",
    "benchmark",
)
"""What can be submitted."""
_PACKAGES = ("gtcoder", "ray_jobs")
_OUT = "--out"
_KEPT = (_OUT, "--storage")
"""Options that name what must outlive the job."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|ACCESS_KEY", re.IGNORECASE)
_OURS = "AWS_"
"""Settings that a job may miss begin so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What the user asked for."""

    verb: str
    arguments: Sequence[str]
    address: str | None = None
    working_dir: str | None = None
    env: Sequence[str] = ()
    """NAME=VALUE, or NAME for what it is here."""
    runtime_env: str | None = None
    """A YAML or JSON file of Ray's settings."""
    driver_cpus: float = 1.0
    """That the command's own process holds on the cluster; with 0 it runs on the head."""

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise ConfigError(f"cannot submit {self.verb!r}; there are: {', '.join(VERBS)}")
        if self.driver_cpus < 0:
            raise ConfigError(f"--driver-cpus must not be negative, but is {self.driver_cpus}")

    @property
    def name(self) -> str:
        """What its jobs' IDs begin with: it follows from what is written, if anything is."""
        outs = [value for option, value in _pairs(self.arguments) if option == _OUT]
        if not outs:
            return f"{self.verb}-{secrets.token_hex(4)}"
        return f"{self.verb}-{sha256(absolute(outs[-1]).rstrip('/').encode()).hexdigest()[:8]}"


def submit(asked: Submission, reporter: Reporter) -> str:
    """Start a command on a cluster; the job's ID.

    Raises:
        ConfigError: the command cannot be submitted, a job that waits or runs writes the same
            output, or there is no such cluster.
    """
    _check_places(asked, reporter)
    environment = _environment(asked, reporter)
    line, jobs, name = command(asked.verb, *asked.arguments), Jobs.at(asked.address), asked.name
    number = 1
    while True:
        job_id = name if number == 1 else f"{name}-{number}"
        earlier = jobs.find(job_id)
        if earlier is not None and earlier.is_active:
            raise _taken(earlier)
        if earlier is None:
            try:
                jobs.submit(job_id, line, runtime_env=environment, cpus=asked.driver_cpus)
                return job_id
            except TakenError:  # in the same moment
                continue
        number += 1


def _taken(job: Job) -> ConfigError:
    return ConfigError(
        f"job {job.id} writes the same output: {job.words} ({job.status}, {job.lasted}); "
        f"gtcoder jobs {job.id} follows it, gtcoder stop {job.id} ends it"
    )


def _check_places(asked: Submission, reporter: Reporter) -> None:
    """Say what a job would not find, or lose when it ends."""
    for option, value in _pairs(asked.arguments):
        if option in _KEPT and "://" not in value and not os.path.isabs(value):
            raise ConfigError(
                f"{option} {value}: a job's own folder goes when it ends; give a URI such as "
                "s3://, or the full path of a folder that all machines of the cluster share"
            )
    for value in asked.arguments:
        if "://" in value or value.startswith("-") or not Path(value).exists():
            continue
        if os.path.isabs(value) or asked.working_dir is None:
            reporter.warn(
                f"{value} is here; the job looks for it on the cluster. A URI such as s3:// is the "
                "same everywhere, and --working-dir takes a folder of small files along"
            )


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, written `--out x` or `--out=x`."""
    for first, second in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = first.partition("=")
        yield option, value if equals else second


def _environment(asked: Submission, reporter: Reporter) -> dict[str, Any]:
    """What the job brings: this package as it is installed here, and what is forwarded by choice.

    Raises:
        ConfigError: something of it is not there, or not as it should be.
    """
    environment = _runtime_env(asked.runtime_env)
    environment["py_modules"] = [*environment.get("py_modules", []), *_folders()]
    environment["excludes"] = [*environment.get("excludes", []), "__pycache__"]
    if asked.working_dir is not None:
        if not Path(asked.working_dir).is_dir():
            raise ConfigError(f"--working-dir {asked.working_dir}: no such folder")
        environment["working_dir"] = asked.working_dir
    forwarded = dict(map(_variable, asked.env))
    variables = {**environment.get("env_vars", {}), **forwarded}
    if variables:
        environment["env_vars"] = variables
    _tell_variables(asked, variables, reporter)
    return environment


def _folders() -> list[str]:
    import importlib.util

    specs = [importlib.util.find_spec(name) for name in _PACKAGES]
    return [str(Path(spec.origin).parent) for spec in specs if spec and spec.origin]


def _runtime_env(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        plain = yaml.safe_load(Path(path).read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"--runtime-env {path} cannot be read as YAML or JSON: {said}") from error
    kinds = {"py_modules": list, "excludes": list, "env_vars": dict}
    if not isinstance(plain, dict) or any(
        not isinstance(plain.get(key, kind()), kind) for key, kind in kinds.items()
    ):
        raise ConfigError(
            f"--runtime-env {path}: expected Ray's settings by name, such as "
            "{pip: [deltalake], env_vars: {NAME: value}}"
        )
    return plain


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--env {name}: expected NAME or NAME=VALUE")
    if equals:
        return name, value
    if name not in os.environ:
        raise ConfigError(f"--env {name}: it is not set here; set it, or give --env {name}=VALUE")
    return name, os.environ[name]


def _tell_variables(asked: Submission, variables: Mapping[str, str], reporter: Reporter) -> None:
    """Say who will see what is forwarded, and what a job that reads S3 will not have."""
    if secret := [name for name in variables if _SECRET.search(name)]:
        reporter.warn(
            f"{', '.join(secret)}: all who reach the cluster's dashboard can read a job's "
            "environment; a role of its machines needs no key"
        )
    left = sorted(n for n in os.environ if n.startswith(_OURS) and n not in variables)
    if left and any(value.startswith(("s3://", "s3a://")) for _, value in _pairs(asked.arguments)):
        reporter.note(f"not forwarded: {', '.join(left)} (--env NAME does)")
