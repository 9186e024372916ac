"""Python lists of a client as the arrays that a signature expects, and its outputs as text or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasrec.types import Array

PADDING: Mapping[Any, Any] = {tf.string: "", tf.int64: -1, tf.float32: 0.0}

_KINDS = {tf.string: ("U", "strings"), tf.int64: ("iu", "integers"), tf.float32: ("iuf", "numbers")}
"""Numpy kinds that can be converted to a type, and their name in error messages."""


def padded_rows(rows: Sequence[Sequence[Any]], dtype: Any, argument: str) -> Array:
    """The rows as one array, padded at the front with at least one element.

    When TF Serving merges requests of different lengths, it pads each with the first element of its
    tensor. That element must be padding: anything else would add an item to other histories.

    Raises:
        ValueError: A row is not a list, or it has elements of another type.
    """
    for row in rows:
        if isinstance(row, str) or not hasattr(row, "__len__"):
            raise ValueError(f"expected a list for each user in `{argument}`, got {row!r}")
    width = 1 + max(map(len, rows), default=0)
    padded = np.full((len(rows), width), PADDING[dtype], dtype.as_numpy_dtype)
    for padded_row, row in zip(padded, rows, strict=True):
        padded_row[width - len(row) :] = one_dimensional(row, dtype, argument)
    return padded


def one_dimensional(values: Sequence[Any], dtype: Any, argument: str) -> Array:
    """The values as an array of one dimension.

    Raises:
        ValueError: The values have another type or more dimensions.
    """
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.array(array.tolist())
    kinds, name = _KINDS[dtype]
    if len(array) and (array.dtype.kind not in kinds or array.ndim != 1):
        raise ValueError(f"expected {name} in `{argument}`, as in the training data, got {values[0]!r}")
    return array.astype(dtype.as_numpy_dtype)


def decoded(array: Array) -> Array:
    """Bytes as strings; numbers unchanged."""
    return np.char.decode(array.astype(np.bytes_), "utf-8") if array.dtype == np.object_ else array
