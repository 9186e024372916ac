"""EASE by gradient descent against its formula and against the closed form."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import EASE, EASESGD


def weights(model):
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


def test_scores_and_loss_are_the_formula():
    table = blocks()
    model = EASESGD(table.n_items, reg=0.3)
    b = np.random.default_rng(0).normal(size=(table.n_items, table.n_items))
    model.kernel.assign(b)
    np.fill_diagonal(b, 0.0)  # the model ignores the diagonal
    x = table.matrix.toarray().astype(np.float64)
    np.testing.assert_allclose(scores(model, table), x @ b, atol=1e-4)
    model.kernel.assign(b)
    batch = model.batches(table, len(x))[0][0]
    loss = ((x - x @ b) ** 2).sum() / len(x) + 0.3 * (b**2).sum()
    assert float(model.compute_loss(batch, None, model(batch))) == pytest.approx(loss, rel=1e-5)


def test_training_converges_to_the_closed_form():
    table = blocks()
    solved = EASE(table.n_items, reg=7.0)
    solved.fit(table, verbose=0)
    model = EASESGD(table.n_items, reg=7.0 / table.n_users)
    # Convex, with a curvature between 2 reg and about 8: this rate converges.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    all_users_in_each_step = np.tile(table.matrix.toarray(), (400, 1))
    model.fit(all_users_in_each_step, batch_size=table.n_users, shuffle=False, verbose=0)
    np.testing.assert_allclose(weights(model), weights(solved), atol=1e-4)
    assert (np.diag(weights(model)) == 0).all()
