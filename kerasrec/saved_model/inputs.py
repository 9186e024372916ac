"""The inputs of a request in the graph: their checks, serialised examples, and the conversion to histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kerasrec.types import Batch, Tensor

ID_LISTS = ("history", "exclude", "candidates")
"""Inputs of item ids, `(batch, length)`, in which each row starts with padding."""


def checked(inputs: Mapping[str, Tensor], n_items: int, padding: Any) -> dict[str, Tensor]:
    """The inputs of a request, which no operation can read before they have been checked.

    The error of any other operation would not name the input.

    When TF Serving merges requests of different lengths, it appends copies of the first element of a request to all
    rows of this request. If each row starts with padding, that element is padding, whatever requests are merged.

    Args:
        inputs: input → tensor.
        n_items: size of the catalogue.
        padding: "" or -1.
    """
    first = "history" if "history" in inputs else "user_id"
    n_rows = tf.shape(inputs[first])[0]
    checks = [
        tf.Assert(tf.shape(tensor)[0] == n_rows, [f"`{name}` must have as many rows as `{first}`"])
        for name, tensor in inputs.items()
        if name != first
    ]
    for name in inputs.keys() & set(ID_LISTS):
        starts_with_padding = tf.reduce_all(inputs[name][:, :1] == padding) & (tf.shape(inputs[name])[1] > 0)
        message = (
            f"each row of `{name}` must start with padding ({padding or 'an empty string'}), so that no server can "
            "change it when it merges requests. Fix: insert it before the items, or use the signature `examples`"
        )
        checks.append(tf.Assert(starts_with_padding, [message]))
    if "ratings" in inputs:
        same_shape = tf.reduce_all(tf.shape(inputs["ratings"]) == tf.shape(inputs["history"]))
        checks.append(tf.Assert(same_shape, ["`ratings` must have the shape of `history`"]))
        is_finite = tf.reduce_all(tf.math.is_finite(inputs["ratings"]))
        checks.append(tf.Assert(is_finite, ["`ratings` must be finite numbers"]))
    if "k" in inputs:
        in_range = tf.reduce_all((inputs["k"] >= 1) & (inputs["k"] <= n_items))
        message = f"`k` must be between 1 and {n_items:,}, the number of items, not"
        checks.append(tf.Assert(in_range, [message, inputs["k"]]))
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


def parse_examples(
    examples: Tensor, specs: Mapping[str, tf.TensorSpec], defaults: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The inputs in serialised `tf.train.Example` messages, one for each row.

    Args:
        examples: `(batch,)` strings.
        specs: the inputs. All features are optional; a missing list is empty.
        defaults: value of each missing feature without a list, and the padding of each list.

    Returns:
        Input → tensor. The rows of a list start with padding.
    """
    features: dict[str, Any] = {}
    for name, spec in specs.items():
        if spec.shape.rank == 1:
            dtype = tf.int64 if spec.dtype.is_integer else spec.dtype  # an example has no other integers
            features[name] = tf.io.FixedLenFeature((), dtype, defaults[name])
        else:
            features[name] = tf.io.RaggedFeature(spec.dtype, row_splits_dtype=tf.int64)
    parsed = tf.io.parse_example(examples, features)
    checks = []
    if "ratings" in specs:
        same_length = tf.reduce_all(parsed["ratings"].row_lengths() == parsed["history"].row_lengths())
        checks.append(tf.Assert(same_length, ["`ratings` must have as many values as `history`"]))
    with tf.control_dependencies(checks):
        return {
            name: _padded_in_front(tensor, defaults[name]) if specs[name].shape.rank == 2 else tf.identity(tensor)
            for name, tensor in parsed.items()
        }


def _padded_in_front(rows: tf.RaggedTensor, padding: Any) -> Tensor:
    dense = rows.to_tensor(padding)
    return tf.concat([tf.fill((tf.shape(dense)[0], 1), tf.constant(padding, dense.dtype)), dense], axis=1)


def unique_items(ids: Tensor, ratings: Tensor | None) -> Batch:
    """Removes unknown items and repetitions from histories, and moves the padding behind the items.

    An item that occurs twice keeps its last rating. Without ratings it keeps its first place.

    Args:
        ids: `(batch, length)` positions in the catalogue, -1 for unknown items and padding.
        ratings: `(batch, length)`, or None.

    Returns:
        The batch format of training.
    """
    order = tf.argsort(ids, axis=1, stable=True)
    ascending = tf.gather(ids, order, batch_dims=1)
    changes, edge = ascending[:, 1:] != ascending[:, :-1], tf.ones_like(ids[:, :1], tf.bool)
    is_chosen = tf.concat([edge, changes] if ratings is None else [changes, edge], axis=1)
    length = tf.shape(ids)[1]
    # Places of the chosen entries in the request, ascending, then `length` as padding.
    chosen = tf.sort(tf.where(is_chosen & (ascending >= 0), order, length), axis=1)

    def take(entries: Tensor, padding: Any) -> Tensor:
        return tf.gather(tf.pad(entries, [[0, 0], [0, 1]], constant_values=padding), chosen, batch_dims=1)

    return {"ids": take(ids, -1)} if ratings is None else {"ids": take(ids, -1), "values": take(ratings, 0.0)}
