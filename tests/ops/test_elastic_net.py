"""Coordinate descent against conditions of the minimum, over several blocks and with a warning."""

import io

import numpy as np
import pytest
from tqdm.auto import tqdm

from kerasrec.ops import elastic_net
from kerasrec.ops.elastic_net import non_negative_elastic_net


def gram(n_rows=60, n_columns=30, seed=0):
    x = (np.random.default_rng(seed).random((n_rows, n_columns)) < 0.3).astype(np.float32)
    return x.T @ x


def test_the_result_does_not_depend_on_the_blocks(monkeypatch):
    expected = non_negative_elastic_net(gram(), 0.5, 1.0, tqdm(disable=True), tolerance=1e-6)
    monkeypatch.setattr(elastic_net, "TARGETS", 7)
    monkeypatch.setattr(elastic_net, "COORDINATES", 4)
    in_blocks = non_negative_elastic_net(gram(), 0.5, 1.0, tqdm(disable=True), tolerance=1e-6)
    np.testing.assert_allclose(in_blocks, expected, atol=1e-4)


def test_the_gradient_is_0_where_weights_are_positive():
    w = non_negative_elastic_net(gram(), 0.5, 1.0, tqdm(disable=True), tolerance=1e-6).astype(np.float64)
    gradient = gram() @ w - gram() + w + 0.5
    np.testing.assert_allclose(gradient[w > 0], 0.0, atol=1e-3)
    assert (gradient[(w == 0) & ~np.eye(len(w), dtype=bool)] > -1e-3).all()
    assert (w > 0).any()


def test_the_bar_advances_by_60():
    with tqdm(total=60, file=io.StringIO()) as progress:
        non_negative_elastic_net(gram(), 0.5, 1.0, progress)
    assert progress.n == pytest.approx(60)


def test_a_step_stops_where_the_first_weight_becomes_0():
    matrix = np.array([[2.0, 1.0], [1.0, 2.0]])
    weights = elastic_net.solve_on_support(matrix, np.array([1.0, -3.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(weights, [0.5, 0.0])  # the minimum without a sign is (5/3, -7/3)


def test_too_few_sweeps_warn():
    with pytest.warns(UserWarning, match=r"\d+ of 30 columns changed by more than 1e-06 in sweep 1. Fix: raise"):
        non_negative_elastic_net(gram(), 0.5, 1.0, tqdm(disable=True), tolerance=1e-6, max_sweeps=1)
