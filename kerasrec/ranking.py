"""From scores to ranked lists: masks, top-K, and what a list hit. All of it in float32."""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import ops

from kerasrec.types import Tensor

NOTHING = float("-inf")
"""The score of an item that must not be recommended. Any finite number can lose to a low logit."""


class Ranking(NamedTuple):
    """The best `k` of each row, best first, held against what was held out.

    Attributes:
        items: int32 `(batch, k)`, the columns.
        hits: float32 `(batch, k)`, 1 where that column was held out.
        relevant: float32 `(batch,)`, how many columns were held out in all.
    """

    items: Tensor
    hits: Tensor
    relevant: Tensor


def lists_entries() -> bool:
    """Whether entries can be listed without their padding, faster: on TensorFlow, but not under XLA nor on a GPU.

    The longest row of a batch is often ten times the mean, and padding costs as much as entries do.
    XLA and JAX want shapes that do not depend on the data.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not in_xla() and not tf.config.list_logical_devices("GPU")


def in_xla() -> bool:
    """Whether TensorFlow is tracing for XLA, which wants shapes that do not depend on the data."""
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return not tf.executing_eagerly() and GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def listed(ids: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The entries of padded rows without their padding; where `lists_entries()` only.

    Args:
        ids: int32 `(batch, length)`, -1 for padding.
        values: `(batch, length)`.

    Returns:
        int32 `(n, 2)`, the row and the column of each entry, and their values `(n,)`.
    """
    import tensorflow as tf

    at = tf.where(ids >= 0)
    return tf.stack([tf.cast(at[:, 0], tf.int32), tf.gather_nd(ids, at)], axis=1), tf.gather_nd(values, at)


def flat(ids: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The entries of padded rows one after the other; without their padding where `lists_entries()`.

    Args:
        ids: int32 `(batch, length)`, -1 for padding.
        values: `(batch, length)`, 0 for padding.

    Returns:
        The row, int32, the column, int32, and the value of each entry, `(n,)` each; padding, where
        it is left in, stands in column 0 with value 0.
    """
    if lists_entries():
        index, values = listed(ids, values)
        return index[:, 0], index[:, 1], values
    n_rows, length = ops.shape(ids)
    rows = ops.repeat(ops.arange(n_rows, dtype="int32"), length)
    return rows, ops.maximum(ops.reshape(ids, (-1,)), 0), ops.reshape(values, (-1,))


def scatter_rows(ids: Tensor, values: Tensor, n_columns: int, fill: float) -> Tensor:
    """Dense rows `(batch, n_columns)` that hold `values` at `ids` and `fill` elsewhere.

    Args:
        ids: int `(batch, length)`, -1 for padding. An id that stands twice in a row keeps one of
            its values; an id of `n_columns` or more is an error on TensorFlow's CPU.
        values: float32, broadcastable to `ids`.
        n_columns: width of the result.
        fill: value of all other entries.
    """
    ids = ops.cast(ids, "int32")  # MirroredStrategy averages its first batch and so hands out floats
    values = ops.broadcast_to(ops.cast(values, "float32"), ops.shape(ids))
    if lists_entries():
        index, values = listed(ids, values)
        return ops.scatter_update(ops.full((ops.shape(ids)[0], n_columns), fill, dtype="float32"), index, values)
    # Padding lands in one more column, dropped below; ids beyond the catalogue fall outside even that.
    ids = ops.where(ids < 0, n_columns, ids + ops.cast(ids >= n_columns, "int32"))
    rows = ops.broadcast_to(ops.expand_dims(ops.arange(ops.shape(ids)[0], dtype="int32"), 1), ops.shape(ids))
    index = ops.reshape(ops.stack([rows, ids], axis=-1), (-1, 2))
    dense = ops.full((ops.shape(ids)[0], n_columns + 1), fill, dtype="float32")
    return ops.scatter_update(dense, index, ops.reshape(values, (-1,)))[:, :n_columns]


def exclude(scores: Tensor, ids: Tensor) -> Tensor:
    """`scores` `(batch, n)` with -inf at `ids` `(batch, length)` (-1 for padding)."""
    scores = ops.cast(scores, "float32")
    if lists_entries():  # a third of the passes over (batch, n)
        index, values = listed(ops.cast(ids, "int32"), ops.full(ops.shape(ids), NOTHING, dtype="float32"))
        return ops.scatter_update(scores, index, values)
    return scores + scatter_rows(ids, NOTHING, scores.shape[-1], 0.0)


def top_k(scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The best `k` columns of each row and their scores, best first.

    Returns:
        Columns int32 `(batch, k)`, -1 where only excluded ones are left, and scores float32.
    """
    scores = ops.cast(scores, "float32")
    # A model that diverged must not look good: NaN would be ranked by the number of its column.
    scores = ops.where(ops.isnan(scores), NOTHING, scores)
    best, columns = ops.top_k(scores, k, sorted=True)
    columns = ops.cast(columns, "int32")
    return ops.where(best == NOTHING, -1, columns), best


def rank(scores: Tensor, relevance: Tensor, k: int) -> Ranking:
    """Ranks each row of `scores` `(batch, n)` and marks the hits.

    Args:
        scores: what to rank by, -inf for what must not be recommended.
        relevance: `(batch, n)`, above 0 where the column was held out.
        k: length of the list, at most `n` of which can be filled.
    """
    relevance = ops.cast(ops.cast(relevance, "float32") > 0, "float32")
    items, best = top_k(scores, min(k, scores.shape[-1]))
    hits = ops.take_along_axis(relevance, ops.maximum(items, 0), axis=-1)
    hits = ops.where(best == NOTHING, 0.0, hits)
    short = k - items.shape[-1]
    if short > 0:
        items = ops.pad(items, [[0, 0], [0, short]], constant_values=-1)
        hits = ops.pad(hits, [[0, 0], [0, short]])
    return Ranking(items, hits, ops.sum(relevance, axis=-1))
