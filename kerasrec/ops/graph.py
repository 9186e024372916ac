"""Compiled functions for batches of any shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


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
    return compile_function(model)


def compile_function(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Compiles a function on TensorFlow, once for each combination of structure, ranks and dtypes of its input.

    Args:
        function: takes and returns tensors, or nested dicts, lists and tuples of them.

    Returns:
        The function of numpy arrays, which returns numpy arrays. Other backends run it without compiling it.

    Example:
        >>> import numpy as np
        >>> from keras import ops
        >>> from kerasrec.ops.graph import compile_function
        >>> row_sums = compile_function(lambda x: ops.sum(x, axis=1))
        >>> row_sums(np.ones((2, 3), np.float32)).tolist(), row_sums(np.ones((1, 5), np.float32)).tolist()
        ([3.0, 3.0], [5.0])
    """
    if keras.backend.backend() != "tensorflow":
        return lambda inputs: keras.tree.map_structure(ops.convert_to_numpy, function(inputs))
    import tensorflow as tf

    graphs: dict[str, Any] = {}

    def compiled(inputs: Any) -> Any:
        signature = tf.nest.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), inputs)
        key = str(signature)
        if key not in graphs:
            graphs[key] = tf.function(function, autograph=False).get_concrete_function(signature)
        return tf.nest.map_structure(np.asarray, graphs[key](inputs))

    return compiled
