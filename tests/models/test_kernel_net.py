"""kernelNet against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import scores, table_for

from kerasrec import KernelNet
from kerasrec.layers import KernelDense


def array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), np.float64)


def similarities(layer):
    u, v = array(layer.input_vectors), array(layer.unit_vectors)
    return np.maximum(0, 1 - ((u[:, np.newaxis] - v) ** 2).sum(2))


@pytest.mark.parametrize("rows", ["users", "items"])
def test_scores_and_loss_are_the_formula(rows):
    table = table_for("kernel_net items")
    arguments = {"hidden_dims": (9, 7), "kernel_dim": 2, "reg": 0.3, "similarity_reg": 0.2}
    model = KernelNet.for_interactions(table, rows=rows, seed=1, **arguments)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.weights])
    x = (table.T if rows == "items" else table).matrix.toarray().astype(np.float64)
    h, penalty = x, 0.0
    for i, layer in enumerate(model.dense):
        w, k = array(layer.kernel), similarities(layer)
        assert 0.1 < (k == 0).mean() < 0.9
        h = h @ (w * k) + array(layer.bias)
        h = 1 / (1 + np.exp(-h)) if i < 2 else h
        penalty += 0.3 * (w**2).sum() + 0.2 * (k**2).sum()
    np.testing.assert_allclose(scores(model, table), h, atol=1e-4)
    batch = model.batches(table, len(x))[0][0]
    for training in (True, False):
        outputs = model(batch, training=training)
        loss = float(model.compute_loss(batch, None, outputs, training=training))
        observed = x != 0  # this table has no rating of 0
        assert loss == pytest.approx((observed * (x - h) ** 2).sum() / len(x) + penalty, rel=1e-4)


def test_the_user_model_of_item_rows_returns_columns_of_the_reconstruction():
    table = table_for("kernel_net items")
    model = KernelNet.for_interactions(table, hidden_dims=(9,), kernel_dim=2, seed=1)
    assert model.rows == "items"
    model.dense[-1].unit_vectors.assign(np.random.default_rng(0).normal(0, 0.5, (table.n_users, 2)))
    users = np.array([5, 0, 88], np.int32)
    expected = scores(model, table).T[users]
    np.testing.assert_allclose(model.as_user_model(table)({"row": users}), expected, atol=1e-4)


def test_the_similarity_penalty_moves_vectors_apart():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 12)).astype(np.float32)
    norms = []
    for similarity_reg in (0.0, 1.0):
        layer = KernelDense(8, kernel_dim=2, similarity_reg=similarity_reg, vectors_seed=1)
        model = keras.Sequential([keras.Input((12,)), layer])
        model.compile(keras.optimizers.Adam(0.05), "mse")
        steps = np.tile(x, (60, 1))  # an epoch of 60 equal batches costs less than 60 epochs
        model.fit(steps, steps[:, :8], batch_size=50, shuffle=False, verbose=0)
        norms.append((similarities(layer) ** 2).sum())
    assert norms[1] < 0.5 * norms[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": "both"}, '`rows`: expected "users" or "items", got \'both\''),
        ({"hidden_dims": ()}, "`hidden_dims`: expected at least one width"),
        ({"kernel_dim": 0}, "`kernel_dim`: expected"),
        ({"similarity_reg": -1.0}, "`similarity_reg`: expected at least 0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        KernelNet(5, **arguments)
