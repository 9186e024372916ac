"""Bias against numpy, from its objective."""

import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import Bias, Interactions


def least_squares(table, reg_users, reg_items):
    """(users' biases, items' biases), from one regularised system of all biases in float64."""
    n_users, n_items, n = table.n_users, table.n_items, len(table)
    design = np.zeros((n, n_users + n_items))
    design[np.arange(n), table.users] = 1
    design[np.arange(n), n_users + table.items] = 1
    penalty = np.diag([reg_users] * n_users + [reg_items] * n_items)
    values = table.values.astype(np.float64)
    biases = np.linalg.solve(design.T @ design + penalty, design.T @ (values - values.mean()))
    return biases[:n_users], biases[n_users:]


def test_predictions_are_the_mean_and_both_biases():
    table = blocks("ratings")
    model = Bias(table.n_items, reg_users=2.0, reg_items=3.0)
    model.fit(table, verbose=0)
    users, items = least_squares(table, 2.0, 3.0)
    expected = table.values.mean() + users[:, None] + items
    np.testing.assert_allclose(scores(model, table), expected, atol=1e-4)


def test_a_rating_of_0_is_a_rating():
    table = Interactions.from_arrays([1, 1, 2, 2, 3], [10, 20, 10, 30, 20], [0.0, 4.0, 2.0, 5.0, 0.0])
    model = Bias(table.n_items, reg_users=2.0, reg_items=3.0)
    model.fit(table, verbose=0)
    users, items = least_squares(table, 2.0, 3.0)
    np.testing.assert_allclose(scores(model, table), table.values.mean() + users[:, None] + items, atol=1e-4)


def test_a_user_without_ratings_gets_the_mean_and_the_items_biases():
    table = blocks("ratings")
    model = Bias(table.n_items)
    model.fit(table, verbose=0)
    empty = {"ids": np.full((1, 3), -1, np.int32), "values": np.zeros((1, 3), np.float32)}
    np.testing.assert_allclose(model(empty)[0], model.get_weights()[0], atol=1e-6)


def test_batches_of_ratings_give_the_weights_of_the_table():
    table = blocks("ratings")
    of_table, of_batches, of_dense = (Bias(table.n_items) for _ in range(3))
    of_table.fit(table, verbose=0)
    of_batches.fit(of_batches.batches(table, 17), verbose=0)
    of_dense.fit(table.matrix.toarray(), verbose=0)
    for other in (of_batches, of_dense):
        np.testing.assert_allclose(other.get_weights()[0], of_table.get_weights()[0], atol=1e-5)


@pytest.mark.parametrize("argument", ["reg_users", "reg_items"])
def test_a_penalty_of_0_is_refused(argument):
    with pytest.raises(ValueError, match=f"`{argument}`: expected a number above 0, got 0"):
        Bias(5, **{argument: 0.0})
