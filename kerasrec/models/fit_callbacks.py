"""Callbacks of `Recommender.fit`: the order of the rows, and the direction of metrics."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.data.batches import Batches


class EpochOrder(keras.callbacks.Callback):
    """Sets the epoch of the batches, so that a resumed run draws the same orders as an uninterrupted one."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch


def set_modes(callbacks: list[Any], metrics: list[Any]) -> None:
    """Sets the mode of Keras' callbacks that monitor one of the metrics, for example `EarlyStopping("val_rmse")`.

    With mode `"auto"` they search for the metric among Keras' own containers only.
    """
    modes = {"up": "max", "down": "min", None: "auto"}
    directions = {metric.name: getattr(metric, "_direction", None) for metric in metrics}
    for callback in callbacks:
        if getattr(callback, "mode", None) == "auto":
            callback.mode = modes[directions.get(callback.monitor.removeprefix("val_"))]
