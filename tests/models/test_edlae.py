"""EDLAE against numpy, from the paper's formula and from sampled dropout."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import EASE, EDLAE

P, REG = 0.4, 7.0


@pytest.fixture(scope="module")
def solved():
    """(X, B) in float64."""
    table = blocks()
    model = EDLAE(table.n_items, dropout=P, reg=REG)
    model.fit(table, verbose=0)
    return table.matrix.toarray().astype(np.float64), weights(model)


def weights(model):
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


def masks(shape, n, seed):
    """Dropout as in training: 0 with probability p, 1 / (1 - p) otherwise."""
    rng = np.random.default_rng(seed)
    return ((rng.random(shape) >= P) / (1 - P) for _ in range(n))


def constrained_least_squares(gram, cross):
    """argmin tr(Bᵀ gram B) - 2 tr(Bᵀ cross) + reg ‖B‖², diag(B) = 0: without item j, ridge regression of column j."""
    n = len(gram)
    b = np.zeros((n, n))
    for j in range(n):
        others = np.arange(n) != j
        b[others, j] = np.linalg.solve(gram[np.ix_(others, others)] + REG * np.eye(n - 1), cross[others, j])
    return b


def test_edlae_is_the_closed_form(solved):
    x, b = solved
    gram = x.T @ x
    p = np.linalg.inv(gram + REG * np.eye(len(gram)) + P / (1 - P) * np.diag(np.diag(gram)))
    expected = -p / np.diag(p)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(b, expected, atol=1e-5)


def test_the_objective_is_the_mean_over_sampled_dropout(solved):
    x, b = solved
    rng = np.random.default_rng(0)
    for candidate in (b, b + rng.normal(scale=0.05, size=b.shape) * (1 - np.eye(len(b)))):
        sampled = [((x - (x * mask) @ candidate) ** 2).sum() for mask in masks(x.shape, 2000, 1)]
        counts = (x**2).sum(0)
        analytic = ((x - x @ candidate) ** 2).sum() + P / (1 - P) * (counts[:, None] * candidate**2).sum()
        error = np.std(sampled) / np.sqrt(len(sampled))
        assert error < 0.01 * analytic
        assert abs(np.mean(sampled) - analytic) < 4 * error


def test_least_squares_under_sampled_dropout_converge_to_the_solution(solved):
    x, b = solved
    corrupted = [x * mask for mask in masks(x.shape, 4000, 2)]
    gram = sum(c.T @ c for c in corrupted) / len(corrupted)
    cross = sum(c.T @ x for c in corrupted) / len(corrupted)
    sampled = constrained_least_squares(gram, cross)
    assert np.abs(sampled - b).max() < 0.02 * np.abs(b).max()
    without_dropout = constrained_least_squares(x.T @ x, x.T @ x)
    assert np.abs(without_dropout - b).max() > 0.1 * np.abs(b).max()


def test_without_dropout_the_model_is_ease():
    table = blocks()
    ease, edlae = EASE(table.n_items, reg=REG), EDLAE(table.n_items, dropout=0.0, reg=REG)
    for model in (ease, edlae):
        model.fit(table, verbose=0)
    np.testing.assert_array_equal(weights(edlae), weights(ease))
    np.testing.assert_array_equal(scores(edlae, table), scores(ease, table))


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 1.5])
def test_dropout_outside_0_to_1_is_refused(dropout):
    with pytest.raises(ValueError, match=r"`dropout`: expected a number in \[0, 1\), got"):
        EDLAE(5, dropout=dropout)
