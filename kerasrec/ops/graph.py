"""Compiled functions for batches of any shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def compile_for_any_shape(model: keras.Model) -> Callable[[Any], Any]:
    """`model.predict_on_batch`, but on TensorFlow with one graph for batches of any shape.

    Keras traces each of the first few shapes anew, which takes longer than ranking thousands of users.

    Args:
        model: a built model.

    Returns:
        A function of a batch (an array, or nested dicts, lists and tuples of arrays) that returns the model's outputs
        as numpy arrays. On TensorFlow it traces once for each combination of structure, ranks and dtypes.
    """
    if keras.backend.backend() != "tensorflow":
        predict_on_batch: Callable[[Any], Any] = model.predict_on_batch
        return predict_on_batch
    import tensorflow as tf

    graphs: dict[str, Any] = {}

    def predict(batch: Any) -> Any:
        signature = tf.nest.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), batch)
        key = str(signature)
        if key not in graphs:
            graphs[key] = tf.function(model, input_signature=[signature])
        return tf.nest.map_structure(np.asarray, graphs[key](batch))

    return predict
