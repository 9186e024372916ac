"""`fit` with the best epoch by validation kept, which every trained recipe does."""

from __future__ import annotations

import tempfile
from typing import Any

import kerasrec
from kerasrec.callbacks import Checkpoints, EpochBar


def fit_best(model: kerasrec.Recommender, split: kerasrec.Split, epochs: int, monitor: str, **fit: Any) -> None:
    """Trains and leaves the weights of the epoch that was best on validation.

    Args:
        model: compiled.
        split: to train and to choose on.
        epochs: passes over the training rows.
        monitor: `"val_rmse"` (lowest is best) or a ranking metric's (highest is best).
        **fit: as in `keras.Model.fit`.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoints(folder, monitor)
        model.fit(
            split.train,
            epochs=epochs,
            validation_data=split.validation,
            callbacks=[kept, EpochBar()],
            verbose=0,
            **fit,
        )
        kept.restore(model, kept.best_epoch())
