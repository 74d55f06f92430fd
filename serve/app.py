"""The Serve application: `serve run serve.app:build models='{"claims": "s3://models/claims"}'`.

Building it starts nothing. Each replica does all: it checks requests, holds models and draws.
"""

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.schema import LoggingConfig

from gtcoder.errors import ConfigError
from serve.api import make_app
from serve.http.keys import VARIABLE, Keys
from serve.http.listener import Listener
from serve.service import Service
from serve.settings import Settings, models_of

DRAIN_S = 45.0
"""Seconds that requests under way are given when a replica is stopped; deleting an application
waits for a minute."""


@serve.ingress(make_app)
class Replica:
    """Answers requests, from Serve's proxies or on a port of its own."""

    def __init__(self, settings: dict[str, Any]) -> None:
        checked = Settings.model_validate(settings)
        keys = Keys(checked.api_key_file)
        if checked.require_keys and not keys:
            raise ConfigError(f"there are no keys: set api_key_file or {VARIABLE}")
        keys.watch(checked.check_s)
        self.service = Service(checked, keys)
        self._listener: Listener | None = None

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take the models of a new configuration; with the first, listen."""
        self.service.registry.models = models_of(user_config)
        listen = self.service.settings.listen
        if listen and not self._listener:
            limits = self.service.settings.limits
            self._listener = Listener(make_app(lambda: self.service), listen, limits)

    async def check_health(self) -> None:
        """See that clients are still listened to and rows drawn."""
        if self._listener:
            self._listener.check()
        await self.service.check()

    async def __del__(self) -> None:
        """Take no more requests of its own port, and let those under way end: Serve waits."""
        if self._listener:
            await self._listener.close()


def build(args: Settings) -> Application:
    """The application; `serve deploy` overrides any option of its deployment."""
    queue = args.limits.queue
    replica = serve.deployment(Replica).options(
        name="Replica",
        user_config={"models": args.models},
        ray_actor_options={"num_cpus": args.replica_cpus, "num_gpus": args.replica_gpus},
        max_ongoing_requests=2 * queue,  # its own limit answers first, with a problem
        max_queued_requests=4 * queue,
        backpressure_config={"status_code": 503, "retry_after_s": args.limits.retry_after_s},
        autoscaling_config={
            "min_replicas": args.min_replicas,
            "max_replicas": args.max_replicas,
            "target_ongoing_requests": args.target_requests,
            "upscale_delay_s": args.upscale_delay_s,
            "downscale_delay_s": args.downscale_delay_s,
        },
        graceful_shutdown_timeout_s=DRAIN_S,
        health_check_timeout_s=150,
        logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING"),
    )
    return replica.bind(args.model_dump(exclude={"models"}))
