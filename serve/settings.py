"""What the service is started with, checked before anything starts.

The models are not among the settings of a running replica: they come as user_config, so that
`serve deploy` changes them in place.
"""

import re
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_Name = Annotated[str, StringConstraints(pattern=f"^{MODEL_NAME}$")]
ORIGIN = r"https?://[^/*\s]+"
_Origin = Annotated[str, StringConstraints(pattern=f"^{ORIGIN}$")]


class Limits(BaseModel):
    """Bounds on what one request, and all of them together, may cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(1_000_000, ge=1, description="Rows of one sample.")
    response_bytes: int = Field(512 << 20, ge=1 << 20, description="Bytes of one sample.")
    in_flight_bytes: int = Field(
        1 << 30, ge=1 << 20, description="Bytes on their way to clients, per replica."
    )
    body_bytes: int = Field(4 << 20, ge=1 << 10, description="Bytes of a request's body.")
    body_s: float = Field(30, gt=0, description="Seconds in which a request's body must come.")
    head_s: float = Field(
        10, gt=0, description="Seconds in which its headers must, where replicas listen themselves."
    )
    connections: int = Field(
        1024, ge=1, description="Connections at once, per replica that listens itself."
    )
    explained_rows: int = Field(
        10_000, ge=1, description="Rows of one explanation, completion or scoring."
    )
    queue: int = Field(
        512, ge=1, description="Requests at work at once, per replica; so many for batches besides."
    )
    retry_after_s: int = Field(1, ge=1, description="What is said to who comes when it is full.")
    batch_rows: int = Field(1_000_000_000, ge=1, description="Rows of one bulk batch.")
    batches: int = Field(4, ge=1, description="Bulk batches that wait or run at once.")
    batch_days: float = Field(
        30, gt=0, description="Days after its start that an ended batch is known; its files stay."
    )


class Listen(BaseModel):
    """A host and a port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    port: int = Field(ge=1, le=65535)


class Settings(BaseModel):
    """The arguments of `serve.app:build`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[_Name, str] = Field(
        default_factory=dict, description="Name and URI of each bundle."
    )
    api_key_file: str | None = Field(None, description="A file with one key a line.")
    require_keys: bool = Field(False, description="Refuse to start without keys.")
    batch_root: str | None = Field(
        None, description="Folder or URI that bulk batches write below; without it there are none."
    )
    cors_origins: list[_Origin] = Field(
        default_factory=list, description="Origins, as https://HOST, whose web pages may call."
    )
    listen: Listen | None = Field(
        None, description="Where all replicas listen, if Serve's proxies do not."
    )
    limits: Limits = Limits()
    batching: bool = Field(True, description="Decode concurrent requests together.")
    models_per_replica: int = Field(16, ge=1, description="Models a replica keeps loaded.")
    threads: int = Field(1, ge=1, description="Threads that a replica decodes with.")
    check_s: float = Field(5.0, ge=0, description="How often a bundle is looked at for a new one.")
    min_replicas: int = Field(1, ge=1)
    max_replicas: int = Field(1, ge=1)
    target_requests: float = Field(
        16, gt=0, description="Requests at work in a replica; when there are more, others start."
    )
    upscale_delay_s: float = Field(10, ge=0, description="So long there are more of them.")
    downscale_delay_s: float = Field(300, ge=0, description="So long there are fewer.")
    replica_cpus: float = Field(1.0, ge=0, description="CPUs that a replica holds.")
    replica_gpus: float = Field(0.0, ge=0, description="GPUs that it holds, and draws on if any.")

    @property
    def device(self) -> str:
        """What replicas draw on: Ray shows each the GPUs that it holds."""
        return "cuda" if self.replica_gpus else "cpu"

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas is {self.max_replicas}, less than min_replicas, {self.min_replicas}"
            )
        # NOTE: Connections to the replicas' own port are spread by the kernel, for good: a new
        # replica would get nothing from clients that are connected, and one that ends would cut
        # off those just given to it. A metric of ours (`record_autoscaling_stats`) would let Serve
        # count their requests, and mend neither. So what scales is behind Serve's proxies.
        if self.listen and self.max_replicas > self.min_replicas:
            raise ValueError("replicas that listen themselves cannot change in number")
        return self


def named(bundles: list[str], names: list[str]) -> dict[str, str]:
    """Names and URIs of `BUNDLE…` and `--name NAME=BUNDLE`; a bundle is called as its folder is.

    Raises:
        ValueError: a name cannot be in a URL, or comes twice.
    """
    pairs = [(uri.rstrip("/").rpartition("/")[2], uri) for uri in bundles]
    for text in names:
        name, equals, uri = text.partition("=")
        if not equals or not uri:
            raise ValueError(f"--name {text!r}: expected NAME=BUNDLE")
        pairs.append((name, uri))
    found: dict[str, str] = {}
    for name, uri in pairs:
        if not re.fullmatch(MODEL_NAME, name):
            raise ValueError(
                f"a model cannot be called {name!r}: expected letters, digits, dots, dashes and "
                f"underscores; call it otherwise with --name NAME={uri}"
            )
        if name in found:
            raise ValueError(f"two models are called {name!r}; name one with --name NAME={uri}")
        found[name] = uri
    return found


def models_of(user_config: dict[str, Any]) -> dict[str, str]:
    """The models in a deployment's user_config."""
    return Settings.model_validate({"models": user_config.get("models", {})}).models
