"""TensorFlow's updates of Adam; tests/test_optimizers.py compares whole optimizers with Keras' and with numpy."""

import keras
import numpy as np
import pytest

from kerasrec.ops.adam import has_fused_adam, read_rows, rows_of_gradient, write_rows

tf = pytest.importorskip("tensorflow")


def test_the_fused_update_is_not_used_under_a_distribution_strategy():
    assert has_fused_adam()
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert not has_fused_adam()


def test_slices_of_one_row_are_added():
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [3.0]]), tf.constant([4, 1, 4]), tf.constant([6, 1]))
    rows, gradient = rows_of_gradient(slices)
    assert rows.numpy().tolist() == [4, 1]
    assert gradient.numpy().tolist() == [[4.0], [2.0]]


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_gradient_of_all_rows_stays_one(jit_compile):
    dense = tf.constant([[1.0], [2.0]])
    assert rows_of_gradient(dense)[0] is None

    @tf.function(jit_compile=jit_compile)
    def of_slices():
        rows, gradient = rows_of_gradient(tf.IndexedSlices(dense, tf.constant([2, 0]), tf.constant([3, 1])))
        assert (rows is None) == jit_compile
        return gradient

    assert of_slices().numpy().tolist() == ([[2.0], [0.0], [1.0]] if jit_compile else [[1.0], [2.0]])


@pytest.mark.parametrize("kind", [keras.Variable, tf.Variable])
def test_rows_are_read_and_written(kind):
    variable = kind(np.arange(6, dtype=np.float32).reshape(3, 2))
    rows = tf.constant([2, 0])
    assert read_rows(variable, rows).numpy().tolist() == [[4.0, 5.0], [0.0, 1.0]]
    write_rows(variable, rows, tf.constant([[8.0, 9.0], [6.0, 7.0]]))
    assert np.asarray(variable).tolist() == [[6.0, 7.0], [2.0, 3.0], [8.0, 9.0]]
