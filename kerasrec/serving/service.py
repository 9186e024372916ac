"""What gRPC and REST share: a question to a model, its answer, and how both are counted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import grpc
import tensorflow as tf
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.batching import Batcher, Batching
from kerasrec.serving.servable import RequestError, Servable, reason
from kerasrec.serving.versions import Models
from kerasrec.types import Array

LOG = logging.getLogger("kerasrec.serving")

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)

MUCH = 100_000
"""Bytes to read, or entries to write, that take long enough for others to notice."""

Inputs = Callable[[Servable, str], Mapping[str, Array]]
P = ParamSpec("P")
R = TypeVar("R")


class Service:
    """Answers questions to models, whichever way they came."""

    def __init__(self, models: Models, batching: Batching) -> None:
        self.models = models
        self.metrics = CollectorRegistry()
        self._seconds = Histogram(
            "kerasrec_serving_seconds",
            "How long requests took.",
            ("protocol", "method", "model", "status"),
            registry=self.metrics,
            buckets=SECONDS,
        )
        self._answered = Counter(
            "kerasrec_serving_users", "Users answered.", ("model", "signature"), registry=self.metrics
        )
        rows = Histogram("kerasrec_serving_batch_rows", "Users in a run.", registry=self.metrics, buckets=ROWS)
        self.batcher = Batcher(batching, rows.observe)
        queue = Gauge("kerasrec_serving_queue", "Requests that wait.", registry=self.metrics)
        queue.set_function(lambda: len(self.batcher))

    @contextmanager
    def counted(self, protocol: str, method: str, model: str) -> Iterator[None]:
        """Counts a request, and turns whatever goes wrong in it into `RequestError`."""
        began, code = time.perf_counter(), grpc.StatusCode.OK
        try:
            yield
        except asyncio.CancelledError:  # the client has hung up
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            refused = as_request_error(error)
            code = refused.code
            raise refused from None
        finally:
            # A name that a client made up must not become a time series.
            known = model if model in self.models.names else ""
            self._seconds.labels(protocol, method, known, code.name).observe(time.perf_counter() - began)

    async def predict(
        self, spec: ModelSpec, size: int, inputs: Inputs, outputs: Sequence[str] = (), timeout: float | None = None
    ) -> tuple[Servable, dict[str, Array]]:
        """The outputs of a signature, all where none are named, and the version that gave them.

        Args:
            spec: which model, version and signature.
            size: bytes of the request.
            inputs: reads the request's arrays, given the version and the signature.
            outputs: names of the outputs to return.
            timeout: seconds until nobody wants the answer any more.

        Raises:
            RequestError: the request does not fit the model.
            tf.errors.OpError: the graph refused it.
        """
        signature = spec.signature_name or "serving_default"
        with self.models.using(spec) as servable:
            arrays = await aside(size, inputs, servable, signature)
            servable.check(signature, arrays, outputs)
            answer = await self.batcher.answer(servable, signature, arrays, timeout)
        self._answered.labels(spec.name, signature).inc(max(map(len, arrays.values()), default=0))
        return servable, {name: answer[name] for name in outputs or answer}


async def aside(size: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function that has `size` to do, in a thread where that is much: meanwhile others are answered."""
    return await asyncio.to_thread(function, *args, **kwargs) if size > MUCH else function(*args, **kwargs)


def entries(outputs: Mapping[str, Array]) -> int:
    """How many entries an answer has."""
    return sum(array.size for array in outputs.values())


def as_request_error(error: Exception) -> RequestError:
    """The status that says whose fault an error is."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, tf.errors.InvalidArgumentError):
        return RequestError(reason(error))
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        return RequestError(reason(error), grpc.StatusCode.RESOURCE_EXHAUSTED)
    LOG.error("a request failed", exc_info=error)
    return RequestError(f"the server failed ({type(error).__name__}): its log says more", grpc.StatusCode.INTERNAL)
