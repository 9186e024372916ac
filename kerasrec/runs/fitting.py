"""Trains the model of a run from its last checkpoint to its last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from kerasrec.callbacks import Checkpoints
from kerasrec.data import Split
from kerasrec.models import Recommender
from kerasrec.models.model_settings import ModelSettings


def fit(
    model: Recommender,
    settings: ModelSettings,
    split: Split,
    checkpoints: Checkpoints,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    first_callbacks: Sequence[keras.callbacks.Callback] = (),
    shuffle: bool | str = True,
) -> None:
    """Trains a model on the training part of a split until the last epoch, or until its results stop improving.

    Args:
        model: the compiled model, with the weights of the last checkpoint.
        settings: the settings of its training.
        split: the split.
        checkpoints: where each epoch is stored, and the epochs so far.
        callbacks: further callbacks, which receive the logs after the checkpoint is written.
        first_callbacks: callbacks that add to the logs.
        shuffle: as in `Recommender.fit`.
    """
    early_stop = _EarlyStop(checkpoints, settings.patience)
    epochs_done = int(checkpoints.history[-1]["epoch"]) if checkpoints.history else 0
    if epochs_done >= settings.epochs or early_stop.is_due():
        return
    model.fit(
        split.train,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        initial_epoch=epochs_done,
        validation_data=split.validation,
        callbacks=[*first_callbacks, checkpoints, early_stop, *callbacks],
        shuffle=shuffle,
        verbose=0,
    )


def checkpoints_for(model: Recommender, folder: Path, monitor: str | None = None) -> Checkpoints:
    """The checkpoints of a run; see `Checkpoints`. Those of a closed-form model store nothing."""
    return (_NoCheckpoints if model.closed_form else Checkpoints)(folder, monitor)


class _NoCheckpoints(Checkpoints):
    """Stores nothing: a model that is solved in one step is solved again, to the same weights, if it is interrupted."""

    def restore(self, model: keras.Model, epoch: int | None = None) -> int:
        return 0

    def _write(self, epoch: int) -> None:
        pass


class _EarlyStop(keras.callbacks.Callback):
    """Ends training `patience` epochs after the best one. Its state is that of the checkpoints, so it can resume."""

    def __init__(self, checkpoints: Checkpoints, patience: int | None) -> None:
        super().__init__()
        self.checkpoints = checkpoints
        self.patience = patience

    def is_due(self) -> bool:
        """Whether the last epoch is too far from the best one."""
        history = self.checkpoints.history
        if self.patience is None or not history:
            return False
        return int(history[-1]["epoch"]) - self.checkpoints.best_epoch() >= self.patience

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = self.model.stop_training or self.is_due()
