"""iALS against numpy, from the paper's objective."""

import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import IALS, Interactions
from kerasrec.models import ials

SETTINGS = {"latent_dim": 5, "unobserved_weight": 0.2, "reg": 0.05, "reg_exponent": 0.7}


def objective(x, users, items):
    """The paper's loss, with the regularisation of both sides."""
    alpha, reg, power = (SETTINGS[name] for name in ("unobserved_weight", "reg", "reg_exponent"))
    product = users @ items.T
    n_users, n_items = x.shape
    return (
        (x * (product - 1) ** 2).sum()
        + alpha * (product**2).sum()
        + reg * ((x.sum(1) + alpha * n_items) ** power * (users**2).sum(1)).sum()
        + reg * ((x.sum(0) + alpha * n_users) ** power * (items**2).sum(1)).sum()
    )


def solved(**arguments):
    """(X, w of the training users, H, model); X and H in float64."""
    table = blocks()
    model = IALS(table.n_items, **{**SETTINGS, "seed": 1, **arguments})
    model.fit(table, verbose=0)
    batch = model.batches(table, 1000)[0][0]
    users = np.asarray(model.encode(batch), np.float64)
    return table.matrix.toarray().astype(np.float64), users, model.get_weights()[0].astype(np.float64), model


def test_a_user_is_the_minimum_of_the_objective_and_scores_are_products():
    x, users, items, model = solved(iterations=3)
    alpha, reg, power = (SETTINGS[name] for name in ("unobserved_weight", "reg", "reg_exponent"))
    for row, user in zip(x[:5], users[:5], strict=True):
        liked = items[row > 0]
        penalty = reg * (len(liked) + alpha * len(items)) ** power
        matrix = liked.T @ liked + alpha * items.T @ items + penalty * np.eye(items.shape[1])
        np.testing.assert_allclose(user, np.linalg.solve(matrix, liked.sum(0)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scores(model, blocks()), users @ items.T, atol=1e-5)


def test_after_many_iterations_the_items_minimise_the_objective_too():
    x, users, items, _ = solved(iterations=200)
    least = objective(x, users, items)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(scale=0.02, size=items.shape)
        assert objective(x, users, items + step) > least
    assert objective(x, users, items) < objective(x, *solved(iterations=2)[1:3])


def test_a_long_history_is_added_in_chunks(monkeypatch):
    x, users, *_ = solved(iterations=2)
    monkeypatch.setattr(ials, "CHUNK", 3)
    np.testing.assert_allclose(solved(iterations=2)[1], users, atol=1e-5)


def test_seeds_draw_other_first_vectors():
    first, equal, other = (solved(iterations=1, seed=seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, equal)
    assert not np.allclose(first, other)


def test_an_item_without_users_gets_the_score_0():
    table = Interactions.from_arrays([1, 1, 2], [10, 20, 20]).with_catalogue(np.array([10, 20, 30]))
    model = IALS(3, latent_dim=2, seed=1)
    model.fit(table, verbose=0)
    np.testing.assert_array_equal(scores(model, table)[:, 2], [0.0, 0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reg": 0.0}, "`reg`: expected a number above 0, got 0"),
        ({"unobserved_weight": -1.0}, "`unobserved_weight`: expected at least 0"),
        ({"latent_dim": 0}, "`latent_dim`: expected at least 1"),
        ({"iterations": 0}, "`iterations`: expected at least 1"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        IALS(5, **arguments)
