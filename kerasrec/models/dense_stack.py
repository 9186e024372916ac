"""Stacks of dense layers, of which most autoencoders consist."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from kerasrec.layers import SampledLogits
from kerasrec.models.catalogue_weights import Axes
from kerasrec.types import FloatArray


def hidden_widths(hidden_dims: Sequence[int]) -> tuple[int, ...]:
    """The widths of a model's hidden layers, at least one.

    Raises:
        ValueError: `hidden_dims` is a number or empty.
    """
    if isinstance(hidden_dims, int):
        raise ValueError(f"`hidden_dims`: expected a width per layer, for example ({hidden_dims},), got {hidden_dims}")
    if not hidden_dims:
        raise ValueError("`hidden_dims`: expected at least one width, for example (600,), got none")
    return tuple(hidden_dims)


def build_in_sequence(layers: Sequence[keras.layers.Layer], width: int) -> int:
    """Builds dense layers one after the other on an input of `width` columns; returns the width of the output."""
    for layer in layers:
        layer.build((None, width))
        width = layer.units
    return width


def output_vectors(layer: keras.layers.Layer) -> FloatArray:
    """The weights of an output layer as one vector per column, `(n_columns, dim)` float32."""
    kernel = ops.convert_to_numpy(layer.kernel)
    return np.ascontiguousarray(kernel if isinstance(layer, SampledLogits) else kernel.T, np.float32)


def input_axes(layer: keras.layers.Layer) -> list[tuple[keras.Variable, Axes]]:
    """The weights of a first layer with a dimension of the catalogue, for `weight_axes`."""
    return [(layer.kernel, ("columns", None))]


def output_axes(layer: keras.layers.Layer) -> list[tuple[keras.Variable, Axes]]:
    """The weights of an output layer with a dimension of the catalogue, for `weight_axes`."""
    kernel = ("columns", None) if isinstance(layer, SampledLogits) else (None, "columns")
    return [(layer.kernel, kernel), (layer.bias, ("columns",))]
