"""`Adam` against Keras' Adam and, if lazy, against numpy, step by step."""

import keras
import numpy as np
import pytest

from kerasrec.optimizers import Adam


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"clipnorm": 0.5},
        {"weight_decay": 0.01},
        {"amsgrad": True},
        {"use_ema": True},
        {"gradient_accumulation_steps": 3},
    ],
)
def test_steps_equal_those_of_keras(settings):
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


def test_indexed_slices_are_applied_like_their_dense_form():
    tf = pytest.importorskip("tensorflow")
    weight = keras.Variable(np.ones((4, 2), np.float32))
    optimizer = Adam(0.1)
    optimizer.build([weight])
    optimizer.apply([tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))])
    np.testing.assert_allclose(np.asarray(weight)[:, 0], [1.0, 0.9, 1.0, 0.9], atol=1e-5)


def lazy_adam(weight, gradients, rate, row_wise=False, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adam row by row, in numpy; rows whose gradient is all 0 do not change."""
    weight, m, v = weight.astype(np.float64), np.zeros(weight.shape), np.zeros(weight.shape)
    for t, gradient in enumerate(gradients, 1):
        for row in np.flatnonzero(gradient.any(axis=1)):
            m[row] = beta_1 * m[row] + (1 - beta_1) * gradient[row]
            squares = gradient[row] ** 2
            v[row] = beta_2 * v[row] + (1 - beta_2) * (squares.mean() if row_wise else squares)
            corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            weight[row] -= corrected * m[row] / (np.sqrt(v[row]) + epsilon)
    return weight, m, v[:, :1] if row_wise else v


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("by_rows", [True, False])
@pytest.mark.parametrize("row_wise", [False, True])
def test_lazy_changes_only_rows_that_have_a_gradient(row_wise, by_rows, jit_compile):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(9, 3)).astype(np.float32)
    weight, optimizer = keras.Variable(start), Adam(0.1, lazy=True, row_wise=row_wise)
    optimizer.build([weight])

    @tf.function(jit_compile=jit_compile)
    def step(values, indices):
        slices = tf.IndexedSlices(values, indices, tf.constant([9, 3]))
        optimizer.apply([slices if by_rows else tf.convert_to_tensor(slices)])

    gradients = []
    for t in range(6):
        indices = rng.choice([0, 2, 3, 7], size=5).astype(np.int32)  # some twice: their gradients are added
        values = rng.normal(size=(5, 3)).astype(np.float32)
        values[indices == 3 * (t % 2)] = 0.0  # a slice of zeros, which changes nothing
        gradients.append(np.zeros((9, 3)))
        np.add.at(gradients[-1], indices, values)
        step(tf.constant(values), tf.constant(indices))
    variables = (weight, *optimizer.variables[2:])
    for variable, expected in zip(variables, lazy_adam(start, gradients, 0.1, row_wise), strict=True):
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(weight)[[1, 4, 5, 6, 8]], start[[1, 4, 5, 6, 8]])


@pytest.mark.parametrize("setting", [{"amsgrad": True}, {"weight_decay": 0.1}, {"use_ema": True}])
def test_lazy_raises_an_error_with_settings_that_change_every_weight(setting):
    with pytest.raises(ValueError, match=f"`lazy`: expected False with `{next(iter(setting))}`"):
        Adam(lazy=True, **setting)


def test_lazy_is_part_of_the_configuration():
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(Adam(3e-4, lazy=True, row_wise=True)))
    assert restored.lazy and restored.row_wise
    with pytest.raises(ValueError, match="`row_wise`: expected False without `lazy`, got True"):
        Adam(row_wise=True)
    assert not Adam.from_config(keras.optimizers.Adam().get_config()).lazy
