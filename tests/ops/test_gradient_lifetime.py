"""A registered gradient lives as long as a graph that was being traced; see tests/models/test_memory.py for models."""

import gc
import weakref

import pytest

from kerasrec.ops.gradient_lifetime import functions_being_traced, wrap_decorator

tf = pytest.importorskip("tensorflow")


pytestmark = pytest.mark.usefixtures("frozen_older_objects")


def decorator_class(name_attribute="_op_type"):
    """A class like `tf.RegisterGradient`, with its own registry."""

    class Register:
        registry = {}

        def __init__(self, name):
            setattr(self, name_attribute, name)

        def __call__(self, gradient):
            self.registry[getattr(self, name_attribute)] = gradient
            return gradient

    return Register


class Graph:
    """Anything that takes attributes."""


def gradient_of_a_graph(graph):
    def gradient(upstream):
        assert graph is not None  # the gradient references the graph
        return 2 * upstream

    return gradient


def test_a_custom_gradient_lives_as_long_as_any_of_its_graphs():
    register, graphs = decorator_class(), [Graph(), Graph()]
    wrap_decorator(register, lambda: graphs)
    gradient = register("CustomGradient-1")(gradient_of_a_graph(graphs[0]))
    assert gradient(3) == 6
    alive = weakref.ref(gradient)
    del gradient, graphs[0]
    gc.collect()
    assert register.registry["CustomGradient-1"](4) == 8
    graphs.clear()
    gc.collect()
    assert alive() is None
    with pytest.raises(LookupError, match="that graph was deleted"):
        register.registry["CustomGradient-1"](4)


@pytest.mark.parametrize(
    ("name", "graphs", "attribute"),
    [
        ("Sub", [Graph()], "_op_type"),  # a built-in operation, imported while a function is traced
        ("CustomGradient-1", [], "_op_type"),  # outside a function
        ("CustomGradient-1", [Graph()], "_renamed"),  # another version of TensorFlow
    ],
)
def test_other_gradients_are_registered_for_good(name, graphs, attribute):
    register = decorator_class(attribute)
    wrap_decorator(register, lambda: graphs)
    register(name)(gradient_of_a_graph(Graph()))
    graphs.clear()
    gc.collect()
    assert register.registry[name](4) == 8


def test_functions_being_traced_are_the_nested_graphs():
    traced = []

    @tf.function
    def inner(x):
        traced.append(functions_being_traced())
        return x

    @tf.function
    def outer(x):
        traced.append(functions_being_traced())
        return inner(x)

    outer(tf.constant(1.0))
    assert traced[1][1:] == traced[0]
    assert len(traced[0]) == 1
    assert functions_being_traced() == []


@tf.function
def reused(x):
    return tf.nn.silu(x)  # has a custom gradient of TensorFlow's own


def test_a_function_that_was_first_traced_inside_a_deleted_one_still_has_its_gradient():
    def use():
        @tf.function
        def outer(x):
            return reused(x)

        outer(tf.constant(1.0))

    use()
    gc.collect()
    x = tf.constant(0.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = reused(x)
    assert float(tape.gradient(y, x)) == 0.5


@pytest.mark.parametrize("control_flow", ["cond", "while"])
def test_gradients_through_control_flow(control_flow):
    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            if control_flow == "cond":
                y = tf.cond(x < 1.0, lambda: tf.nn.silu(x), lambda: x)
            else:
                _, y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, 2.0 * tf.nn.silu(y)), (0, x))
        gc.collect()
        return tape.gradient(y, x)

    expected = 0.5 if control_flow == "cond" else 1.0
    assert float(gradient(tf.constant(0.0))) == expected


def test_a_saved_model_keeps_custom_gradients(tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: tf.nn.silu(x), input_signature=[tf.TensorSpec((), tf.float32)])
    tf.saved_model.save(module, tmp_path, options=tf.saved_model.SaveOptions(experimental_custom_gradients=True))
    loaded = tf.saved_model.load(tmp_path)
    x = tf.constant(0.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = loaded.f(x)
    assert float(tape.gradient(y, x)) == 0.5
