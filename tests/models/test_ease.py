"""EASE against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import DAN, EASE, EDLAE, RLAE, Interactions


def kernel(model):
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


def test_ease_is_the_closed_form():
    table = blocks()
    model = EASE(table.n_items, reg=7.0)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    p = np.linalg.inv(x.T @ x + 7.0 * np.eye(table.n_items))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), b, atol=1e-5)
    np.testing.assert_allclose(scores(model, table), x @ b, atol=1e-5)
    assert not np.allclose(b, b.T)
    assert (b < 0).any()


@pytest.mark.parametrize("model_class", [EASE, EDLAE, RLAE])
def test_the_gram_matrix_is_enough(model_class):
    table = blocks()
    model, other = (model_class(table.n_items, reg=7.0) for _ in range(2))
    model.fit(table, verbose=0)
    gram = (table.matrix.T @ table.matrix).toarray()
    copy = gram.copy()
    assert other.fit_gram(gram, table.item_ids) is other
    np.testing.assert_array_equal(gram, copy)
    np.testing.assert_allclose(kernel(other), kernel(model), atol=1e-5)
    for name in ("item_ids", "scores"):
        lists = [getattr(each.recommend(table, k=5), name) for each in (model, other)]
        np.testing.assert_allclose(*lists, atol=1e-5)
    with pytest.raises(ValueError, match="other ids than its training table"):
        other.recommend(Interactions.from_arrays([1] * table.n_items, np.arange(table.n_items) + 5000), k=2)
    with pytest.raises(ValueError, match=r"expected `gram` of shape .*, got \(3, 3\) and 30"):
        other.fit_gram(np.eye(3), table.item_ids)


def test_dan_needs_the_users():
    with pytest.raises(ValueError, match="`fit_gram`: DAN weighs the users, so XᵀX is not enough"):
        DAN(3).fit_gram(np.eye(3), np.arange(3))


def test_ease_minimises_its_constrained_least_squares_objective():
    table = blocks()
    model = EASE(table.n_items, reg=7.0)
    model.fit(table, verbose=0)
    x, b = table.matrix.toarray().astype(np.float64), kernel(model)

    def objective(b):
        return ((x - x @ b) ** 2).sum() + 7.0 * (b**2).sum()

    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(scale=1e-2, size=b.shape)
        np.fill_diagonal(step, 0.0)
        assert objective(b + step) > objective(b)


def test_ease_ignores_values_and_has_the_same_weights_from_batches():
    table = blocks()
    users, items = table.user_ids[table.users], table.item_ids[table.items]
    rated = Interactions.from_arrays(users, items, np.arange(len(table)) % 5 + 1.0, table.times)
    of_table, of_ratings, of_batches, of_one_batch = (EASE(table.n_items, reg=7.0) for _ in range(4))
    of_table.fit(table, verbose=0)
    of_ratings.fit(rated, verbose=0)
    of_batches.fit(of_batches.batches(table, 17), verbose=0)
    of_one_batch.fit(of_one_batch.batches(table, table.n_users)[0][0], verbose=0)
    np.testing.assert_array_equal(of_one_batch.get_weights()[0], of_batches.get_weights()[0])
    for other in (of_ratings, of_batches):
        np.testing.assert_allclose(other.get_weights()[0], of_table.get_weights()[0], atol=1e-6)


def test_a_singular_matrix_is_an_error():
    table = Interactions.from_arrays([1, 1, 2, 2], [1, 2, 1, 2])  # two equal columns: XᵀX has no inverse
    with pytest.raises(ValueError, match="`reg` = 1e-09 is too small: the matrix cannot be inverted"):
        EASE(2, reg=1e-9).fit(table, verbose=0)


def test_a_catalogue_that_does_not_fit_into_memory_is_refused():
    model = EASE(10**6)
    with pytest.raises(
        MemoryError, match=r"EASE needs 8,000 GB for 1,000,000 items and 1 users, and \d+ GB are available"
    ):
        model.fit(Interactions.from_arrays([1], [1]).with_catalogue(np.arange(10**6)), verbose=0)
    assert not model.built


def test_reg_of_0_is_refused():
    with pytest.raises(ValueError, match="`reg`: expected a number above 0, got 0"):
        EASE(5, reg=0)
