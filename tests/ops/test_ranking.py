"""Top-K with equal scores."""

import numpy as np
import pytest
from keras import ops

from kerasrec.ops.graph import compile_function
from kerasrec.ops.ranking import popular_if_unknown, top_k


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_equal_scores_are_in_the_order_of_places(k):
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 4, (40, 12)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    scores[0] = -np.inf
    scores[1] = rng.permutation(12)  # a row without equal scores
    places = rng.permutation(12).astype(np.float32)
    columns, best = map(np.asarray, top_k(scores, k, places))
    for row in range(len(scores)):
        order = [int(i) for i in np.lexsort((places, -scores[row])) if scores[row, i] > -np.inf][:k]
        assert columns[row].tolist() == order + [-1] * (k - len(order))
        np.testing.assert_array_equal(best[row, : len(order)], scores[row, order])


def test_a_length_that_the_graph_reads_gives_the_same_lists():
    scores = np.random.default_rng(0).integers(0, 3, (20, 9)).astype(np.float32)
    places = np.arange(9, dtype=np.float32)[::-1].copy()
    listed = compile_function(
        lambda inputs: top_k(ops.reshape(inputs["scores"], (-1, 9)), inputs["k"], inputs["places"])[0]
    )
    for k in (1, 4, 9):
        expected = ops.convert_to_numpy(top_k(scores, k, places)[0])
        np.testing.assert_array_equal(
            listed({"scores": scores, "k": np.array(k, np.int32), "places": places}), expected
        )


def test_only_unknown_rows_get_the_counts():
    scores, counts = np.zeros((3, 4), np.float32), np.arange(4, dtype=np.float32)
    mixed = np.asarray(popular_if_unknown(scores, np.array([False, True, False]), counts))
    np.testing.assert_array_equal(mixed, [[0] * 4, [0, 1, 2, 3], [0] * 4])
    np.testing.assert_array_equal(popular_if_unknown(scores, np.zeros(3, bool), counts), scores)
