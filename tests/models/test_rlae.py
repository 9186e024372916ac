"""RLAE against numpy, from the paper's formula and from its constrained objective."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import EASE, RLAE

REG = 7.0


def solved(max_diagonal):
    """(X, B) in float64."""
    table = blocks()
    model = RLAE(table.n_items, reg=REG, max_diagonal=max_diagonal)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    np.testing.assert_allclose(scores(model, table), x @ weights(model), atol=1e-5)
    return x, weights(model)


def weights(model):
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


@pytest.mark.parametrize("max_diagonal", [0.0, 0.5, 0.99])
def test_rlae_is_the_closed_form(max_diagonal):
    x, b = solved(max_diagonal)
    p = np.linalg.inv(x.T @ x + REG * np.eye(len(b)))
    of_p = np.diag(p)
    kappa = np.where(1 - REG * of_p > max_diagonal, (1 - max_diagonal) / of_p, REG)
    np.testing.assert_allclose(b, np.eye(len(b)) - p * kappa, atol=1e-5)


def test_rlae_minimises_its_objective_among_weights_with_a_bounded_diagonal():
    x, b = solved(0.2)
    assert np.isclose(np.diag(b), 0.2).any()  # otherwise the constraint has no effect

    def objective(b):
        return ((x - x @ b) ** 2).sum() + REG * (b**2).sum()

    rng = np.random.default_rng(0)
    for _ in range(20):
        changed = b + rng.normal(scale=1e-2, size=b.shape)
        np.fill_diagonal(changed, np.minimum(np.diag(changed), 0.2))
        assert objective(changed) > objective(b)


def test_without_a_diagonal_the_model_is_ease():
    table = blocks()
    ease = EASE(table.n_items, reg=REG)
    ease.fit(table, verbose=0)
    np.testing.assert_array_equal(solved(0.0)[1], weights(ease))


@pytest.mark.parametrize("max_diagonal", [-0.1, 1.0])
def test_a_diagonal_outside_0_to_1_is_refused(max_diagonal):
    with pytest.raises(ValueError, match=r"`max_diagonal`: expected a number in \[0, 1\), got"):
        RLAE(5, max_diagonal=max_diagonal)
