"""Adam's updates in TensorFlow: one pass over a weight, or only over the rows that have a gradient."""

from __future__ import annotations

from typing import Any

import keras

from kerasrec.ops.hardware import in_xla
from kerasrec.types import Tensor


def has_fused_adam() -> bool:
    """Whether `fused_adam` can be used: on TensorFlow, outside a distribution strategy.

    Under a strategy each variable stands for several, which TensorFlow's operation does not support.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy()


def fused_adam(
    weight: Any,
    first_moment: Any,
    second_moment: Any,
    gradient: Tensor,
    step: Tensor,
    learning_rate: Tensor,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Updates a weight and its moments in place, in one pass; see `kerasrec.optimizers.Adam` for the formula.

    Args:
        weight: a Keras or TensorFlow variable.
        first_moment: m, likewise.
        second_moment: v, likewise.
        gradient: of the weight's shape; `tf.IndexedSlices` are converted to it.
        step: t, 1 for the first update.
        learning_rate: a scalar.
        beta_1: β1.
        beta_2: β2.
        epsilon: ε.
    """
    import tensorflow as tf

    weight, first_moment, second_moment = map(_tensorflow_variable, (weight, first_moment, second_moment))
    dtype = weight.dtype
    step = tf.cast(step, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=first_moment.handle,
        v=second_moment.handle,
        beta1_power=tf.pow(tf.cast(beta_1, dtype), step),
        beta2_power=tf.pow(tf.cast(beta_2, dtype), step),
        lr=tf.cast(learning_rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=tf.convert_to_tensor(tf.cast(gradient, dtype)),
    )


def rows_of_gradient(gradient: Tensor) -> tuple[Tensor | None, Tensor]:
    """The rows of a weight that have a gradient, and the gradient of these.

    Args:
        gradient: a tensor of the weight's shape, or `tf.IndexedSlices` of its rows, in which a row may occur twice.

    Returns:
        `(rows, gradient)` with `rows` int32 or int64 `(n,)`, each once, and `gradient` `(n, …)`, sums over the slices
        of a row. If the gradient covers all rows, or on another backend, under XLA or a distribution strategy:
        `(None, gradient)` with a tensor of the weight's shape.
    """
    if keras.backend.backend() != "tensorflow":
        return None, gradient
    import tensorflow as tf

    if not isinstance(gradient, tf.IndexedSlices) or in_xla() or tf.distribute.has_strategy():
        return None, tf.convert_to_tensor(gradient)
    rows, slots = tf.unique(gradient.indices)
    return rows, tf.math.unsorted_segment_sum(gradient.values, slots, tf.size(rows))


def read_rows(variable: Any, rows: Tensor) -> Tensor:
    """`variable[rows]` `(n, …)`; reads only these rows."""
    import tensorflow as tf

    return tf.gather(_tensorflow_variable(variable), rows)


def write_rows(variable: Any, rows: Tensor, values: Tensor) -> None:
    """`variable[rows] = values` `(n, …)`; writes only these rows."""
    import tensorflow as tf

    tf.raw_ops.ResourceScatterUpdate(resource=_tensorflow_variable(variable).handle, indices=rows, updates=values)


def _tensorflow_variable(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable
