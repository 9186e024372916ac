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

from kerasrec.data.csr import positions_of_rows
from kerasrec.data.interactions import Interactions
from kerasrec.ops.hardware import has_gpu
from kerasrec.types import Array, IntArray
from kerasrec.validation import as_int_at_least


class Batches(keras.utils.PyDataset):
    """Batches of `inputs`, with the rows of `targets` beside them where given.

    The order of epoch `e` is a function of `(seed, e)` alone, so that a run that was interrupted
    and resumed at epoch `e` sees the batches that an undisturbed one would have seen. With `steps`, an
    epoch is so many batches, and goes on in the pass over all rows, of `n_batches`, where the epoch before it ended.
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
        steps: int | None = None,
    ) -> None:
        super().__init__()
        if targets is not None and targets.shape != inputs.shape:
            raise ValueError(
                f"`targets` has shape {targets.shape}, `inputs` {inputs.shape}: they must have the same rows"
            )
        self.inputs = inputs.in_time_order()
        self.targets = None if targets is None else targets.in_time_order()
        self.batch_size = as_int_at_least(1, batch_size=batch_size)
        self.n_batches = -(-inputs.n_users // self.batch_size)
        self.steps = self.n_batches if steps is None else as_int_at_least(1, steps_per_epoch=steps)
        self.shuffle = shuffle
        self.seed = seed
        self.by_length = by_length
        self.epoch = 0
        self.rows = np.arange(inputs.n_users) if rows is None else np.asarray(rows)
        self._drawn: tuple[int, IntArray] | None = None
        self._on_device: list[tuple[Any, ...]] | None = None

    def __len__(self) -> int:
        return self.steps

    def order(self, number: int) -> IntArray:
        """The order of the rows in a pass over them."""
        if self._drawn is None or self._drawn[0] != number:
            self._drawn = number, self._draw(number)
        return self._drawn[1]

    def _draw(self, number: int) -> IntArray:
        n = self.inputs.n_users
        if not self.shuffle:
            return np.arange(n)
        rng = np.random.default_rng((self.seed, number))
        if not self.by_length:
            return rng.permutation(n)
        # Not quite sorted, so that each epoch brings other rows together.
        order = np.argsort(self.inputs.counts * rng.uniform(1.0, 1.25, n))
        full = n - n % self.batch_size
        shuffled = rng.permutation(order[:full].reshape(-1, self.batch_size))
        return np.concatenate([shuffled.ravel(), order[full:]])

    def __getitem__(self, index: int) -> Any:
        number, place = divmod(self.epoch * self.steps + index, self.n_batches)
        return self.batch(self.order(number)[place * self.batch_size : (place + 1) * self.batch_size])

    def batch(self, rows: IntArray) -> Any:
        """The batch of the given rows: `(x,)`, or `(x, y)` where there are targets."""
        tables = [self.inputs] if self.targets is None else [self.inputs, self.targets]
        if keras.backend.backend() == "jax" and has_gpu():
            self._on_device = self._on_device or [to_device(table) for table in tables]
            x, *y = (pad_on_device(table, rows, held) for table, held in zip(tables, self._on_device, strict=True))
        else:
            x, *y = (pad(table, rows) for table in tables)
        x["row"] = self.rows[rows].astype(np.int32)
        return (x, *y)

    def on_epoch_end(self) -> None:
        """Moves on to the next order (Keras calls this)."""
        self.epoch += 1

    def as_tf_dataset(self) -> Any:
        """The same batches as a `tf.data.Dataset`, built ahead of the model in another thread.

        Keras fixes the shapes of a PyDataset from its first two batches on this backend, which no
        later batch of another length would fit, so lengths are declared as `None` here.
        """
        import tensorflow as tf

        def spec(table: Interactions) -> dict[str, Any]:
            fields = {"ids": tf.TensorSpec((None, None), tf.int32)}
            if not table.is_binary:
                fields["values"] = tf.TensorSpec((None, None), tf.float32)
            return fields

        x = {**spec(self.inputs), "row": tf.TensorSpec((None,), tf.int32)}
        signature = (x,) if self.targets is None else (x, spec(self.targets))
        parts = tf.nest.flatten(signature)

        def arrays_of(index: Any) -> list[Array]:
            batch = self[index]
            if index == len(self) - 1:
                self.on_epoch_end()  # Keras calls that of a PyDataset only
            return list(tf.nest.flatten(batch))

        def element(index: Any) -> Any:
            arrays = tf.numpy_function(arrays_of, [index], [part.dtype for part in parts])
            for array, part in zip(arrays, parts, strict=True):
                array.set_shape(part.shape)
            return tf.nest.pack_sequence_as(signature, arrays)

        # Keras starts the dataset anew each epoch. One of a generator, rewritten by tf.data's optimizer each time,
        # takes four times as long to start, as long as a step on MovieLens 1M.
        options = tf.data.Options()
        options.experimental_optimization.apply_default_optimizations = False
        options.autotune.enabled = False
        return tf.data.Dataset.range(len(self)).map(element).prefetch(2).with_options(options)


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
    return for_backend(Batches(inputs, targets, batch_size, shuffle, seed, rows))


def for_backend(made: Batches) -> Any:
    """The batches as the active backend wants them."""
    return made.as_tf_dataset() if keras.backend.backend() == "tensorflow" else made


def pad(table: Interactions, rows: IntArray) -> dict[str, Array]:
    """`{"ids", "values"}` of the given rows, padded with -1 and 0 to a common length."""
    positions, indptr = positions_of_rows(table.indptr, rows)
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


def to_device(table: Interactions) -> tuple[Any, ...]:
    """What `pad_on_device` reads: where rows start, how long they are, their ids and their values, in JAX's memory."""
    import jax.numpy as jnp

    values = None if table.is_binary else jnp.asarray(table.values, "float32")
    return jnp.asarray(table.indptr[:-1], "int32"), jnp.asarray(table.counts, "int32"), jnp.asarray(table.items), values


def pad_on_device(table: Interactions, rows: IntArray, held: tuple[Any, ...]) -> dict[str, Any]:
    """As `pad`, from what a GPU already holds: row numbers are all that travels, where a batch may be 100 MB."""
    import jax.numpy as jnp

    if not len(table):
        return pad(table, rows)
    starts, counts, items, values = held
    width = bucket(int(table.counts[rows].max(initial=0)))
    asked = jnp.asarray(rows, "int32")
    place = jnp.arange(width, dtype="int32")
    known = place < counts[asked][:, None]
    at = jnp.where(known, starts[asked][:, None] + place, 0)
    batch = {"ids": jnp.where(known, items[at], -1).astype("int32")}
    if values is not None:
        batch["values"] = jnp.where(known, values[at], 0.0)
    return batch


def bucket(length: int) -> int:
    """`length` rounded up to one of few lengths.

    XLA compiles each shape anew: 16, 24, 32, 48, 64, 96, … TensorFlow without it does not, but keeps what it learned
    of the shapes it met: 16, 18, 20, …, 32, 36, …, 64, 72, …
    """
    size = 16
    while size < length:
        size *= 2
    step = size // (16 if keras.backend.backend() == "tensorflow" else 4)
    return max(16, -(-length // step) * step)
