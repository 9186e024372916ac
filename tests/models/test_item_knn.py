"""ItemKNN against numpy, from its formula."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import Interactions, ItemKNN


def similarities(x, shrinkage, user_power=0.0, history_power=0.5, score_power=0.5):
    together = x.T @ np.diag(x.sum(1) ** -user_power) @ x
    counts = x.sum(0)
    s = together / (np.outer(counts**history_power, counts**score_power) + shrinkage)
    np.fill_diagonal(s, 0.0)
    return s


@pytest.mark.parametrize("powers", [{}, {"user_power": 0.7, "history_power": 0.2, "score_power": 0.9}])
def test_the_score_of_an_item_is_a_sum_over_its_nearest_neighbours(powers):
    table = blocks()
    model = ItemKNN(table.n_items, n_neighbours=4, shrinkage=3.0, **powers)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    s = similarities(x, 3.0, **powers)
    for column in s.T:
        column[np.argsort(-column, kind="stable")[4:]] = 0.0
    kernel = keras.ops.convert_to_numpy(model.kernel)
    assert ((kernel > 0).sum(axis=0) == 4).all()
    np.testing.assert_allclose(np.sort(kernel, axis=0), np.sort(s, axis=0), atol=1e-6)  # ties may fall either way
    np.testing.assert_allclose(scores(model, table), x @ kernel, atol=1e-5)


def test_all_neighbours_are_kept_if_there_are_few():
    table = blocks()
    model = ItemKNN(table.n_items, n_neighbours=10**6, shrinkage=0.0)
    model.fit(table, verbose=0)
    expected = similarities(table.matrix.toarray().astype(np.float64), 0.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), expected, atol=1e-6)


def test_an_item_without_users_has_no_neighbours():
    table = Interactions.from_arrays([1, 1, 2], [10, 20, 20]).with_catalogue(np.array([10, 20, 30]))
    model = ItemKNN(3, shrinkage=0.0)
    model.fit(table, verbose=0)
    expected = [[0, 2**-0.5, 0], [2**-0.5, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), expected, atol=1e-6)


@pytest.mark.parametrize(("argument", "value"), [("n_neighbours", 0), ("shrinkage", -1.0)])
def test_invalid_arguments_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"`{argument}`: expected at least"):
        ItemKNN(5, **{argument: value})
