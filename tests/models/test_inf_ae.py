"""∞-AE against numpy, from the kernel's formula and from a wide network."""

import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import InfAE
from kerasrec.models.inf_ae import tangent_kernel


def kernel(x, y):
    """K of all pairs of rows, in float64."""
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    theta = np.arccos(np.clip(x @ y.T / norms, -1, 1))
    return norms * (np.sin(theta) + 2 * (np.pi - theta) * np.cos(theta)) / (2 * np.pi)


def test_scores_are_the_kernel_regression():
    table = blocks()
    model = InfAE(table.n_items, reg=2.0)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    k = kernel(x, x)
    dual = np.linalg.solve(k + 2.0 * np.diag(k).mean() * np.eye(len(k)), x)
    np.testing.assert_allclose(scores(model, table), k @ dual, atol=1e-4)
    other = np.roll(x, 1, axis=1)[:7]  # unknown users
    np.testing.assert_allclose(model.predict(other, verbose=0), kernel(other, x) @ dual, atol=1e-4)


def test_the_kernel_is_the_tangent_kernel_of_a_wide_network():
    """The inner product of the gradients of v · relu(W x) / √width by v and by W, for standard normal v and W."""
    rng = np.random.default_rng(0)
    x, y, width = rng.random(6), rng.random(6), 400_000
    w, v = rng.normal(size=(width, 6)), rng.normal(size=width)
    of_v = np.maximum(w @ x, 0) @ np.maximum(w @ y, 0) / width
    of_w = (v**2 * (w @ x > 0) * (w @ y > 0)).mean() * (x @ y)
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    assert tangent_kernel(x @ y, norm, np) == pytest.approx(of_v + of_w, rel=0.02)


def test_a_second_fit_needs_as_many_users():
    table = blocks()
    model = InfAE(table.n_items)
    model.fit(table, verbose=0)
    model.fit(table, verbose=0)
    with pytest.raises(ValueError, match="expected a table of 90 users, as in the first `fit`, got 40"):
        model.fit(table.take_users(range(40)), verbose=0)


def test_a_table_of_too_many_users_is_refused(monkeypatch):
    monkeypatch.setattr("kerasrec.models.closed_form.available_memory", lambda: 1e4)
    with pytest.raises(MemoryError, match="InfAE needs 0 GB for 30 items and 90 users, .* Fix: fit on fewer users"):
        InfAE(30).fit(blocks(), verbose=0)


def test_reg_of_0_is_refused():
    with pytest.raises(ValueError, match="`reg`: expected a number above 0, got 0"):
        InfAE(5, reg=0)
