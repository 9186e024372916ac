"""Requests of several clients answered in one run of the graph."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from kerasrec.serving.servable import Refused, Servable
from kerasrec.types import Array

MAX_MERGED = 1024 * 1024
"""The most entries of a merged input: one very long history must not make all the others as long."""


@dataclass(frozen=True)
class Batching:
    """How requests are answered together.

    Args:
        max_rows: the most users in one run of the graph; 1 answers each request alone.
        timeout: seconds that a batch may wait for more requests. At 0 none waits, and what arrives
            while the graph is busy goes into the next run.
        max_queue: requests that may wait; the next one is refused with RESOURCE_EXHAUSTED.
        parallel: runs of the graph at a time; one for each processor where absent.

    Raises:
        ValueError: a number is out of range.
    """

    max_rows: int = 64
    timeout: float = 0.0
    max_queue: int = 256
    parallel: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("max_rows", 1), ("timeout", 0), ("max_queue", 0), ("parallel", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` must be at least {least}, not {value}")


@dataclass(eq=False)
class _Request:
    servable: Servable
    signature: str
    inputs: Mapping[str, Array]
    deadline: float
    alive: Callable[[], bool]
    woken: threading.Event = field(default_factory=threading.Event)
    batch: list[_Request] | None = None  # what this one's thread is to run
    answer: dict[str, Array] | None = None
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        return max(map(len, self.inputs.values()), default=0)

    @property
    def width(self) -> int:
        return max((array.shape[1] for array in self.inputs.values() if array.ndim > 1), default=1)

    def goes_with(self, other: _Request) -> bool:
        return self.servable is other.servable and self.signature == other.signature


class Batcher:
    """Runs requests, in the order in which they came, several at a time.

    There are no threads of its own: a request that finds a free place runs at once in the thread
    that brought it, and whoever has run hands the place to the first that waits, with as many of
    the others as go into one batch. So a single client pays nothing for it.
    """

    def __init__(self, options: Batching, ran: Callable[[int], None] = lambda rows: None) -> None:
        self.options = options
        self._ran = ran
        self._lock = threading.Condition()
        self._waiting: deque[_Request] = deque()
        self._free = options.parallel or os.cpu_count() or 1
        self._filling = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def answer(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        timeout: float | None = None,
        alive: Callable[[], bool] = lambda: True,
    ) -> dict[str, Array]:
        """The answer to one request, once its turn has come.

        Args:
            servable: the version that is asked.
            signature: its signature.
            inputs: arrays, already checked.
            timeout: seconds until nobody wants the answer any more.
            alive: whether somebody still does.

        Raises:
            Refused: too many wait already, or the time is up.
            tf.errors.OpError: the graph refused the inputs.
        """
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        request = _Request(servable, signature, inputs, deadline, alive)
        with self._lock:
            if not self._free and len(self._waiting) >= self.options.max_queue:
                message = f"{len(self._waiting)} requests wait already: ask again later"
                raise Refused(message, grpc.StatusCode.RESOURCE_EXHAUSTED)
            self._waiting.append(request)
            if self._filling:
                self._lock.notify_all()
            else:
                self._wake()
        request.woken.wait(timeout)
        with self._lock:
            late = not request.woken.is_set()
            if late and request in self._waiting:
                self._waiting.remove(request)
        if late:
            raise _too_late()
        if request.batch is not None:
            self._lead(request.batch)
        if request.error is not None:
            raise request.error
        return request.answer or {}

    def _wake(self) -> None:
        """Gives free places to those that wait longest. Holds the lock."""
        while self._free and self._waiting:
            first = self._waiting.popleft()
            self._free -= 1
            first.batch = [first]
            first.woken.set()

    def _lead(self, batch: list[_Request]) -> None:
        """Runs a batch in the thread of its first request."""
        with self._lock:
            self._filling += 1
            self._fill(batch)
            self._filling -= 1
            self._wake()  # who came meanwhile and did not fit
        try:
            self._run(batch)
        finally:
            with self._lock:
                self._free += 1
                self._wake()

    def _fill(self, batch: list[_Request]) -> None:
        """Takes from the queue, and waits for, what goes into the batch. Holds the lock."""
        rows, width = batch[0].rows, batch[0].width
        until = time.monotonic() + self.options.timeout
        while rows < self.options.max_rows:
            for request in list(self._waiting):
                merged = (rows + request.rows) * max(width, request.width)
                fits = rows + request.rows <= self.options.max_rows and merged <= MAX_MERGED
                if request.goes_with(batch[0]) and fits:
                    self._waiting.remove(request)
                    batch.append(request)
                    rows, width = rows + request.rows, max(width, request.width)
            left = until - time.monotonic()
            if left <= 0 or rows >= self.options.max_rows:
                return
            self._lock.wait(left)

    def _run(self, batch: list[_Request]) -> None:
        wanted = [r for r in batch if r.alive() and time.monotonic() <= r.deadline]
        try:
            for request in batch:
                if request not in wanted:
                    request.error = _too_late()
            if wanted:
                self._answer_together(wanted)
        except BaseException as error:
            for request in batch:
                request.error = error
            raise
        finally:
            for request in batch:
                request.woken.set()

    def _answer_together(self, batch: list[_Request]) -> None:
        first = batch[0]
        try:
            answers = split(first.servable.run(first.signature, merge([r.inputs for r in batch])), batch)
            self._ran(sum(r.rows for r in batch))
        except tf.errors.OpError as error:
            if len(batch) > 1:  # the others must not pay for what one of them asks
                for request in batch:
                    self._answer_together([request])
            else:
                first.error = error
            return
        for request, answer in zip(batch, answers, strict=True):
            request.answer = answer


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
    return [np.pad(a, [(0, 0), (0, width - a.shape[1])], constant_values=blank) for a in arrays]


def split(answer: Mapping[str, Array], batch: Sequence[_Request]) -> list[dict[str, Array]]:
    """What each request would have got alone: its rows, as wide as its own largest k."""
    answers, start = [], 0
    for request in batch:
        rows = slice(start, start + request.rows)
        start = rows.stop
        own = {name: array[rows] for name, array in answer.items()}
        if "k" in request.inputs and len(batch) > 1:
            k = int(request.inputs["k"].max(initial=1))
            own = {name: array[:, :k] for name, array in own.items()}
        answers.append(own)
    return answers


def _too_late() -> Refused:
    return Refused("the deadline passed before the request's turn came", grpc.StatusCode.DEADLINE_EXCEEDED)
