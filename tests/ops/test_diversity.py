"""Maximal marginal relevance against a plain Python loop."""

import numpy as np
import pytest

from kerasrec.data import generate, item_profiles
from kerasrec.ops import diversity
from kerasrec.ops.diversity import diverse_top_k
from kerasrec.ops.ranking import top_k


def reference(scores, k, vectors, strength):
    """The columns of one row, by the definition."""
    pool = [i for i in np.argsort(-scores, kind="stable")[: diversity.POOL] if np.isfinite(scores[i])]
    low, high = scores[pool].min(), scores[pool].max()
    selected = []
    while pool and len(selected) < k:

        def value(i):
            similarity = max([0.0, *(vectors[i] @ vectors[j] for j in selected)])
            return (1 - strength) * (scores[i] - low) / (high - low) - strength * similarity

        best = max(pool, key=value)
        pool.remove(best)
        selected.append(best)
    return selected + [-1] * (k - len(selected))


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6, 40)).astype(np.float32)
    scores[:, :5] = -np.inf
    scores[5, 8:] = -np.inf  # three columns are left
    vectors = np.abs(rng.normal(size=(40, 4))).astype(np.float32)
    return scores, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_selection_equals_a_plain_loop(case, strength):
    scores, vectors = case
    columns, best = (np.asarray(part) for part in diverse_top_k(scores, 12, vectors, strength))
    for row in range(len(scores)):
        assert columns[row].tolist() == reference(scores[row], 12, vectors, strength)
        valid = columns[row] >= 0
        np.testing.assert_array_equal(best[row][valid], scores[row][columns[row][valid]])
        assert np.isneginf(best[row][~valid]).all()


def test_strength_0_gives_the_list_of_top_k_and_short_lists_are_prefixes(case):
    scores, vectors = case
    np.testing.assert_array_equal(diverse_top_k(scores, 12, vectors, 0.0)[0], top_k(scores, 12)[0])
    long, short = (np.asarray(diverse_top_k(scores, k, vectors, 0.5)[0]) for k in (30, 7))
    np.testing.assert_array_equal(long[:, :7], short)


def test_a_graph_with_a_variable_k_gives_the_same_lists(case):
    import tensorflow as tf

    scores, vectors = case
    function = tf.function(lambda x, k: diverse_top_k(x, k, vectors, 0.4)).get_concrete_function(
        tf.TensorSpec((None, 40), tf.float32), tf.TensorSpec((), tf.int32)
    )
    for k in (1, 12):
        np.testing.assert_array_equal(function(scores, tf.constant(k))[0], diverse_top_k(scores, k, vectors, 0.4)[0])


def test_products_of_profiles_are_near_the_cosine_of_the_columns():
    table = generate(n_users=400, n_items=50, seed=1)
    columns = table.matrix.toarray() > 0
    columns = columns / np.linalg.norm(columns, axis=0)
    profiles = item_profiles(table, dim=2000)
    np.testing.assert_allclose(profiles @ profiles.T, columns.T @ columns, atol=0.12)
    np.testing.assert_array_equal(item_profiles(table), item_profiles(table))
