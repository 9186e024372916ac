"""Dense layers with a dtype of their own for products, and the output layer over a catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerasrec._registry import public
from kerasrec.types import Tensor


@public
class BFloat16Dense(keras.layers.Dense):
    """A dense layer that multiplies bfloat16 numbers in training: activation(x · kernel + bias).

    Weights, the sum with the bias, the activation, and the product outside training have the dtype of the layer's
    policy. On processors with AMX or AVX512-BF16 and on GPUs the product is several times as fast as in float32.

    Args:
        units: width of the output.
        activation: as in `keras.layers.Dense`.
        product_dtype: dtype of the factors of x · kernel in training. `None` follows the dtype policy, which makes
            this layer equal to `keras.layers.Dense`.
        **kwargs: as in `keras.layers.Dense`.

    Shapes:
        In: x `(…, dim)`. Out: `(…, units)`. With `train_weights=False` in a call, the gradient of this call goes to x
        only, not to kernel and bias.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import BFloat16Dense
        >>> layer = BFloat16Dense(2, "tanh")
        >>> float(np.abs(layer(np.zeros((1, 3), np.float32), training=True)).max())
        0.0
    """

    def __init__(
        self, units: int, activation: Any = None, product_dtype: str | None = "bfloat16", **kwargs: Any
    ) -> None:
        super().__init__(units, activation, **kwargs)
        self.product_dtype = product_dtype

    def call(self, inputs: Tensor, training: bool = False, train_weights: bool = True) -> Tensor:
        kernel, bias = self.kernel, self.bias if self.use_bias else None
        if not train_weights:
            kernel, bias = ops.stop_gradient(kernel), None if bias is None else ops.stop_gradient(bias)
        dtype = self.product_dtype if training and self.product_dtype else self.compute_dtype
        product = ops.cast(ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype)), self.compute_dtype)
        return self.activation(product if bias is None else product + bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "product_dtype": self.product_dtype}


@public
class Logits(BFloat16Dense):
    """An output layer over the catalogue in float32: f = h · kernel + bias.

    Inference uses float32: bfloat16 preserves only 44 % of the order of a top-100. Training tolerates bfloat16
    products, and this product is most of a training step.

    Args:
        units: number of items.
        activation: None. Softmax is part of the loss.
        product_dtype: dtype of the factors of h · kernel in training, for example `"bfloat16"`. The default is
            float32.
        **kwargs: as in `keras.layers.Dense`. The default `dtype` is float32 under any dtype policy.

    Shapes:
        In: h `(batch, dim)`. Out: `(batch, units)`.

    Raises:
        ValueError: `activation` is not None.

    Example:
        >>> import numpy as np
        >>> from kerasrec.layers import Logits
        >>> Logits(20)(np.ones((4, 8), np.float32), training=True).shape
        TensorShape([4, 20])
    """

    def __init__(self, units: int, activation: Any = None, product_dtype: str | None = None, **kwargs: Any) -> None:
        super().__init__(units, activation, product_dtype, **{"dtype": "float32", **kwargs})
        if self.activation is not keras.activations.linear:
            raise ValueError(
                f"`activation`: expected None, got {activation!r}. Softmax and sigmoid are part of the loss"
            )


def xavier_dense(
    units: int,
    activation: str | None,
    seed: int | None,
    name: str,
    layer: Callable[..., keras.layers.Layer] = BFloat16Dense,
    **kwargs: Any,
) -> keras.layers.Layer:
    """A dense layer initialised as in Liang et al. 2018: Glorot-uniform kernel, truncated-normal bias (std 0.001).

    Args:
        units: width of the output.
        activation: activation function, or None.
        seed: seed of kernel and bias.
        name: name of the layer.
        layer: class of the layer.
        **kwargs: arguments of that class.
    """
    return layer(
        units,
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        bias_initializer=keras.initializers.TruncatedNormal(stddev=0.001, seed=seed),
        name=name,
        **kwargs,
    )
