"""Custom gradients of TensorFlow live as long as their graph, so that deleted models are garbage-collected.

`tf.custom_gradient` registers a gradient function under a new name each time it is traced, and never unregisters it.
That function references its graph, and the graph references the weights, so TensorFlow alone never frees a trained
model. Our own operations, Keras' optimizers and TensorFlow functions such as `silu` all register gradients in this way.

`install` wraps `tf.RegisterGradient`, which every custom gradient passes. The registry then keeps only a weak
reference, and the graphs that were being traced keep the function itself. Operations outside a `tf.function`, and the
gradients of built-in operations, are registered as before.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras

Gradient = Callable[..., Any]

NAME_PREFIX = "CustomGradient-"
"""The names that `tf.custom_gradient` registers gradients under begin with this."""


def install() -> None:
    """Wraps `tf.RegisterGradient` if TensorFlow is the backend; `kerasrec.ops` calls it on import."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    wrap_decorator(tf.RegisterGradient, functions_being_traced)


def wrap_decorator(decorator: Any, traced_graphs: Callable[[], list[Any]]) -> None:
    """Makes a class like `tf.RegisterGradient` keep custom gradients in the traced graphs.

    The name of a gradient is a private attribute of `tf.RegisterGradient` (2.20 and 2.21: `_op_type`). In a TensorFlow
    version without it every gradient is registered as TensorFlow does it: nothing fails, and models are not freed.

    Args:
        decorator: the class. `decorator(name)(gradient)` registers a gradient.
        traced_graphs: returns the graphs that own a gradient registered now.
    """
    register = decorator.__call__

    def register_in_graphs(self: Any, gradient: Gradient) -> Gradient:
        graphs = traced_graphs() if getattr(self, "_op_type", "").startswith(NAME_PREFIX) else []
        for graph in graphs:
            graph.kerasrec_gradients = [*getattr(graph, "kerasrec_gradients", []), gradient]
        register(self, weakly(gradient) if graphs else gradient)
        return gradient

    decorator.__call__ = register_in_graphs


def functions_being_traced() -> list[Any]:
    """The function graphs being traced, innermost first: a branch of a condition, then the function around it.

    Any of them may outlive the others: a branch's Python object is short-lived, and a nested `tf.function` is reused
    after the outer one is deleted. So each of them keeps the gradients that are registered meanwhile.
    """
    import tensorflow as tf

    graph, graphs = tf.compat.v1.get_default_graph(), []
    while hasattr(graph, "outer_graph"):  # only graphs of functions have it
        graphs.append(graph)
        graph = graph.outer_graph
    return graphs


def weakly(gradient: Gradient) -> Gradient:
    """A function that calls `gradient` without keeping it alive."""
    reference = weakref.ref(gradient)

    def call(*arguments: Any) -> Any:
        function = reference()
        if function is None:
            raise LookupError(
                "expected the gradient of a graph that exists, but that graph was deleted. "
                "Fix: keep the `tf.function` while gradients are computed"
            )
        return function(*arguments)

    return call
