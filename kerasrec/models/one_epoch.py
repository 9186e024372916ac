"""`fit` in one step: what closed-form models and blends have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import keras
from keras import ops

from kerasrec.losses import RowMean
from kerasrec.models.base import Recommender
from kerasrec.models.fit_arguments import as_list
from kerasrec.models.fit_callbacks import set_modes
from kerasrec.types import Tensor


class OneEpoch(Recommender):
    """Base of the models whose `fit` computes all weights at once. Callbacks see it as one epoch of one step."""

    closed_form = True
    default_epochs = 1

    def run_one_epoch(self, step: Callable[[], None], callbacks: Any, validation_data: Any) -> keras.callbacks.History:
        """Computes the weights, validates, and calls the callbacks as Keras' `fit` does.

        Args:
            step: computes and assigns the weights.
            callbacks: as in `fit`.
            validation_data: as in `fit`. A model that was not compiled is compiled for it.
        """
        if validation_data is not None and not self.compiled:
            self.compile()
        set_modes(as_list(callbacks), self.untracked.metrics)
        history = keras.callbacks.History()
        callback_list = keras.callbacks.CallbackList(
            [*as_list(callbacks), history], model=self, epochs=1, steps=1, verbose=0
        )
        callback_list.on_train_begin()
        callback_list.on_epoch_begin(0)
        step()
        logs = {}
        if validation_data is not None:
            held_out, targets, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            result = self.evaluate(held_out, targets, sample_weight=weights, return_dict=True, verbose=0)
            logs = {f"val_{name}": value for name, value in result.items()}
        callback_list.on_epoch_end(0, logs)
        callback_list.on_train_end(logs)
        return history

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """Mean squared error of the held-out (or the input) row, for `evaluate`. It trains nothing."""
        squares = ops.square(self.dense_targets(x if y is None else y) - y_pred)
        rows = ops.mean(squares, axis=1)
        return RowMean()(rows, rows, sample_weight)


def check_names_of_fit(names: Iterable[str]) -> None:
    """Refuses arguments that no `fit` has.

    Raises:
        TypeError: a name is not that of an argument of `Recommender.fit`.
    """
    unknown = sorted(set(names) - set(inspect.signature(Recommender.fit).parameters))
    if unknown:
        raise TypeError(f"`fit` has no argument {unknown[0]!r}. Fix: leave it out")
