"""The one batch format: rows of the interaction matrix as padded lists of column ids.

    {"ids":    int32   (batch, length)  columns of the observed entries, in time order, padded with -1
     "values": float32 (batch, length)  their values; absent where every value is 1
     "row":    int32   (batch,)}        the row's own index among the training rows, -1 for a stranger

Training, validation, evaluation and the served signature all use it, so a model sees the same
thing everywhere. Dense rows would be 40 MB a batch (500 × 20,108), and `value != 0` cannot tell a
rating of 0 from no rating: the ids say what was observed.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasrec.data.interactions import Interactions, flat_rows
from kerasrec.types import Array, IntArray


class Batches(keras.utils.PyDataset):
    """Batches of `inputs`, with the rows of `targets` beside them where given.

    The order of epoch `e` is a function of `(seed, e)` alone, so that a run that was interrupted
    and resumed at epoch `e` sees the batches that an undisturbed one would have seen.
    """

    def __init__(
        self,
        inputs: Interactions,
        targets: Interactions | None = None,
        batch_size: int = 500,
        shuffle: bool = False,
        seed: int = 0,
        rows: IntArray | None = None,
        by_length: bool = False,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1, not {batch_size}")
        if targets is not None and targets.shape != inputs.shape:
            raise ValueError(
                f"`targets` has shape {targets.shape}, `inputs` {inputs.shape}: they must have the same rows"
            )
        self.inputs = inputs.in_time_order()
        self.targets = None if targets is None else targets.in_time_order()
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.by_length = by_length
        self.epoch = 0
        self.rows = np.arange(inputs.n_users) if rows is None else np.asarray(rows)

    def __len__(self) -> int:
        return -(-self.inputs.n_users // self.batch_size)

    def order(self) -> IntArray:
        """The order of the rows in the current epoch."""
        n = self.inputs.n_users
        if not self.shuffle:
            return np.arange(n)
        rng = np.random.default_rng((self.seed, self.epoch))
        if not self.by_length:
            return rng.permutation(n)
        # Not quite sorted, so that each epoch brings other rows together.
        order = np.argsort(self.inputs.counts * rng.uniform(1.0, 1.25, n))
        whole = n - n % self.batch_size
        shuffled = rng.permutation(order[:whole].reshape(-1, self.batch_size))
        return np.concatenate([shuffled.ravel(), order[whole:]])

    def __getitem__(self, index: int) -> Any:
        return self.batch(self.order()[index * self.batch_size : (index + 1) * self.batch_size])

    def batch(self, rows: IntArray) -> Any:
        """The batch of the given rows: `(x,)`, or `(x, y)` where there are targets."""
        x = pad(self.inputs, rows)
        x["row"] = self.rows[rows].astype(np.int32)
        return (x,) if self.targets is None else (x, pad(self.targets, rows))

    def on_epoch_end(self) -> None:
        """Moves on to the next order (Keras calls this)."""
        self.epoch += 1

    def as_tf_dataset(self) -> Any:
        """The same batches as a `tf.data.Dataset`, built ahead of the model in another thread.

        Keras fixes the shapes of a PyDataset from its first two batches on this backend, which no
        later batch of another length would fit, so lengths are declared as `None` here.
        """
        import tensorflow as tf

        def one_epoch() -> Any:
            order = self.order()
            for start in range(0, len(order), self.batch_size):
                yield self.batch(order[start : start + self.batch_size])
            self.on_epoch_end()  # Keras calls that of a PyDataset only

        def spec(table: Interactions) -> dict[str, Any]:
            fields = {"ids": tf.TensorSpec((None, None), tf.int32)}
            if not table.is_binary:
                fields["values"] = tf.TensorSpec((None, None), tf.float32)
            return fields

        x = {**spec(self.inputs), "row": tf.TensorSpec((None,), tf.int32)}
        signature = (x,) if self.targets is None else (x, spec(self.targets))
        dataset = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)


def batches(
    inputs: Interactions,
    targets: Interactions | None = None,
    batch_size: int = 500,
    shuffle: bool = False,
    seed: int = 0,
    rows: IntArray | None = None,
) -> Any:
    """Batches that `fit`, `evaluate` and `predict` of any model take.

    Args:
        inputs: the rows to feed.
        targets: rows to compare with (held-out items or ratings), row by row beside `inputs`.
        batch_size: rows a batch.
        shuffle: whether to draw a new order of the rows each epoch.
        seed: seeds that order.
        rows: `(n_users,)` each row's index among the training rows, -1 for a stranger: `"row"`,
            which only models with a weight per user read. 0, 1, 2, … where absent.

    Returns:
        A `tf.data.Dataset` on the TensorFlow backend, a `keras.utils.PyDataset` elsewhere, whose
        elements are `(x,)` or `(x, y)` in the batch format of this module.
    """
    made = Batches(inputs, targets, batch_size, shuffle, seed, rows)
    return made.as_tf_dataset() if keras.backend.backend() == "tensorflow" else made


def pad(table: Interactions, rows: IntArray) -> dict[str, Array]:
    """`{"ids", "values"}` of the given rows, padded with -1 and 0 to a common length."""
    positions, indptr = flat_rows(table.indptr, rows)
    counts = np.diff(indptr)
    width = bucket(int(counts.max(initial=0)))
    # The flat position of each entry in the padded array: its row's start, then its place in the row.
    at = np.arange(len(positions)) + np.repeat(np.arange(len(rows)) * width - indptr[:-1], counts)
    ids = np.full(len(rows) * width, -1, np.int32)
    ids[at] = table.items[positions]
    batch: dict[str, Array] = {"ids": ids.reshape(-1, width)}
    if not table.is_binary:
        values = np.zeros(len(rows) * width, np.float32)
        values[at] = table.values[positions]
        batch["values"] = values.reshape(-1, width)
    return batch


def bucket(length: int) -> int:
    """`length` rounded up to one of few lengths (16, 24, 32, 48, 64, 96, …): XLA compiles each shape anew."""
    size = 16
    while size < length:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size
