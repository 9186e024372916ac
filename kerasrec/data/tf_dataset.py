"""Batches as a `tf.data.Dataset`: the input format of Keras on the TensorFlow backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from kerasrec.data.interactions import Interactions
from kerasrec.types import Array

if TYPE_CHECKING:
    from kerasrec.data.batches import Batches


def tf_dataset(batches: Batches) -> tf.data.Dataset:
    """Returns a dataset of the same batches, which another thread prepares ahead of the model.

    On TensorFlow, Keras fixes the shapes of a PyDataset from its first two batches, and a later
    batch of another length fails. The dataset declares lengths of `None`.
    """
    x = {**_row_spec(batches.inputs), "row": tf.TensorSpec((None,), tf.int32)}
    spec = (x,) if batches.targets is None else (x, _row_spec(batches.targets))
    flat_spec = tf.nest.flatten(spec)

    def arrays_of(index: Any) -> list[Array]:
        batch = batches[index]
        if index == len(batches) - 1:
            batches.on_epoch_end()  # Keras calls it for a PyDataset only
        return list(tf.nest.flatten(batch))

    def tensors_of(index: Any) -> Any:
        tensors = tf.numpy_function(arrays_of, [index], [component.dtype for component in flat_spec])
        for tensor, component in zip(tensors, flat_spec, strict=True):
            tensor.set_shape(component.shape)
        return tf.nest.pack_sequence_as(spec, tensors)

    # Keras restarts the dataset for each epoch. A dataset of a generator that tf.data's optimizer rewrites each time
    # takes four times as long to start: as long as a training step on MovieLens 1M.
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(tensors_of).prefetch(2).with_options(options)


def _row_spec(table: Interactions) -> dict[str, tf.TensorSpec]:
    spec = {"ids": tf.TensorSpec((None, None), tf.int32)}
    if not table.is_binary:
        spec["values"] = tf.TensorSpec((None, None), tf.float32)
    return spec
