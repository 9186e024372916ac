"""Prediction, limits and metrics that gRPC and REST share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

import grpc
from tensorflow_serving.apis.model_pb2 import ModelSpec

from kerasrec.serving.batching import Batcher, Batching
from kerasrec.serving.errors import RequestError, as_request_error
from kerasrec.serving.limits import Limits
from kerasrec.serving.logs import log_request, new_request_id
from kerasrec.serving.merging import n_rows
from kerasrec.serving.metrics import Metrics
from kerasrec.serving.servable import Servable
from kerasrec.serving.tensors import with_front_padding
from kerasrec.serving.versions import Models
from kerasrec.types import Array

LARGE = 100_000
"""Bytes to read or array elements to write that would delay other requests in the event loop."""

DRAIN_POLL = 0.05
"""Seconds between two checks whether requests run or arrive."""

REJECT_SECONDS = 1.0
"""Most seconds in which new requests are rejected after the running ones are finished."""

_LARGE_THREAD = ThreadPoolExecutor(1, thread_name_prefix="kerasrec-large")

ReadInputs = Callable[[Servable, str], Mapping[str, Array]]
P = ParamSpec("P")
R = TypeVar("R")


class Service:
    """Runs requests of any protocol and records metrics.

    Args:
        models: the served models.
        batching: how requests are merged.
        limits: the largest requests.

    Attributes:
        models: the served models.
        metrics: the Prometheus metrics.
        batcher: the queue of requests.
        n_received: number of all requests so far.
        n_running: number of requests without an answer. Both numbers change only in the event loop.
    """

    def __init__(self, models: Models, batching: Batching, limits: Limits) -> None:
        self.models = models
        self.limits = limits
        self.metrics = Metrics(lambda: len(self.batcher), models.active_versions)
        self.batcher = Batcher(batching, self.metrics.batch_rows.observe, self.metrics.queue_rejections.inc)
        models.on_load_failure = lambda name: self.metrics.load_failures.labels(name).inc()
        self.n_received = self.n_running = 0
        self._draining = False

    @contextmanager
    def request(self, protocol: str, method: str, model: str, given_id: str = "") -> Iterator[str]:
        """Records the duration and the status of a request; every exception becomes a `RequestError`.

        Args:
            protocol: `"grpc"` or `"rest"`.
            method: name of the gRPC method.
            model: name in the request.
            given_id: id of the request that the client has sent.

        Yields:
            The id of the request, which is also in its log lines.
        """
        start, code = time.perf_counter(), grpc.StatusCode.OK
        self.n_received += 1
        self.n_running += 1
        try:
            if self._draining:
                raise RequestError("the server is shutting down. Fix: try another server", grpc.StatusCode.UNAVAILABLE)
            yield new_request_id(given_id)
        except asyncio.CancelledError:  # the client closed the connection
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            request_error = as_request_error(error)
            code = request_error.code
            raise request_error from None
        finally:
            # Names of unknown models must not create time series.
            known_model = model if model in self.models.names else ""
            seconds = time.perf_counter() - start
            self.metrics.record_request(protocol, method, known_model, code.name, seconds)
            log_request(
                protocol=protocol, method=method, model=known_model, status=code.name, ms=round(1e3 * seconds, 2)
            )
            self.n_running -= 1

    async def drain(self, timeout: float) -> None:
        """Rejects new requests with UNAVAILABLE, and returns after the running ones or after `timeout` seconds.

        Requests that gRPC has received but not passed on would be cancelled when it stops: about three
        quarters of those of busy clients. They are rejected first, so that clients can retry them.
        """
        self._draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while self.n_running and loop.time() < end:
            await asyncio.sleep(DRAIN_POLL)
        end = loop.time() + REJECT_SECONDS
        n_received = -1
        while self.n_received != n_received and loop.time() < end:
            n_received = self.n_received
            await asyncio.sleep(DRAIN_POLL)

    async def predict(
        self,
        spec: ModelSpec,
        n_bytes: int,
        read_inputs: ReadInputs,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> tuple[Servable, dict[str, Array]]:
        """The version that ran and the outputs of its signature.

        Args:
            spec: model, version and signature.
            n_bytes: size of the request.
            read_inputs: reads the arrays of the request for a version and a signature.
            outputs: names of the outputs to return; all if empty.
            timeout: seconds until the request's deadline.

        Raises:
            RequestError: The model is not available, the request does not match the signature, the queue is full, or
                the deadline passed.
            tf.errors.OpError: The graph rejects the inputs.
        """
        signature = spec.signature_name or "serving_default"
        with self.models.acquire(spec) as servable:
            inputs = await to_thread_if_large(n_bytes, read_inputs, servable, signature)
            servable.check(signature, inputs, outputs, self.limits)
            inputs = with_front_padding(inputs)
            arrays = await self.batcher.run(servable, signature, inputs, timeout)
        self.metrics.record_users(spec.name, signature, n_rows(inputs))
        return servable, {name: arrays[name] for name in outputs or arrays}


async def to_thread_if_large(size: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function, in a thread if `size` is large, so that the event loop continues with other requests.

    There is one such thread: with several, the event loop would wait for each of them, because only one thread of
    Python runs at a time.
    """
    if size <= LARGE:
        return function(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_LARGE_THREAD, partial(function, *args, **kwargs))


def n_elements(arrays: Mapping[str, Array]) -> int:
    """The number of elements of all arrays."""
    return sum(array.size for array in arrays.values())
