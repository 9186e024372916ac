"""The optimizer of most models."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.ops.adam import fused_adam, has_fused_adam, read_rows, rows_of_gradient, write_rows
from kerasrec.types import Tensor


@public
class Adam(keras.optimizers.Adam):
    """Adam: the results and the state of `keras.optimizers.Adam`, in one pass over each weight on TensorFlow.

    m = β1 m + (1 - β1) g,   v = β2 v + (1 - β2) g²,   w -= rate · √(1 - β2ᵗ) / (1 - β1ᵗ) · m / (√v + ε)

    Keras' implementation makes about ten passes. For a catalogue of 20,000 items and 600 hidden units these take longer
    than the rest of a training step's optimizer work together with its loss.

    Args:
        learning_rate: a number or a schedule (default 0.001).
        lazy: if true, an update skips each row of a weight (each number of a vector) whose gradient is all 0: its
            weights, m and v stay the same, which plain Adam would change. On TensorFlow the update costs only the rows
            of the gradient if that is `tf.IndexedSlices`. Also known as LazyAdam and SparseAdam.
        row_wise: if true, v has one number for each row of a weight, the mean of the row's g². The state of the
            optimizer is then half as large. Requires `lazy`.
        **kwargs: as in `keras.optimizers.Adam`.

    Raises:
        ValueError: `row_wise` is set without `lazy`, or `lazy` is combined with `amsgrad`, `weight_decay` or `use_ema`,
            which change all weights in every update.

    Example:
        >>> from kerasrec import MultVAE
        >>> from kerasrec.optimizers import Adam
        >>> MultVAE(n_items=50).compile(Adam(5e-4))

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
    """

    def __init__(self, learning_rate: Any = 1e-3, lazy: bool = False, row_wise: bool = False, **kwargs: Any) -> None:
        super().__init__(learning_rate, **{"name": "adam", **kwargs})
        for name in ("amsgrad", "weight_decay", "use_ema"):
            if lazy and kwargs.get(name):
                raise ValueError(
                    f"`lazy`: expected False with `{name}`, which changes every weight in every update, got True. "
                    "Fix: remove one of them"
                )
        if row_wise and not lazy:
            raise ValueError("`row_wise`: expected False without `lazy`, got True. Fix: `lazy=True`")
        self.lazy = lazy
        self.row_wise = row_wise

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> Any:
        """A variable of the state, of the shape of a weight or, for v of a row-wise optimizer, one number per row."""
        shape = reference_variable.shape
        if not (self.row_wise and name == "velocity" and len(shape) > 1):
            return super().add_variable_from_reference(reference_variable, name, initializer)
        name = f"{reference_variable.path.replace('/', '_')}_{name}"
        return self.add_variable(
            (shape[0],) + (1,) * (len(shape) - 1), initializer, reference_variable.dtype, name=name
        )

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        moments = self._momentums[index], self._velocities[index]
        if self.lazy:
            self._lazy_update(gradient, (variable, *moments), learning_rate)
        elif self.amsgrad or not has_fused_adam():
            super().update_step(gradient, variable, learning_rate)
        else:
            step = ops.convert_to_tensor(self.iterations) + 1
            betas = self.beta_1, self.beta_2
            fused_adam(variable, *moments, gradient, step, learning_rate, *betas, self.epsilon)

    def _lazy_update(self, gradient: Tensor, variables: tuple[Any, ...], learning_rate: Tensor) -> None:
        """Updates a weight, m and v, only in rows that have a gradient."""
        rows, gradient = rows_of_gradient(gradient)
        weight, m, v = (ops.convert_to_tensor(w) if rows is None else read_rows(w, rows) for w in variables)
        values = self._lazy_values(weight, m, v, gradient, learning_rate)
        for variable, value in zip(variables, values, strict=True):
            if rows is None:
                self.assign(variable, value)
            else:
                write_rows(variable, rows, value)

    def _lazy_values(
        self, weight: Tensor, m: Tensor, v: Tensor, g: Tensor, learning_rate: Tensor
    ) -> tuple[Tensor, ...]:
        """The next weight, m and v; unchanged in rows whose gradient is all 0."""
        dtype = m.dtype
        step, g = ops.cast(self.iterations + 1, dtype), ops.cast(g, dtype)
        within_row = tuple(range(1, len(g.shape)))
        has_gradient = ops.any(ops.not_equal(g, 0), axis=within_row, keepdims=True)
        squares = ops.square(g)
        if self.row_wise and within_row:
            squares = ops.mean(squares, axis=within_row, keepdims=True)
        next_m, next_v = m + (g - m) * (1 - self.beta_1), v + (squares - v) * (1 - self.beta_2)
        correction = ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))
        rate = ops.cast(learning_rate, dtype) * correction
        next_weight = weight - rate * next_m / (ops.sqrt(next_v) + self.epsilon)
        pairs = ((next_weight, weight), (next_m, m), (next_v, v))
        return tuple(ops.where(has_gradient, new, old) for new, old in pairs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lazy": self.lazy, "row_wise": self.row_wise}
