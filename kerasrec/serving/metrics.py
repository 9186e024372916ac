"""The Prometheus metrics of a server, under its own names and under those of TF Serving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

SECONDS_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ROWS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
TF_SERVING_MICROSECONDS = tuple(10 * 1.8**power for power in range(33))
"""Buckets of `:tensorflow:serving:request_latency`."""


class Metrics:
    """The metrics of a server.

    Args:
        queue_length: returns the number of waiting requests.
        active_versions: returns the served versions of each model.

    Attributes:
        registry: what `/metrics` returns.
        batch_rows: users in a batch.
        queue_rejections: requests that were rejected because the queue was full.
        load_failures: versions that could not be loaded, by model.
    """

    def __init__(self, queue_length: Callable[[], int], active_versions: Callable[[], Mapping[str, list[int]]]) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "kerasrec_serving_seconds",
            "Duration of requests.",
            ("protocol", "method", "model", "status"),
            registry=self.registry,
            buckets=SECONDS_BUCKETS,
        )
        self._users = Counter(
            "kerasrec_serving_users", "Users in successful requests.", ("model", "signature"), registry=self.registry
        )
        self.batch_rows = Histogram(
            "kerasrec_serving_batch_rows", "Users in a batch.", registry=self.registry, buckets=ROWS_BUCKETS
        )
        queue = Gauge("kerasrec_serving_queue", "Waiting requests.", registry=self.registry)
        queue.set_function(queue_length)
        self.queue_rejections = Counter(
            "kerasrec_serving_queue_rejections",
            "Requests that were rejected because the queue was full.",
            registry=self.registry,
        )
        self.load_failures = Counter(
            "kerasrec_serving_load_failures", "Versions that could not be loaded.", ("model",), registry=self.registry
        )
        self._latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Duration of predictions in microseconds.",
            ("model_name", "API", "entrypoint"),
            registry=self.registry,
            buckets=TF_SERVING_MICROSECONDS,
        )
        self._counts: dict[tuple[str, str], int] = {}
        self.registry.register(_OtherMetrics(self._counts, active_versions))
        ProcessCollector(registry=self.registry)

    def record_request(self, protocol: str, method: str, model: str, status: str, seconds: float) -> None:
        """Counts a request that has been answered.

        Args:
            protocol: `"grpc"` or `"rest"`.
            method: name of the gRPC method.
            model: name of a served model, or "". Names of unknown models must not create time series.
            status: name of the gRPC status.
            seconds: its duration.
        """
        self._seconds.labels(protocol, method, model, status).observe(seconds)
        if method == "Predict":  # TF Serving counts no other requests
            key = (model, status)
            self._counts[key] = self._counts.get(key, 0) + 1
            self._latency.labels(model, "Predict", protocol.upper()).observe(1e6 * seconds)

    def record_users(self, model: str, signature: str, n_users: int) -> None:
        """Counts the users of a successful request."""
        self._users.labels(model, signature).inc(n_users)


class _OtherMetrics(Collector):
    """Metrics whose names or labels the classes of `prometheus_client` do not allow."""

    def __init__(
        self, counts: Mapping[tuple[str, str], int], active_versions: Callable[[], Mapping[str, list[int]]]
    ) -> None:
        self._counts = counts
        self._active_versions = active_versions

    def collect(self) -> Iterator[Metric]:
        requests = Metric(":tensorflow:serving:request_count", "Predictions, also rejected ones.", "unknown")
        for (model, status), count in sorted(self._counts.items()):
            requests.add_sample(requests.name, {"model_name": model, "status": status}, count)
        yield requests
        versions = Metric("kerasrec_serving_active_version", "1 for each version that answers requests.", "gauge")
        for model, numbers in sorted(self._active_versions().items()):
            for number in numbers:
                versions.add_sample(versions.name, {"model": model, "version": str(number)}, 1)
        yield versions
