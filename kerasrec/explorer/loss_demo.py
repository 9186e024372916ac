"""Two small autoencoders that differ in their loss only: the masked one, and one over all entries."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasrec.data import Interactions
from kerasrec.data.ids import lookup
from kerasrec.explorer.rounding import round_for_page
from kerasrec.models import AutoRec
from kerasrec.types import FloatArray, IntArray, Tensor

N_ITEMS = 300
"""How many items the two models read, the most popular ones, so that training takes seconds."""

N_USERS = 1000
"""How many users they are trained on."""

N_ENTRIES = 12
"""How many observed entries are compared."""

N_BINS = 24
"""How many bars the histograms of the predictions have."""


class LossDemo:
    """Trains the two models at the first call of `compare`, which takes seconds.

    Args:
        train: the training table.
    """

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.columns: IntArray = np.sort(np.argsort(-train.item_counts, kind="stable")[:N_ITEMS])
        self._training = threading.Lock()

    def compare(self, columns: IntArray, values: FloatArray) -> dict[str, Any]:
        """What both models predict for one user.

        Args:
            columns: the user's observed columns of the training table.
            values: their values.
        """
        with self._training:
            models = self._models
        included = np.isin(columns, self.columns)
        observed = lookup(self.columns, columns[included])
        row = np.zeros((1, len(self.columns)), np.float32)
        row[0, observed] = values[included]
        unobserved = np.setdiff1d(np.arange(len(self.columns)), observed)
        bounds = (0.0, float(self.train.values.max()) * 1.2)
        predictions = {
            name: np.asarray(ops.convert_to_numpy(model(row, training=False)), np.float32)[0]
            for name, model in models.items()
        }
        return {
            "n_items": len(self.columns),
            "share_observed": round_for_page(self.train.select(np.isin(self.train.items, self.columns)).density),
            "entries": [
                {
                    "column": int(self.columns[place]),
                    "value": float(row[0, place]),
                    **{name: round_for_page(predicted[place]) for name, predicted in predictions.items()},
                }
                for place in observed[:N_ENTRIES].tolist()
            ],
            "means": {
                name: {"observed": _mean(predicted[observed]), "unobserved": _mean(predicted[unobserved])}
                for name, predicted in predictions.items()
            },
            "histograms": {
                name: np.histogram(np.clip(predicted, *bounds), N_BINS, bounds)[0].tolist()
                for name, predicted in predictions.items()
            },
            "bounds": list(bounds),
        }

    @cached_property
    def _models(self) -> dict[str, AutoRec]:
        users = np.sort(np.random.default_rng(0).permutation(self.train.n_users)[:N_USERS])
        table = self.train.take_users(users).with_catalogue(self.train.item_ids[self.columns])
        models = {}
        for name, model_class in (("masked", AutoRec), ("plain", _AllEntriesAutoRec)):
            model = model_class(len(self.columns), hidden_dims=(64,), reg=0.001, seed=1, name=f"{name}_demo")
            model.compile(keras.optimizers.Adam(0.01))
            model.fit(table, epochs=30, batch_size=250, verbose=0)
            models[name] = model
        return models


class _AllEntriesAutoRec(AutoRec):
    """AutoRec with 0 as the target of each entry that was not observed."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        errors = ops.square(self.dense_inputs(x) - y_pred)
        return ops.mean(ops.sum(errors, axis=1)) + self.regularization_losses()


def _mean(values: FloatArray) -> float | None:
    return round_for_page(values.mean()) if len(values) else None
