"""Models that are solved instead of trained: one pass over the data, then linear algebra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from kerasrec.data.interactions import Interactions
from kerasrec.models.base import Recommender, as_list, refuse_split
from kerasrec.types import Batch, FloatArray, Tensor


class ClosedForm(Recommender):
    """Base of the models whose weights follow from the data in one step.

    `fit` takes what any model's `fit` takes and ignores what has no meaning here (epochs, batch
    size, optimizer). A subclass gives `build`, which makes one weight, `solve`, which says what it
    is, and `call`.
    """

    default_epochs = 1

    def solve(self, rows: sp.csr_array, progress: tqdm) -> FloatArray:
        """The weight, from the binary matrix of likes.

        Args:
            rows: float32 `(n_users, n_items)`.
            progress: a bar of 100 steps, to be moved with `update`.

        Returns:
            float32, of the weight's shape.
        """
        raise NotImplementedError

    def check_memory(self) -> None:
        """Refuses what this machine has no memory for.

        Raises:
            MemoryError: it is so.
        """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Solves for the weights; see `Recommender.fit` for the arguments.

        Returns:
            A Keras `History` of one epoch.
        """
        refuse_split(x)
        if isinstance(x, Interactions):
            self.batches(x)  # refuses a table with another number of columns
            rows = x.likes().matrix
        else:
            rows = _stack(x, self.n_columns)
        self.check_memory()
        looks = {"bar_format": "{l_bar}{bar}| {elapsed}{postfix}", "delay": 2, "leave": False}
        with tqdm(total=100, desc=f"solving {self.name}", disable=verbose == 0, **looks) as bar:
            solution = self.solve(rows, bar)
        if not self.built:  # not before: the weight is as large as what was needed to solve for it
            self.build()
        (weight,) = self.weights
        assign_without_copy(solution, weight)
        history = keras.callbacks.History()
        calls = keras.callbacks.CallbackList([*as_list(callbacks), history], model=self, epochs=1, verbose=0)
        calls.on_train_begin()
        calls.on_epoch_begin(0)
        logs = {}
        if validation_data is not None:
            if not self.compiled:
                self.compile()
            result = self.evaluate(validation_data, return_dict=True, verbose=0)
            logs = {f"val_{name}": value for name, value in result.items()}
        calls.on_epoch_end(0, logs)
        calls.on_train_end(logs)
        return history

    def check_fitted(self) -> None:
        if not self.built:  # Keras would build it, and zeros look like an answer
            raise ValueError(f"this {type(self).__name__} has learned nothing yet: call `fit` first, or load it")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.check_fitted()
        return super().__call__(*args, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """Mean squared error of the held-out (or the given) row, for `evaluate`; nothing is trained by it."""
        return keras.ops.mean(keras.ops.square(self.dense_targets(x if y is None else y) - y_pred))


def assign_without_copy(array: FloatArray, variable: keras.Variable) -> None:
    """Assigns `array`, not to be used again; without a copy on TensorFlow, which would make two on the way."""
    if keras.backend.backend() == "tensorflow" and array.ctypes.data % 64 == 0:  # elsewhere TensorFlow would crash
        import tensorflow as tf

        variable.assign(tf.experimental.dlpack.from_dlpack(array.__dlpack__()))
    else:
        variable.assign(array)


def _stack(batches: Any, n_columns: int) -> sp.csr_array:
    """The likes in batches, dense or of padded ids, as one sparse matrix."""
    if isinstance(batches, (np.ndarray, Mapping)):
        batches = [batches]
    if isinstance(batches, keras.utils.PyDataset):
        made = batches
        batches = (made[i] for i in range(len(made)))
    parts = []
    for batch in batches:
        rows: Batch | Tensor = batch[0] if isinstance(batch, tuple) else batch
        if not hasattr(rows, "keys"):
            parts.append(sp.csr_array((np.asarray(rows) != 0).astype(np.float32)))
            if parts[-1].shape[1] != n_columns:
                raise ValueError(f"rows of {parts[-1].shape[1]} columns were given, {n_columns} are due")
            continue
        ids = np.asarray(rows["ids"])
        observed = ids >= 0
        indptr = np.concatenate([[0], np.cumsum(observed.sum(1))])
        ones = np.ones(indptr[-1], np.float32)
        parts.append(sp.csr_array((ones, ids[observed], indptr), shape=(len(ids), n_columns)))
    return sp.vstack(parts, format="csr")
