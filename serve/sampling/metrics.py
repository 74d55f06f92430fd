"""What Prometheus sees of the drawing, by model; Ray exports it on each node's metrics port."""

from ray.serve import metrics

from serve.sampling.batcher import Round

_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
_COUNTS = [1, 2, 4, 8, 16, 32, 64, 128]
_ROWS = [10, 100, 1_000, 2_000, 4_000, 8_000, 16_000]


class SamplingMetrics:
    """Of a replica."""

    def __init__(self) -> None:
        self._rows = metrics.Counter("gtcoder_rows", "Rows drawn.", ("model",))
        self._requests = metrics.Histogram(
            "gtcoder_batch_requests", "Requests decoded together.", _COUNTS, ("model",)
        )
        self._batch_rows = metrics.Histogram(
            "gtcoder_batch_rows", "Rows decoded together.", _ROWS, ("model",)
        )
        self._seconds = metrics.Histogram(
            "gtcoder_decode_seconds", "Seconds of decoding a batch.", _SECONDS, ("model",)
        )
        self._queue = metrics.Gauge("gtcoder_queue", "Pieces that wait.", ("model",))

    def saw(self, model: str, done: Round) -> None:
        """A batch was decoded."""
        tags = {"model": model}
        self._rows.inc(done.rows, tags)
        self._requests.observe(done.requests, tags)
        self._batch_rows.observe(done.rows, tags)
        self._seconds.observe(done.seconds, tags)
        self._queue.set(done.waiting, tags)
