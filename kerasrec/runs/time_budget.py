"""Keeps the training of a model within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerasrec.data import Interactions
from kerasrec.models.closed_form import ClosedForm

FIRST_SIZE = 2000
"""Items of the smaller of the two catalogues by which the time of a closed-form model is estimated."""

SLOW = 5.0
"""Seconds for the smaller catalogue above which the larger one is not solved, but estimated by `time_exponent`."""

MIN_EPOCHS = 5
"""A model that has time for fewer epochs is skipped: its result would not be representative."""


OnEpoch = Callable[[int, int, dict[str, float]], None]


class TooSlowError(Exception):
    """Raised if a model does not fit into its share of the time.

    Attributes:
        seconds: estimated seconds of the training.
        planned: planned number of epochs; 0 for a closed-form model.
        epochs: number of epochs that fit; 0 if the model is to be skipped.
    """

    def __init__(self, seconds: float, planned: int = 0, epochs: int = 0) -> None:
        super().__init__(f"needs about {as_minutes(seconds)}" + (f" for {planned} epochs" if planned else ""))
        self.seconds = seconds
        self.planned = planned
        self.epochs = epochs


class TimeBudget(keras.callbacks.Callback):
    """Ends training at a deadline, and before that if the planned epochs will not fit.

    The batches of the first epoch show whether the model is far too slow. Its second epoch shows the time of an epoch,
    because the first one includes the compilation of training and validation.

    Args:
        share: seconds that the training may take.
        deadline: time by `time.monotonic` at which training ends in any case.
        on_epoch: called with the number of the epoch, the number of epochs, and the logs.

    Raises:
        TooSlowError: in the first two epochs, the planned epochs do not fit into `share`.
    """

    def __init__(self, share: float, deadline: float, on_epoch: OnEpoch) -> None:
        super().__init__()
        self.share = share
        self.deadline = deadline
        self.on_epoch = on_epoch
        self.validation_seconds = 0.0
        self.reached = False
        self._start = self._first_batch = self._epoch_start = self._test_start = 0.0
        self._n_epochs = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._start = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = time.monotonic()
        # After the last epoch, validation and test rows are evaluated, and the run is stored.
        if now > self.deadline - 3 * self.validation_seconds - 2.0:
            self.reached = self.model.stop_training = True
        if batch == 0:
            self._first_batch = now  # the first batch includes the compilation
        elif self._n_epochs == 0 and batch >= 3 and now - self._first_batch > 2.0:
            epoch_seconds = (now - self._first_batch) / batch * self.params["steps"]
            if self._first_batch - self._start + epoch_seconds * MIN_EPOCHS > self.share:
                raise TooSlowError(epoch_seconds * self.params["epochs"], self.params["epochs"])

    def on_test_begin(self, logs: Any = None) -> None:
        self._test_start = time.monotonic()

    def on_test_end(self, logs: Any = None) -> None:
        self.validation_seconds = time.monotonic() - self._test_start

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._n_epochs += 1
        if self._n_epochs == 2:
            self._check_share(self.params["epochs"])
        self.on_epoch(epoch + 1, self.params["epochs"], dict(logs or {}))

    def _check_share(self, planned: int) -> None:
        """Raises an error after the second epoch if the planned epochs do not fit."""
        now = time.monotonic()
        seconds, used = now - self._epoch_start, now - self._start
        compilation = used - 2 * seconds
        if used + (planned - 2) * seconds > self.share:
            affordable = int((self.share - used - compilation) / seconds)  # a second training compiles again
            raise TooSlowError(seconds * planned, planned, affordable if affordable >= MIN_EPOCHS else 0)


def closed_form_seconds(model_class: type[ClosedForm], table: Interactions, arguments: dict[str, Any]) -> float:
    """Estimated seconds to solve a closed-form model once.

    The model is solved for the 2,000 and the 4,000 most popular items. The growth between the two, at most with the
    model's `time_exponent`, is extrapolated to the catalogue: up to the number of users, which is the size of EASE's
    inverse if there are more items, and at most with the square of the items beyond it. A model whose time is linear is
    solved for 500 users and items. 0 for a catalogue of at most 4,000 items.
    """
    if table.n_items <= 2 * FIRST_SIZE:
        return 0.0
    order = np.argsort(-table.item_counts, kind="stable")

    def growth(size: int, exponent: float) -> float:
        rank = max(size, min(table.n_items, table.n_users))
        return (rank / size) ** exponent * (table.n_items / rank) ** min(exponent, 2.0)

    def popular(size: int) -> Interactions:
        return table.with_catalogue(table.item_ids[np.sort(order[:size])])

    def seconds_for(reduced: Interactions) -> float:
        model = model_class.for_interactions(reduced, **arguments)
        start = time.perf_counter()
        model.fit(reduced, verbose=0)
        return time.perf_counter() - start

    few = popular(FIRST_SIZE // 4)
    if model_class.time_exponent == 1:
        few = few.take_users(range(min(FIRST_SIZE // 4, few.n_users)))
        rows = (table.n_users + table.n_items) / (few.n_users + few.n_items)
        return rows * min(seconds_for(few) for _ in range(2))  # the first time, it starts threads
    seconds_for(few)  # starts threads
    first = seconds_for(popular(FIRST_SIZE))
    if first > SLOW:
        return first * growth(FIRST_SIZE, model_class.time_exponent)
    second = seconds_for(popular(2 * FIRST_SIZE))
    # Small matrices are dominated by what grows more slowly than the inverse.
    exponent = float(np.clip(np.log2(second / first) + 0.3, 1.0, model_class.time_exponent))
    return second * growth(2 * FIRST_SIZE, exponent)


def as_minutes(seconds: float) -> str:
    """A duration as text: `40 s`, `12 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
