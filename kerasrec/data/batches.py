"""The batch format: rows of the interaction matrix as padded lists of column ids.

    {"ids":    int32   (batch, length)  columns of the observed entries, in time order, padded with -1
     "values": float32 (batch, length)  their values; absent if every value is 1
     "row":    int32   (batch,)}        index of the row among the training rows, -1 for an unknown user

Training, validation, evaluation and the served signature share it, so there is no training-serving
skew. The alternatives are worse: dense rows have 40 MB in a batch of 500 × 20,108, and in them
`value != 0` does not distinguish a rating of 0 from a missing rating.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.data.padding import DeviceTable, padded_rows, padded_rows_on_device
from kerasrec.data.row_order import order_by_shards, random_order
from kerasrec.ops.hardware import has_gpu
from kerasrec.types import IntArray
from kerasrec.validation import as_int_at_least

SHARDS = "shards"
"""The value of `shuffle` for the order of `order_by_shards`."""


class Batches(keras.utils.PyDataset):
    """Batches of the rows of `inputs`, with the same rows of `targets`, if there are any.

    The order of a pass over the rows depends only on `seed` and on the number of the pass. A run
    that is interrupted and resumed therefore receives the same batches as an uninterrupted one.

    Args:
        inputs: the rows that a model receives.
        targets: the rows to compare with, parallel to `inputs`.
        batch_size: number of rows in a batch.
        shuffle: whether each pass over the rows has another order. `"shards"` shuffles shards of consecutive rows, and
            rows within a window of shards, so that a folder that is larger than the memory is read in long runs.
        seed: seed of that order.
        rows: `(n_users,)` index of each row among the training rows, -1 for an unknown user. If
            omitted, 0, 1, 2, …
        by_length: whether rows of similar lengths share a batch, which needs less padding.
        steps: number of batches in an epoch. An epoch continues the pass over all rows where the
            previous epoch ended. If omitted, an epoch is one pass.

    Raises:
        ValueError: `inputs` and `targets` differ in shape, `batch_size` or `steps` is below 1, or `shuffle` is
            unknown.
    """

    def __init__(
        self,
        inputs: Interactions,
        targets: Interactions | None = None,
        batch_size: int = 500,
        shuffle: bool | str = False,
        seed: int = 0,
        rows: IntArray | None = None,
        by_length: bool = False,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        if targets is not None and targets.shape != inputs.shape:
            raise ValueError(
                f"expected `targets` of shape {inputs.shape}, as `inputs` has, got {targets.shape}. "
                "Fix: pass tables of the same rows and items"
            )
        if isinstance(shuffle, str) and shuffle != SHARDS:
            raise ValueError(
                f"expected `shuffle` to be True, False or {SHARDS!r}, got {shuffle!r}. Fix: pass one of them"
            )
        self.inputs = inputs.in_time_order(with_times=False)
        self.targets = None if targets is None else targets.in_time_order(with_times=False)
        self.batch_size = as_int_at_least(1, batch_size=batch_size)
        self.n_batches = -(-inputs.n_users // self.batch_size)
        self.steps = self.n_batches if steps is None else as_int_at_least(1, steps_per_epoch=steps)
        self.shuffle = shuffle
        self.seed = seed
        self.by_length = by_length
        self.epoch = 0
        self.rows = np.arange(inputs.n_users) if rows is None else np.asarray(rows)
        self._cached_order: tuple[int, IntArray] | None = None
        self._device_tables: list[DeviceTable] | None = None

    def __len__(self) -> int:
        return self.steps

    def order(self, pass_number: int) -> IntArray:
        """Returns the order `(n_users,)` of the rows in a pass over them."""
        if self._cached_order is None or self._cached_order[0] != pass_number:
            self._cached_order = pass_number, self._draw_order(pass_number)
        return self._cached_order[1]

    def _draw_order(self, pass_number: int) -> IntArray:
        n = self.inputs.n_users
        if not self.shuffle:
            return np.arange(n)
        rng = np.random.default_rng((self.seed, pass_number))
        if self.shuffle == SHARDS:
            return order_by_shards(rng, self.inputs.indptr, self.batch_size, self.by_length)
        return random_order(rng, self.inputs.counts, self.batch_size, self.by_length)

    def __getitem__(self, index: int) -> Any:
        return self.batch(self.rows_of(index))

    def rows_of(self, index: int) -> IntArray:
        """Returns the rows of a batch of the present epoch."""
        pass_number, number = divmod(self.epoch * self.steps + index, self.n_batches)
        return self.order(pass_number)[number * self.batch_size : (number + 1) * self.batch_size]

    def batch(self, rows: IntArray) -> Any:
        """Returns the batch of the given rows: `(x,)`, or `(x, y)` if there are targets."""
        tables = [self.inputs] if self.targets is None else [self.inputs, self.targets]
        if keras.backend.backend() == "jax" and has_gpu():
            self._device_tables = self._device_tables or [DeviceTable.from_table(table) for table in tables]
            copies = zip(tables, self._device_tables, strict=True)
            x, *y = (padded_rows_on_device(table, rows, copy) for table, copy in copies)
        else:
            x, *y = (padded_rows(table, rows) for table in tables)
        x["row"] = self.rows[rows].astype(np.int32)
        return (x, *y)

    def on_epoch_end(self) -> None:
        """Starts the next epoch. Keras calls it."""
        self.epoch += 1


def batches(
    inputs: Interactions,
    targets: Interactions | None = None,
    batch_size: int = 500,
    shuffle: bool | str = False,
    seed: int = 0,
    rows: IntArray | None = None,
) -> Any:
    """Returns batches for `fit`, `evaluate` and `predict` of any model.

    Args:
        inputs: the rows that the model receives.
        targets: the rows to compare with (held-out items or ratings), parallel to `inputs`.
        batch_size: number of rows in a batch.
        shuffle: whether each epoch has another order of the rows; `"shards"` for an order that reads a packed folder in
            long runs.
        seed: seed of that order.
        rows: `(n_users,)` index of each row among the training rows, -1 for an unknown user. It is
            the `"row"` of the batch, which only models with per-user weights read. If omitted, 0, 1, 2, …

    Returns:
        A `tf.data.Dataset` on the TensorFlow backend, otherwise a `keras.utils.PyDataset`. Its
        elements are `(x,)` or `(x, y)` in the batch format of this module.
    """
    return for_backend(Batches(inputs, targets, batch_size, shuffle, seed, rows))


def for_backend(dataset: Batches, weighted: bool = False) -> Any:
    """Returns the batches in the input format of the active backend.

    Args:
        dataset: the batches.
        weighted: whether sample weights exclude the empty rows with which `keras.distribution` needs the last batch
            to be padded.
    """
    if keras.backend.backend() != "tensorflow":
        from kerasrec.data.distributed import even_batches  # it imports this module

        return dataset if keras.distribution.distribution() is None else even_batches(dataset, weighted)
    from kerasrec.data.tf_dataset import tf_dataset  # the other backends do not need TensorFlow

    return tf_dataset(dataset)
