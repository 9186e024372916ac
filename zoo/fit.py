"""`fit` that restores the best epoch on validation data, for all recipes that train by epochs."""

from __future__ import annotations

import tempfile
from typing import Any

import kerasrec
from kerasrec.callbacks import Checkpoints, EpochBar


def fit_best(
    model: kerasrec.Recommender, split: kerasrec.Split, epochs: int, monitor: str, callbacks: Any = (), **fit: Any
) -> None:
    """Trains a model and restores the weights of its best epoch on validation data.

    Args:
        model: a compiled model.
        split: training and validation data.
        epochs: passes over the training rows.
        monitor: `"val_rmse"` (lowest is best) or the name of a ranking metric (highest is best).
        callbacks: further callbacks.
        **fit: arguments of `keras.Model.fit`.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(folder, monitor)
        model.fit(
            split.train,
            epochs=epochs,
            validation_data=split.validation,
            callbacks=[checkpoints, *callbacks, EpochBar()],
            verbose=0,
            **fit,
        )
        checkpoints.restore(model, checkpoints.best_epoch())
