"""`gtcoder serve`: the service on this machine, or on a cluster that runs.

It stays until it is interrupted, then lets requests under way end.
"""

import io
import ipaddress
import logging
import os
import re
import secrets
import signal
import socket
import sys
import threading
from contextlib import redirect_stdout
from functools import partial
from typing import Annotated, Any

import torch
import typer

from gtcoder.bundle import Bundle
from gtcoder.errors import ConfigError
from gtcoder.progress import counted
from gtcoder.table.files import absolute, join, remove, write_bytes
from ray_jobs.cli.options import Address, count_of
from ray_jobs.cli.program import run
from ray_jobs.cluster.connection import ENVIRONMENT, first_line, own_agent_port, set_own_token
from serve.http.keys import VARIABLE, read_keys
from serve.http.listener import STALLED_S
from serve.settings import ORIGIN, Settings, named

_OF_THE_SERVICE = {
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "100",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
}

_METRICS = 9464
"""The port that Prometheus' own conventions give to what exports by itself."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def serve_bundles(
    bundles: Annotated[
        list[str] | None, typer.Argument(help="Paths or URIs of bundles, called as their folders.")
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="NAME=BUNDLE: a bundle by another name; repeatable.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.", min=1, max=65535)] = 8000,
    api_key_file: Annotated[
        str | None, typer.Option(help=f"Bearer keys, KEY or NAME KEY a line; or set {VARIABLE}.")
    ] = None,
    batch_root: Annotated[
        str | None, typer.Option(help="Folder or URI that bulk batches write below.")
    ] = None,
    replicas: Annotated[
        int, typer.Option(help="Processes that draw, each on a core of its own.", min=1)
    ] = 1,
    max_replicas: Annotated[
        int | None,
        typer.Option(help="Under load up to so many, through Serve's slower proxies.", min=1),
    ] = None,
    use_gpu: Annotated[
        bool, typer.Option("--use-gpu", help="Draw on a GPU of its own in each replica.")
    ] = False,
    max_rows: Annotated[str, typer.Option(help="Rows of one sample, e.g. 500k.")] = "1_000_000",
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help=f"Where Prometheus reads /metrics; omitted, {_METRICS}, or a free one if it is "
            "taken.",
            min=1,
            max=65535,
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="An origin, as https://HOST, whose web pages may call; repeatable."),
    ] = None,
    batching: Annotated[bool, typer.Option(help="Decode concurrent requests together.")] = True,
    address: Address = None,
) -> None:
    """Serve bundles over HTTP: rows, explanations and bulk batches, and a page to ask for them."""
    keys = read_keys(api_key_file)
    if not keys and not _is_loopback(host):
        raise ConfigError(
            f"--host {host} is open to others, and there are no keys; add --api-key-file or set "
            f"{VARIABLE}, or leave --host out"
        )
    if max_replicas is not None and max_replicas < replicas:
        raise ConfigError(f"--max-replicas {max_replicas} is less than --replicas {replicas}")
    if metrics_port and address:
        raise ConfigError(
            "--metrics-port is of a Ray that starts here; with --address each machine has the one "
            "that `ray start --metrics-export-port` gave it"
        )
    scales = max_replicas is not None and max_replicas > replicas
    settings = Settings.model_validate(
        {
            "models": _models(bundles or [], name or []),
            "api_key_file": absolute(api_key_file) if api_key_file else None,
            "require_keys": bool(keys),  # replicas elsewhere may not see this environment
            "batch_root": absolute(batch_root) if batch_root else None,
            "batching": batching,
            "cors_origins": _origins(cors_origin or []),
            "limits": {"rows": _rows(max_rows)},
            "listen": None if address or scales else {"host": host, "port": port},
            "min_replicas": replicas,
            "max_replicas": max_replicas or replicas,
            "replica_gpus": 1 if use_gpu else 0,
        }
    )
    if use_gpu and not address:
        _see_gpus(settings.max_replicas)
    _see_port_free(host, port)
    metrics = None if address else _metrics_port(metrics_port)
    if settings.batch_root:
        _see_writable(settings.batch_root)
    _run(settings, host, port, address, metrics, keyed=bool(keys))


def _rows(text: str) -> int:
    rows = count_of(text, "--max-rows")
    if rows < 1:
        raise ConfigError(f"--max-rows must be at least 1, not {rows}")
    return rows


def _models(bundles: list[str], names: list[str]) -> dict[str, str]:
    try:
        models = named(bundles, names)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not models:
        raise ConfigError("no bundle to serve: name one or more that gtcoder train has written")
    for uri in models.values():
        Bundle.load(uri)
    return {name: absolute(uri) for name, uri in models.items()}


def _origins(said: list[str]) -> list[str]:
    for origin in said:
        if not re.fullmatch(ORIGIN, origin):
            raise ConfigError(f"--cors-origin {origin}: expected https://HOST or https://HOST:PORT")
    return said


def _run(
    settings: Settings,
    host: str,
    port: int,
    address: str | None,
    metrics: int | None,
    *,
    keyed: bool,
) -> None:
    """Start, say where, and stay until a signal comes."""
    for key, value in (ENVIRONMENT | _OF_THE_SERVICE).items():
        os.environ.setdefault(key, value)
    ended = threading.Event()
    _connect(address, settings, metrics)
    from ray import serve

    from serve.app import build

    logging.getLogger("ray.serve").setLevel(logging.WARNING)

    options = {"host": host, "port": port, "request_timeout_s": STALLED_S}
    try:
        serve.start(
            proxy_location="Disabled" if settings.listen else None,
            http_options=options,
            logging_config={"enable_access_log": False},
        )
        serve.run(build(settings), name="gtcoder", route_prefix="/")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        _say(settings, host, port, metrics, keyed=keyed)
        ended.wait()
        print("stopping: requests under way may end", flush=True)
        serve.delete("gtcoder")
    finally:
        import ray

        with redirect_stdout(io.StringIO()):  # Ray calls the end of its own actors failures
            if address is None:
                serve.shutdown()
            ray.shutdown()


def _connect(address: str | None, settings: Settings, metrics: int | None) -> None:
    if address is None:
        set_own_token()
        # Bulk batches run `python`, which must be this one.
        os.environ["PATH"] = os.pathsep.join(
            [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]
        )
    import ray

    local: dict[str, Any] = {
        "num_cpus": (os.cpu_count() or 1) + settings.max_replicas,  # bulk batches get the cores
        "include_dashboard": True,  # which runs the jobs that bulk batches are
        "dashboard_host": "127.0.0.1",
        "dashboard_port": _free_port(),
        "_metrics_export_port": metrics,
        "object_store_memory": 1 << 30,
    }
    try:
        with own_agent_port():
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **({} if address else local),
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--address {address}: no Ray cluster answers there ({first_line(error)})"
        ) from error


def _say(settings: Settings, host: str, port: int, metrics: int | None, *, keyed: bool) -> None:
    names = ", ".join(settings.models)
    print(f"serving {names} on http://{host}:{port} (open it in a browser; /docs lists the calls)")
    if metrics is not None:
        print(f"Prometheus finds metrics on http://127.0.0.1:{metrics}/metrics")
    if not keyed:
        print(f"there are no keys, so it listens on {host} only; --api-key-file opens it to others")
    if settings.batch_root is None:
        print("there are no bulk batches; --batch-root DIR allows them")
    print("Ctrl-C stops it", flush=True)


def _see_writable(root: str) -> None:
    probe = join(root, f".started-{secrets.token_hex(4)}")
    try:
        write_bytes(probe, b"")
        remove(probe)
    except OSError as error:
        raise ConfigError(f"--batch-root {root}: cannot write there ({error})") from error


def _see_gpus(replicas: int) -> None:
    """See early that each replica can have a GPU: Ray would wait for one for ever."""
    if replicas > (there := torch.cuda.device_count()):
        raise ConfigError(
            f"--use-gpu: {counted(replicas, 'replica')} cannot run without as many GPUs; this "
            f"machine has {there}; take fewer replicas, or leave --use-gpu out"
        )


def _see_port_free(host: str, port: int) -> None:
    try:
        _bind(host, port)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({error.strerror}); choose "
            "another --port"
        ) from error


def _metrics_port(said: int | None) -> int:
    """The port said, or the usual one, or a free one if another service has that."""
    try:
        _bind("", said or _METRICS)
    except OSError as error:
        if said is None:
            return _free_port()
        raise ConfigError(
            f"--metrics-port {said}: cannot listen there ({error.strerror}); choose another"
        ) from error
    return said or _METRICS


def _bind(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> None:
    """Run the command."""
    run(partial(app, prog_name="gtcoder serve"))


if __name__ == "__main__":
    main()
