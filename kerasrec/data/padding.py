"""Rows of a table as padded lists of column ids: on the host with numpy, or in the memory of a GPU with JAX."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.types import Array, IntArray


def padded_rows(table: Interactions, rows: IntArray) -> dict[str, Array]:
    """Returns `{"ids", "values"}` of the given rows, padded with -1 and 0 to a common length.

    If every value of the table is 1, there are no `"values"`.
    """
    indptr, items, values = table.entries_of(rows)
    counts = np.diff(indptr)
    length = padded_length(int(counts.max(initial=0)))
    # Flat position of each entry in the padded array: the start of its row, plus its place in the row.
    padded = np.arange(len(items)) + np.repeat(np.arange(len(rows)) * length - indptr[:-1], counts)
    ids = np.full(len(rows) * length, -1, np.int32)
    ids[padded] = items
    batch: dict[str, Array] = {"ids": ids.reshape(-1, length)}
    if values is not None:
        padded_values = np.zeros(len(rows) * length, np.float32)
        padded_values[padded] = values
        batch["values"] = padded_values.reshape(-1, length)
    return batch


class DeviceTable(NamedTuple):
    """The arrays of a table in JAX's memory, for `padded_rows_on_device`.

    Attributes:
        starts: `(n_users,)` int32, position of the first entry of each row.
        counts: `(n_users,)` int32, number of entries of each row.
        items: `(n,)` int32, column of each entry.
        values: `(n,)` float32, or `None` if every value is 1.
    """

    starts: Any
    counts: Any
    items: Any
    values: Any

    @classmethod
    def from_table(cls, table: Interactions) -> DeviceTable:
        """Copies a table to the device."""
        import jax.numpy as jnp

        values = None if table.is_binary else jnp.asarray(table.values, "float32")
        starts, counts = jnp.asarray(table.indptr[:-1], "int32"), jnp.asarray(table.counts, "int32")
        return cls(starts, counts, jnp.asarray(table.items), values)


def padded_rows_on_device(table: Interactions, rows: IntArray, copy: DeviceTable) -> dict[str, Any]:
    """Returns what `padded_rows` returns, from a copy of the table on the device.

    Only the row numbers are transferred; a padded batch can have 100 MB.
    """
    import jax.numpy as jnp

    if not len(table):
        return padded_rows(table, rows)
    length = padded_length(int(table.counts[rows].max(initial=0)))
    device_rows = jnp.asarray(rows, "int32")
    places = jnp.arange(length, dtype="int32")
    observed = places < copy.counts[device_rows][:, None]  # (n_rows, length)
    positions = jnp.where(observed, copy.starts[device_rows][:, None] + places, 0)
    batch = {"ids": jnp.where(observed, copy.items[positions], -1).astype("int32")}
    if copy.values is not None:
        batch["values"] = jnp.where(observed, copy.values[positions], 0.0)
    return batch


def padded_length(length: int) -> int:
    """Rounds `length` up to one of few lengths, since some work is repeated for every new shape.

    XLA compiles each shape, so the lengths are 16, 24, 32, 48, 64, 96, … TensorFlow without XLA
    does not compile, but caches data for each shape: 16, 18, 20, …, 32, 36, …, 64, 72, …
    """
    power = 16
    while power < length:
        power *= 2
    step = power // (16 if keras.backend.backend() == "tensorflow" else 4)
    return max(16, -(-length // step) * step)
