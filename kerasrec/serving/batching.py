"""Requests of several clients answered in one run of the graph."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from kerasrec.serving.servable import RequestError, Servable
from kerasrec.types import Array
from kerasrec.validation import check_at_least

MAX_MERGED = 1024 * 1024
"""The most entries of a merged input: one very long history must not make all the others as long."""

Answer = dict[str, Array]


@dataclass(frozen=True)
class Batching:
    """How requests are answered together.

    Args:
        max_rows: the most users in one run of the graph; 1 answers each request alone.
        timeout: seconds that a batch may wait for more requests. At 0 none waits, and what arrives
            while the graph is busy goes into the next run.
        max_queue: requests that may wait; the next one is refused with RESOURCE_EXHAUSTED.
        parallel: runs of the graph at a time; where absent half as many as processors, as a batch takes several,
            or as many where `max_rows` is 1.

    Raises:
        ValueError: a number is out of range.
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
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def rows(self) -> int:
        return max(map(len, self.inputs.values()), default=0)

    @property
    def width(self) -> int:
        return max((array.shape[1] for array in self.inputs.values() if array.ndim > 1), default=1)

    def goes_with(self, other: _Request) -> bool:
        return self.servable is other.servable and self.signature == other.signature

    def end(self, answer: Answer | BaseException) -> None:
        if self.answer.done():  # nobody waits for it any more
            return
        if isinstance(answer, BaseException):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Batcher:
    """Runs requests in the order in which they came, as many together as fit, a few batches at a time.

    Everything but the runs themselves happens in one event loop, so that there is nothing to lock,
    and a batch of any size wakes it once.
    """

    def __init__(self, options: Batching, ran: Callable[[int], None] = lambda rows: None) -> None:
        self.options = options
        processors = os.cpu_count() or 1
        self.free = options.parallel or max(1, processors if options.max_rows == 1 else processors // 2)
        self._ran = ran
        self._runs = ThreadPoolExecutor(self.free, thread_name_prefix="kerasrec-run")
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._filling = False

    def __len__(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        """Lets the threads of the runs end."""
        self._runs.shutdown(wait=False)

    async def answer(
        self, servable: Servable, signature: str, inputs: Mapping[str, Array], timeout: float | None = None
    ) -> Answer:
        """The answer to one request, once its turn has come.

        Args:
            servable: the version that is asked.
            signature: its signature.
            inputs: arrays, already checked.
            timeout: seconds until nobody wants the answer any more.

        Raises:
            RequestError: too many wait already, or the time is up.
            tf.errors.OpError: the graph refused the inputs.
        """
        if not self.free and len(self._waiting) >= self.options.max_queue:
            message = f"{len(self._waiting)} requests wait already: ask again later"
            raise RequestError(message, grpc.StatusCode.RESOURCE_EXHAUSTED)
        request = _Request(servable, signature, inputs)
        self._waiting.append(request)
        self._arrived.set()
        self._begin()
        late = None
        if timeout is not None:
            late = asyncio.get_running_loop().call_later(max(timeout, 0), request.end, _too_late())
        try:
            return await request.answer
        except BaseException:
            with contextlib.suppress(ValueError):
                self._waiting.remove(request)
            raise
        finally:
            if late is not None:
                late.cancel()

    def _begin(self) -> None:
        """Starts a batch where something waits and there is a place; one batch is filled at a time."""
        if self._waiting and self.free and not self._filling:
            self.free -= 1
            self._filling = True
            task = asyncio.ensure_future(self._lead())
            task.add_done_callback(lambda done: done.result())  # an error of ours must not pass in silence

    async def _lead(self) -> None:
        """Fills a batch, runs it and hands out its answers."""
        answers: list[Answer | BaseException] = []
        try:
            try:
                batch = await self._filled()
            finally:
                self._filling = False
                self._begin()
            if batch:
                answers = await asyncio.get_running_loop().run_in_executor(self._runs, self._run, batch)
        finally:
            self.free += 1
            self._begin()  # before the answers are sent, which takes as long as a run
        for request, answer in zip(batch, answers, strict=True):
            request.end(answer)

    async def _filled(self) -> list[_Request]:
        """What goes into the next batch, after a wait for more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.options.timeout
        batch: list[_Request] = []
        rows = width = 0
        while True:
            for request in list(self._waiting):
                more, wide = rows + request.rows, max(width, request.width)
                fits = more <= self.options.max_rows and more * wide <= MAX_MERGED
                if not batch or (fits and request.goes_with(batch[0])):
                    self._waiting.remove(request)
                    batch.append(request)
                    rows, width = more, wide
            left = until - loop.time()
            if left <= 0 or rows >= self.options.max_rows:
                return batch
            self._arrived.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)

    def _run(self, batch: Sequence[_Request]) -> list[Answer | BaseException]:
        """The answer to each request, or what it was refused for. In a thread of its own."""
        wanted = [request for request in batch if not request.answer.done()]
        answers = dict(zip(wanted, self._answers(wanted), strict=True)) if wanted else {}
        return [answers.get(request, {}) for request in batch]

    def _answers(self, batch: Sequence[_Request]) -> list[Answer | BaseException]:
        first = batch[0]
        inputs = [request.inputs for request in batch]
        try:
            answers = split(first.servable.run(first.signature, merge(inputs)), inputs)
        except tf.errors.OpError as error:
            if len(batch) == 1:
                return [error]
            # The others must not pay for what one of them asks.
            return [answer for request in batch for answer in self._answers([request])]
        except Exception as error:
            return [error] * len(batch)
        self._ran(sum(request.rows for request in batch))
        return [*answers]


def merge(requests: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The inputs of several requests as those of one; rows of different lengths are padded behind."""
    if len(requests) == 1:
        return dict(requests[0])
    return {name: np.concatenate(_as_wide([inputs[name] for inputs in requests])) for name in requests[0]}


def _as_wide(arrays: list[Array]) -> list[Array]:
    if arrays[0].ndim < 2:
        return arrays
    width = max(array.shape[1] for array in arrays)
    blank: Any = {"O": b"", "i": -1}.get(arrays[0].dtype.kind, 0)
    return [
        a if a.shape[1] == width else np.pad(a, [(0, 0), (0, width - a.shape[1])], constant_values=blank)
        for a in arrays
    ]


def split(answer: Answer, requests: Sequence[Mapping[str, Array]]) -> list[Answer]:
    """What each request would have got alone: its rows, as wide as its own largest k."""
    if len(requests) == 1:
        return [answer]
    answers, start = [], 0
    for inputs in requests:
        rows = slice(start, start + max(map(len, inputs.values()), default=0))
        start = rows.stop
        columns = slice(int(inputs["k"].max(initial=1)) if "k" in inputs else None)
        answers.append(
            {name: array[rows, columns] if array.ndim > 1 else array[rows] for name, array in answer.items()}
        )
    return answers


def _too_late() -> RequestError:
    return RequestError("the deadline passed before the request's turn came", grpc.StatusCode.DEADLINE_EXCEEDED)
