"""Callbacks of `Recommender.fit`: the order of the rows, and the direction of metrics."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.data.batches import Batches
from kerasrec.data.splits import HeldOut


class EpochOrder(keras.callbacks.Callback):
    """Sets the epoch of the batches, so that a resumed run draws the same orders as an uninterrupted one."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch


class CandidateValidation(keras.callbacks.Callback):
    """Validates on a held-out part with `candidates`, and adds the results to the logs of the epoch.

    The validation of Keras sees batches only, which do not contain the candidates.
    """

    def __init__(self, held_out: HeldOut, frequency: int, batch_size: int | None) -> None:
        super().__init__()
        self.held_out = held_out
        self.frequency = frequency
        self.batch_size = batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None and (epoch + 1) % self.frequency == 0:
            result = self.model.evaluate(self.held_out, batch_size=self.batch_size, return_dict=True)
            logs.update({f"val_{name}": value for name, value in result.items()})


def set_modes(callbacks: list[Any], metrics: list[Any]) -> None:
    """Sets the mode of Keras' callbacks that monitor one of the metrics, for example `EarlyStopping("val_rmse")`.

    With mode `"auto"` they search for the metric among Keras' own containers only.
    """
    modes = {"up": "max", "down": "min", None: "auto"}
    directions = {metric.name: getattr(metric, "_direction", None) for metric in metrics}
    for callback in callbacks:
        if getattr(callback, "mode", None) == "auto":
            callback.mode = modes[directions.get(callback.monitor.removeprefix("val_"))]
