"""The outputs of a model's layers, recorded while the model computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasrec.explorer.rounding import round_for_page
from kerasrec.models import Blend, Recommender
from kerasrec.ops.graph import compile_function
from kerasrec.types import Array, FloatArray

NEAR_ZERO = 0.05
"""A unit is near zero if its output is below this share of the layer's strongest."""


class LayerOutput(NamedTuple):
    """What one layer returns for a batch.

    Attributes:
        name: of the layer.
        kind: class of the layer.
        values: `(batch, units)` float32. Of a recurrent layer, the output after the last item.
    """

    name: str
    kind: str
    values: FloatArray


class LayerRecorder:
    """Returns the outputs of all layers with weights.

    No signature of an export returns them, so they are read from the layers of the model itself.

    Args:
        model: a fitted model.

    Attributes:
        has_layers: whether the model has layers with weights. Some models have weight matrices only.
    """

    def __init__(self, model: Recommender) -> None:
        self.model = model
        self.has_layers = bool(layers_with_weights(model))
        self._layers: list[keras.layers.Layer] = []
        self._outputs = compile_function(self._record)  # a recurrent layer is slow without a graph
        self._codes = compile_function(self._record_code)

    def outputs(self, batch: dict[str, Array]) -> list[LayerOutput]:
        """The outputs for a batch, in the order in which the layers compute."""
        lengths = (batch["ids"] >= 0).sum(axis=1)
        arrays = self._outputs(self._with_values(batch))
        return [
            LayerOutput(layer.name, type(layer).__name__, _after_last_item(values, lengths))
            for layer, values in zip(self._layers, arrays, strict=True)
        ]

    def codes(self, batch: dict[str, Array]) -> FloatArray:
        """The outputs `(batch, units)` of the code layer, without computing the scores.

        Raises:
            ValueError: the model has no code layer.
        """
        if self.model.code_layer is None:
            raise ValueError(f"expected a model with a code layer, got {type(self.model).__name__}, which has none")
        values = self._codes(self._with_values(batch))
        return _after_last_item(np.asarray(values, np.float32), (batch["ids"] >= 0).sum(axis=1))

    def _with_values(self, batch: dict[str, Array]) -> dict[str, Array]:
        if self.model.feedback != "ratings":
            return batch
        return {"values": np.ones(batch["ids"].shape, np.float32), **batch}  # a batch of ratings of 1 has no values

    def _record_code(self, batch: Any) -> Any:
        with recorded(self.model) as outputs:
            self.model(batch, training=False)
        (code,) = [output for layer, output in outputs if layer.name == self.model.code_layer]
        return ops.cast(code, "float32")

    def _record(self, batch: Any) -> list[Any]:
        with recorded(self.model) as outputs:
            self.model(batch, training=False)
        self._layers = [layer for layer, _ in outputs]
        return [ops.cast(output, "float32") for _, output in outputs]


def layers_with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers that are recorded."""
    return [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.Model)]


@contextmanager
def recorded(model: keras.Model) -> Iterator[list[tuple[keras.layers.Layer, Any]]]:
    """Collects (layer, output) of each layer with weights while the model is called."""
    outputs: list[tuple[keras.layers.Layer, Any]] = []
    layers = layers_with_weights(model)

    def record(layer: keras.layers.Layer) -> None:
        call = layer.call

        def recording_call(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            outputs.append((layer, output))
            return output

        object.__setattr__(layer, "call", recording_call)  # Keras would track an assigned attribute

    for layer in layers:
        record(layer)
    try:
        yield outputs
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def summary(output: LayerOutput, is_code: bool, n_items: int) -> dict[str, Any]:
    """One user's output of a layer as the page shows it. Values as wide as the catalogue are left out."""
    values = output.values[0]
    strongest = float(np.abs(values).max(initial=0.0))
    near_zero = float((np.abs(values) < NEAR_ZERO * strongest).mean()) if strongest else 1.0
    return {
        "name": output.name,
        "kind": output.kind,
        "units": len(values),
        "values": [] if len(values) == n_items else [round_for_page(value) for value in values.tolist()],
        "near_zero": round_for_page(near_zero),
        "lowest": round_for_page(values.min()),
        "highest": round_for_page(values.max()),
        "code": is_code,
    }


def weight_shapes(model: Recommender) -> list[dict[str, Any]]:
    """Names and shapes of the weights that the scores depend on."""
    prefix = f"{model.name}/"
    return [{"name": w.path.removeprefix(prefix), "shape": list(w.shape)} for w in model.inference_weights]


def blend_members(model: Recommender) -> list[dict[str, Any]]:
    """Classes and shares of the members of a blend; empty for any other model."""
    if not isinstance(model, Blend):
        return []
    pairs = zip(model.members, model.shares, strict=True)
    return [{"model": type(member).__name__, "share": round_for_page(share)} for member, share in pairs]


def _after_last_item(values: Array, lengths: Array) -> FloatArray:
    if values.ndim < 3:
        return values
    last = values[np.arange(len(values)), np.maximum(lengths - 1, 0)]
    return np.where((lengths > 0)[:, np.newaxis], last, 0.0)  # an empty history has only padding
