"""Our Adam is Keras' Adam, step by step."""

import keras
import numpy as np
import pytest

from kerasrec.optimizers import Adam


@pytest.mark.parametrize(
    "settings", [{}, {"clipnorm": 0.5}, {"weight_decay": 0.01}, {"amsgrad": True}, {"use_ema": True}]
)
def test_steps_are_those_of_keras(settings):
    rng = np.random.default_rng(0)
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 20)
    start = rng.normal(size=(7, 3)).astype(np.float32)
    weights, optimizers = [], [Adam(schedule, **settings), keras.optimizers.Adam(schedule, **settings)]
    for optimizer in optimizers:
        weights.append(keras.Variable(start))
        optimizer.build([weights[-1]])
    for _ in range(10):
        gradient = keras.ops.convert_to_tensor(rng.normal(size=(7, 3)).astype(np.float32))
        for optimizer in optimizers:
            optimizer.apply([gradient])
        np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4, atol=1e-5)
    assert abs(np.asarray(weights[0]) - start).max() > 0.1
    for ours, theirs in zip(*(optimizer.variables for optimizer in optimizers), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_gradient_by_rows_is_applied_as_its_dense_form():
    tf = pytest.importorskip("tensorflow")
    weight = keras.Variable(np.ones((4, 2), np.float32))
    optimizer = Adam(0.1)
    optimizer.build([weight])
    optimizer.apply([tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))])
    np.testing.assert_allclose(np.asarray(weight)[:, 0], [1.0, 0.9, 1.0, 0.9], atol=1e-5)
