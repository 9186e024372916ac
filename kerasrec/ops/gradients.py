"""Gradients written by hand: cheaper than automatic ones, or deterministic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasrec.types import Tensor


def custom_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """`keras.ops.custom_gradient`, with one gradient signature for every backend.

    Args:
        function: maps tensors to `(value, gradient)`. `gradient` maps the loss's gradient by each value to its
            gradients by the tensors.

    Returns:
        A function that maps the tensors to `value`.

    Example:
        >>> import numpy as np
        >>> from kerasrec.ops.gradients import custom_gradient
        >>> halve_gradient = custom_gradient(lambda x: (x, lambda upstream: 0.5 * upstream))
        >>> float(halve_gradient(np.float32(3.0)))
        3.0
    """

    def with_backend_gradient(*tensors: Tensor) -> tuple[Any, Callable[..., Any]]:
        value, gradient = function(*tensors)

        def backend_gradient(*upstreams: Tensor, upstream: Tensor = None) -> Any:
            return gradient(*upstreams) if upstream is None else gradient(upstream)

        return value, backend_gradient

    differentiable: Callable[..., Any] = ops.custom_gradient(with_backend_gradient)
    return differentiable


def duplicate(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a tensor twice, for two uses. The gradients of the two uses are added before all others.

    TensorFlow adds the gradients of three uses in an order that depends on its threads, so two runs with equal seeds
    can end with different weights. The order does not change a sum of two gradients.
    """
    if keras.backend.backend() != "tensorflow":
        return tensor, tensor
    import tensorflow as tf

    @custom_gradient
    def twice(tensor: Tensor) -> tuple[tuple[Tensor, Tensor], Any]:
        copies = tf.identity(tensor), tf.identity(tensor)
        return copies, lambda *upstreams: tf.reduce_sum(tf.stack(upstreams), axis=0)

    copies: tuple[Tensor, Tensor] = twice(tensor)
    return copies
