"""Gradients written by hand."""

import numpy as np
import pytest

from kerasrec.ops.gradients import custom_gradient, duplicate

tf = pytest.importorskip("tensorflow")


@pytest.mark.parametrize("traced", [True, False])
def test_a_custom_gradient_replaces_the_automatic_one(traced):
    @custom_gradient
    def product(a, b):
        return a * b, lambda upstream: (upstream * 10.0, upstream * 20.0)

    def value_and_gradients(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            value = 3.0 * product(a, b)
        return value, tape.gradient(value, [a, b])

    call = tf.function(value_and_gradients) if traced else value_and_gradients
    value, gradients = call(tf.constant(2.0), tf.constant(5.0))
    assert float(value) == 30.0
    assert [float(g) for g in gradients] == [30.0, 60.0]


def test_a_custom_gradient_of_several_values_gets_one_upstream_each():
    @custom_gradient
    def both(a):
        return (a, 2.0 * a), lambda first, second: first + 100.0 * second

    a = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(a)
        first, second = both(a)
        total = 3.0 * first + 4.0 * second
    assert float(tape.gradient(total, a)) == 403.0


def test_duplicate_returns_the_tensor_twice_and_adds_the_gradients():
    tensor = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        first, second = duplicate(tensor)
        total = tf.reduce_sum(3.0 * first + tf.square(second))
    np.testing.assert_array_equal(first, tensor)
    np.testing.assert_array_equal(second, tensor)
    np.testing.assert_array_equal(tape.gradient(total, tensor), [5.0, 7.0])
