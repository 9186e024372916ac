"""Runs the requests of several clients in one call of the graph."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import tensorflow as tf

from kerasrec.serving.errors import RequestError
from kerasrec.serving.merging import Outputs, joined, merge, n_rows, parts, split, width
from kerasrec.serving.servable import Servable
from kerasrec.types import Array
from kerasrec.validation import check_at_least

MAX_MERGED_ELEMENTS = 1024 * 1024
"""Largest merged input: one very long history must not pad all other requests to its length."""

MIN_PART_ROWS = 64
"""Smallest part of a request with many rows; a run of fewer rows costs nearly as much."""

MAX_PART_IDS = 16 * 1024
"""Most ids in a part of a request with long rows, so that a run takes about as long as a batch of other requests."""


@dataclass(frozen=True)
class Batching:
    """How a server merges requests into batches.

    Args:
        max_rows: most users in one run of the graph; 1 runs each request alone.
        timeout: seconds that a batch waits for more requests. At 0 a batch never waits: it contains the requests
            that arrived while the graph was busy.
        max_queue: most requests that may wait; further ones are rejected with RESOURCE_EXHAUSTED.
        parallel: runs of the graph at the same time. If omitted, half the number of processors, because a batch
            uses several; all processors if `max_rows` is 1.

    Raises:
        ValueError: `max_rows` or `parallel` is below 1, or `timeout` or `max_queue` is below 0.
    """

    max_rows: int = 64
    timeout: float = 0.0
    max_queue: int = 256
    parallel: int | None = None

    def __post_init__(self) -> None:
        check_at_least(1, max_rows=self.max_rows, parallel=self.parallel)
        check_at_least(0, timeout=self.timeout, max_queue=self.max_queue)


@dataclass(eq=False)
class _Request:
    servable: Servable
    signature: str
    inputs: Mapping[str, Array]
    is_part: bool = False
    outputs: asyncio.Future[Outputs] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    n_rows: int = field(init=False)
    width: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_rows, self.width = n_rows(self.inputs), width(self.inputs)

    def can_join(self, other: _Request) -> bool:
        return self.servable is other.servable and self.signature == other.signature

    def finish(self, result: Outputs | BaseException) -> None:
        if self.outputs.done():  # cancelled, or its deadline passed
            return
        if isinstance(result, BaseException):
            self.outputs.set_exception(result)
        else:
            self.outputs.set_result(result)


class Batcher:
    """Runs requests in the order of their arrival, as many together as fit, and several batches in parallel.

    A request of more rows than a batch runs in parts, in turn with the batches of other requests.

    Everything except the runs of the graph happens in one event loop, which needs no locks and which
    a batch of any size wakes only once.

    Args:
        options: limits of the batches.
        on_batch: called with the number of rows of each batch.
        on_rejection: called when the queue is full.

    Attributes:
        free_slots: number of batches that could start now.
    """

    def __init__(
        self,
        options: Batching,
        on_batch: Callable[[int], None] = lambda n_rows: None,
        on_rejection: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        n_processors = os.cpu_count() or 1
        self.free_slots = options.parallel or max(1, n_processors if options.max_rows == 1 else n_processors // 2)
        self._on_batch = on_batch
        self._on_rejection = on_rejection
        self._threads = ThreadPoolExecutor(self.free_slots, thread_name_prefix="kerasrec-run")
        self._queue: deque[_Request] = deque()
        self._parts: deque[_Request] = deque()
        self._part_is_next = False
        self._arrived = asyncio.Event()
        self._collecting = False

    def __len__(self) -> int:
        """The number of waiting requests."""
        return len(self._queue) + len(self._parts)

    def close(self) -> None:
        """Stops the threads after their current batch."""
        self._threads.shutdown(wait=False)

    async def run(
        self, servable: Servable, signature: str, inputs: Mapping[str, Array], timeout: float | None = None
    ) -> Outputs:
        """The outputs of one request, after the wait in the queue.

        Args:
            servable: the version to run.
            signature: name of the signature.
            inputs: arrays that `Servable.check` has accepted.
            timeout: seconds until the request's deadline.

        Raises:
            RequestError: The queue is full, or the deadline passed.
            tf.errors.OpError: The graph rejects the inputs.
        """
        end = None if timeout is None else asyncio.get_running_loop().time() + timeout
        max_rows = max(1, min(max(self.options.max_rows, MIN_PART_ROWS), MAX_PART_IDS // max(1, width(inputs))))
        if n_rows(inputs) <= max_rows:
            return await self._answer(_Request(servable, signature, inputs), end)
        # One part at a time, so that other requests run in between.
        return joined(
            [await self._answer(_Request(servable, signature, p, True), end) for p in parts(inputs, max_rows)]
        )

    async def _answer(self, request: _Request, end: float | None) -> Outputs:
        """The outputs of a request or a part of one, which must be finished at the time `end` of the event loop."""
        queue = self._parts if request.is_part else self._queue
        if not self.free_slots and len(self) >= self.options.max_queue:
            self._on_rejection()
            message = f"the queue is full with {len(self)} requests. Fix: try again later"
            raise RequestError(message, grpc.StatusCode.RESOURCE_EXHAUSTED)
        queue.append(request)
        self._arrived.set()
        self._start_batch()
        deadline = None
        if end is not None:
            loop = asyncio.get_running_loop()
            deadline = loop.call_at(max(end, loop.time()), request.finish, _deadline_exceeded())
        try:
            return await request.outputs
        except BaseException:
            with contextlib.suppress(ValueError):
                queue.remove(request)
            raise
        finally:
            if deadline is not None:
                deadline.cancel()

    def _start_batch(self) -> None:
        """Starts a batch if requests wait and a slot is free. Only one batch at a time collects requests."""
        if len(self) and self.free_slots and not self._collecting:
            self.free_slots -= 1
            self._collecting = True
            task = asyncio.ensure_future(self._run_batch())
            task.add_done_callback(lambda done: done.result())  # reports an error in this class to the event loop

    async def _run_batch(self) -> None:
        """Collects a batch, runs it and returns the results to its requests."""
        results: list[Outputs | BaseException] = []
        try:
            try:
                batch = await self._collect()
            finally:
                self._collecting = False
                self._start_batch()
            if batch:
                results = await asyncio.get_running_loop().run_in_executor(self._threads, self._results, batch)
        finally:
            self.free_slots += 1
            self._start_batch()  # before the results are sent, which takes as long as a run
        for request, result in zip(batch, results, strict=True):
            request.finish(result)

    async def _collect(self) -> list[_Request]:
        """The requests of the next batch, after the wait for more requests; or, in turn, a part of a large request."""
        if self._parts and (self._part_is_next or not self._queue):
            self._part_is_next = False
            return [self._parts.popleft()]
        self._part_is_next = True
        loop = asyncio.get_running_loop()
        end = loop.time() + self.options.timeout
        batch: list[_Request] = []
        batch_rows = batch_width = 0
        while True:
            for request in list(self._queue):
                new_rows, new_width = batch_rows + request.n_rows, max(batch_width, request.width)
                fits = new_rows <= self.options.max_rows and new_rows * new_width <= MAX_MERGED_ELEMENTS
                if not batch or (fits and request.can_join(batch[0])):
                    self._queue.remove(request)
                    batch.append(request)
                    batch_rows, batch_width = new_rows, new_width
            time_left = end - loop.time()
            if time_left <= 0 or batch_rows >= self.options.max_rows:
                return batch
            self._arrived.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), time_left)

    def _results(self, batch: Sequence[_Request]) -> list[Outputs | BaseException]:
        """The outputs or the error of each request; runs in a thread of the pool."""
        pending = [request for request in batch if not request.outputs.done()]
        results = dict(zip(pending, self._run_together(pending), strict=True)) if pending else {}
        return [results.get(request, {}) for request in batch]

    def _run_together(self, batch: Sequence[_Request]) -> list[Outputs | BaseException]:
        first = batch[0]
        inputs = [request.inputs for request in batch]
        try:
            outputs = split(first.servable.run(first.signature, merge(inputs)), inputs, first.servable.top_k)
        except tf.errors.OpError as error:
            if len(batch) == 1:
                return [error]
            # One invalid request must not fail the others.
            return [result for request in batch for result in self._run_together([request])]
        except Exception as error:
            return [error] * len(batch)
        self._on_batch(sum(request.n_rows for request in batch))
        return [*outputs]


def _deadline_exceeded() -> RequestError:
    return RequestError("the deadline passed before the request was run", grpc.StatusCode.DEADLINE_EXCEEDED)
