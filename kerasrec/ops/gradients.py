"""Gradients that are written by hand, where the backend's own would cost more."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from kerasrec.types import Tensor


def custom_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """`keras.ops.custom_gradient`, on any backend, without holding on to what the gradient reads.

    Args:
        function: tensors → (value, gradient). The gradient takes the loss's gradient by each value and returns those
            by the tensors.

    Returns:
        Tensors → value.
    """

    def made(*tensors: Tensor) -> tuple[Any, Callable[..., Any]]:
        value, gradient = function(*tensors)

        def backend_gradient(*above: Tensor, upstream: Tensor = None) -> Any:
            return gradient(*above) if upstream is None else gradient(upstream)

        return value, backend_gradient

    differentiable: Callable[..., Any] = ops.custom_gradient(made)

    def call(*tensors: Tensor) -> Any:
        with released():
            return differentiable(*tensors)

    return call


@contextmanager
def released() -> Iterator[None]:
    """A context whose custom gradients live as long as the graph that they belong to.

    TensorFlow registers the gradient of each call in a graph under a name of its own, for good. The gradient
    holds the graph, and the graph the weights: without this no trained model's memory is ever given back. Keras'
    optimizers and TensorFlow's own functions (`silu`, say) have such gradients too.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf
    from tensorflow.python.framework import ops as framework

    # No public name: a TensorFlow that has it elsewhere keeps its graphs, as it does anyway.
    registered = getattr(getattr(framework, "gradient_registry", None), "_registry", {})
    before = set(registered)
    yield
    graph = tf.compat.v1.get_default_graph()
    while isinstance(getattr(graph, "outer_graph", None), tf.__internal__.FuncGraph):
        graph = graph.outer_graph  # from a branch of a condition to what holds the condition
    if not isinstance(graph, tf.__internal__.FuncGraph):
        return
    held = getattr(graph, "kerasrec_gradients", [])
    for entry in (registered[name] for name in set(registered) - before):
        if not isinstance(entry["type"], _Weak):
            held.append(entry["type"])
            entry["type"] = _Weak(entry["type"])
    graph.kerasrec_gradients = held


class _Weak:
    """A function as long as something else holds it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = weakref.ref(function)

    def __call__(self, *arguments: Any) -> Any:
        return self.function()(*arguments)  # type: ignore[misc]  # None only once the graph is gone
