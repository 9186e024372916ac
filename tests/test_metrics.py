"""Metrics against values computed by hand."""

import keras
import numpy as np
import pytest

from kerasrec import EASE, metrics
from kerasrec.ops.ranking import Ranking, exclude, hashed_order, rank, top_k, top_k_with_hashed_ties
from kerasrec.ops.sparse_rows import observed_rows

# Two users over five items. User 0: ranked 4, 3, 2, 1, 0; held out 4 and 1. User 1: the same order, held out 0, 1, 2.
SCORES = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]] * 2, np.float32)
HELD_OUT = np.array([[0, 1, 0, 0, 1], [1, 1, 1, 0, 0]], np.float32)
LOG = np.log2

BY_HAND = {
    "recall_2": (1 / 2 + 0 / 2) / 2,
    "recall_4": (2 / 2 + 2 / 3) / 2,
    "plain_recall_2": (1 / 2 + 0 / 3) / 2,
    "plain_recall_4": (2 / 2 + 2 / 3) / 2,
    "precision_2": (1 / 2 + 0) / 2,
    "precision_4": (2 / 4 + 2 / 4) / 2,
    "hit_rate_2": (1 + 0) / 2,
    "mrr_4": (1 / 1 + 1 / 3) / 2,
    "map_4": ((1 / 1 + 2 / 4) / 2 + (1 / 3 + 2 / 4) / 3) / 2,
    "ndcg_2": ((1 / LOG(2)) / (1 / LOG(2) + 1 / LOG(3)) + 0) / 2,
    "ndcg_4": (
        (1 / LOG(2) + 1 / LOG(5)) / (1 / LOG(2) + 1 / LOG(3))
        + (1 / LOG(4) + 1 / LOG(5)) / (1 / LOG(2) + 1 / LOG(3) + 1 / LOG(4))
    )
    / 2,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_ranking_metrics_equal_values_computed_by_hand(name):
    metric = metrics.get(name)
    metric.update_state(HELD_OUT, SCORES)
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)
    assert metric.name == name


@pytest.mark.parametrize("name", BY_HAND)
def test_rows_without_held_out_items_are_not_in_the_mean(name):
    metric = metrics.get(name)
    metric.update_state(np.vstack([HELD_OUT, np.zeros((3, 5))]), np.vstack([SCORES, SCORES, SCORES[:1]]))
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)


@pytest.mark.parametrize("name", BY_HAND)
def test_batches_add_up_and_a_longer_ranking_gives_the_same_value(name):
    metric, by_ranking = metrics.get(name), metrics.get(name)
    for row in range(2):
        metric.update_state(HELD_OUT[row : row + 1], SCORES[row : row + 1])
    by_ranking.update_ranking(rank(SCORES, HELD_OUT, 5))
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)
    assert float(by_ranking.result()) == pytest.approx(BY_HAND[name], abs=1e-6)


def test_excluded_items_are_no_hits_even_if_no_others_are_left():
    scores = exclude(SCORES, np.array([[4, 3, 2, 1, 0], [4, -1, -1, -1, -1]]))
    metric = metrics.Recall(5)
    metric.update_state(HELD_OUT, scores)
    assert float(metric.result()) == pytest.approx((0 + 3 / 3) / 2)


def test_nan_scores_are_no_hits():
    metric = metrics.Recall(2)
    metric.update_state(HELD_OUT, np.full((2, 5), np.nan, np.float32))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("dense", [True, False])
def test_held_out_items_can_be_sparse_or_dense_rows(dense):
    columns = [np.flatnonzero(row).tolist() for row in HELD_OUT]
    ids = np.array([row + [-1] * (5 - len(row)) for row in columns])
    ranking = rank(SCORES, observed_rows(HELD_OUT if dense else {"ids": ids}), 4)
    for part, expected in zip(ranking, rank(SCORES, HELD_OUT, 4), strict=True):
        np.testing.assert_array_equal(part, expected)
        assert np.asarray(part).dtype == np.asarray(expected).dtype


def test_a_list_longer_than_the_catalogue_is_padded():
    ranking = rank(SCORES, HELD_OUT, 7)
    assert np.asarray(ranking.items)[0].tolist() == [4, 3, 2, 1, 0, -1, -1]
    metric = metrics.Precision(7)
    metric.update_state(HELD_OUT, SCORES)
    assert float(metric.result()) == pytest.approx((2 / 7 + 3 / 7) / 2)


def test_top_k_marks_excluded_items():
    columns, best = top_k(exclude(SCORES[:1], np.array([[4, 0, 1]])), 4)
    assert np.asarray(columns)[0].tolist() == [3, 2, -1, -1]
    assert np.asarray(best)[0].tolist() == [4.0, 3.0, -np.inf, -np.inf]


def test_a_perfect_list_has_capped_recall_1_and_a_lower_plain_recall():
    held_out = np.array([[1.0, 1.0, 1.0, 1.0, 1.0]])
    capped, plain = metrics.Recall(2), metrics.PlainRecall(2)
    for metric in (capped, plain):
        metric.update_state(held_out, SCORES[:1])
    assert float(capped.result()) == 1.0
    assert float(plain.result()) == pytest.approx(2 / 5)


def test_coverage_counts_distinct_items():
    metric = metrics.CatalogueCoverage(2, n_items=5)
    metric.update_state(HELD_OUT, SCORES)
    assert float(metric.result()) == pytest.approx(2 / 5)
    metric.update_ranking(Ranking(np.array([[0, -1]]), None, np.ones(1)))
    assert float(metric.result()) == pytest.approx(3 / 5)


def test_rmse_is_over_all_entries_not_a_mean_over_users():
    nan = np.nan
    ratings = np.array([[5.0, nan, 0.0], [3.0, nan, nan]], np.float32)
    predicted = np.array([[3.0, 99.0, 0.0], [3.5, 99.0, 99.0]], np.float32)
    rmse, mae = metrics.RMSE(), metrics.MAE()
    for metric in (rmse, mae):
        metric.update_state(ratings, predicted)
    assert float(rmse.result()) == pytest.approx(np.sqrt((4 + 0 + 0.25) / 3))
    assert float(mae.result()) == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_weights_of_rows(shape):
    targets, scores, weights = [[0, 1, 1], [1, 0, 0]], [[3.0, 2, 1], [3, 2, 1]], np.array([1.0, 3.0])
    hit_rate, mae = metrics.HitRate(1), metrics.MAE(missing=0.0)
    for metric in (hit_rate, mae):
        metric.update_state(targets, scores, sample_weight=weights.reshape(shape))
    assert float(hit_rate.result()) == pytest.approx(3 / 4)
    assert float(mae.result()) == pytest.approx((1 * (1 + 0) + 3 * 2) / (1 * 2 + 3 * 1))


def test_weights_of_ratings():
    metric = metrics.RMSE(missing=0.0)
    metric.update_state([[5.0, 3, 0]], [[4.0, 1, 9]], sample_weight=[[1.0, 3, 7]])
    assert float(metric.result()) == pytest.approx(((1 + 3 * 4) / 4) ** 0.5)


def test_rmse_clips_to_the_range_of_ratings():
    metric = metrics.RMSE(value_range=(1, 5))
    metric.update_state(np.array([[5.0, 1.0]]), np.array([[7.0, -2.0]]))
    assert float(metric.result()) == 0.0


def test_a_function_becomes_the_mean_of_its_values():
    metric = metrics.get(keras.losses.mean_absolute_error)
    metric.update_state(np.zeros((2, 2)), np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert (metric.name, float(metric.result())) == ("mean_absolute_error", 2.5)


@pytest.mark.parametrize("metric", [5, {"a": "rmse"}, metrics.NDCG])
def test_what_is_no_metric_is_refused(metric):
    with pytest.raises(ValueError, match="`metrics`: expected names, metrics or functions, got"):
        metrics.get(metric)


@pytest.mark.parametrize("name", ["ndcg", "ndcg_", "ndcg_x", "ndcg_0", "ndcg_²", "recall_20_50", "loss", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"`metrics`: expected rmse, mae, or one of .*, got {name!r}"):
        metrics.get(name)


@pytest.mark.parametrize("k", [0, -1, 2.0, "3"])
def test_k_must_be_a_positive_integer(k):
    with pytest.raises(ValueError, match="`k`"):
        metrics.NDCG(k)


@pytest.mark.parametrize("name", [*BY_HAND, "rmse", "mae"])
def test_config_round_trip(name):
    metric = metrics.get(name)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(copy) is type(metric)
    assert copy.name == name


def test_scores_with_another_number_of_columns_are_refused():
    for metric in (metrics.NDCG(2), metrics.RMSE(), metrics.CatalogueCoverage(2, 5)):
        with pytest.raises(ValueError, match="`y_pred`: expected 4 columns, as in `y_true`, got 5"):
            metric.update_state(HELD_OUT[:, :4], SCORES)


@pytest.mark.parametrize("make", [metrics.NDCG, lambda k: metrics.CatalogueCoverage(k, 5)])
def test_k_is_an_integer_and_no_boolean(make):
    assert make(np.int64(3)).k == 3
    for k, message in (
        (True, "`k`: expected an integer, got True"),
        (2.0, "`k`: expected an integer, got 2.0"),
        (0, "`k`: expected at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            make(k)


def test_a_config_contains_the_dtype():
    for metric in (metrics.NDCG(3, dtype="float64"), metrics.RMSE(dtype="float64")):
        assert type(metric).from_config(metric.get_config()).dtype == "float64"


@pytest.mark.parametrize(
    "make",
    [lambda **kw: metrics.NDCG(2, **kw), lambda **kw: metrics.CatalogueCoverage(2, 5, **kw), metrics.RMSE, metrics.MAE],
)
def test_results_have_the_dtype_of_the_metric(make):
    metric = make(dtype="float64")
    metric.update_state(HELD_OUT, SCORES)
    assert keras.backend.standardize_dtype(metric.result().dtype) == "float64"


@pytest.mark.parametrize("name", ["ndcg_2", "hit_rate_2", "rmse", "mae"])
def test_one_weight_for_all_rows_changes_nothing(name):
    metric, weighted = metrics.get(name), metrics.get(name)
    metric.update_state(HELD_OUT, SCORES)
    weighted.update_state(HELD_OUT, SCORES, sample_weight=0.5)
    assert float(weighted.result()) == pytest.approx(float(metric.result()), rel=1e-6)


def test_coverage_counts_only_rows_of_positive_weight():
    targets, scores = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32) * 5
    for weights, expected in ((np.zeros(4), 0), (np.array([0.0, 1.0, 0.5, 0.0]), 2 / 4), (None, 1), (0.0, 0)):
        metric = metrics.CatalogueCoverage(1, 4)
        metric.update_state(targets, scores, sample_weight=weights)
        assert float(metric.result()) == pytest.approx(expected)


def test_weights_per_entry_and_scores_of_one_row_are_refused():
    with pytest.raises(ValueError, match=r"ndcg_2: expected one weight per row, \(batch,\), got shape \(2, 5\)"):
        metrics.NDCG(2).update_state(HELD_OUT, SCORES, sample_weight=np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"ndcg_2: expected scores of shape \(batch, n_items\), .* rank 1"):
        metrics.NDCG(2).update_state(HELD_OUT[0], SCORES[0])


@pytest.mark.parametrize("k", [4, 40])
def test_items_of_equal_score_have_a_fixed_random_order(k):
    scores = np.repeat(np.array([[2.0, 1.0]], np.float32), 20, axis=1)  # two groups of 20 equal scores
    items, best = (np.asarray(part) for part in top_k_with_hashed_ties(scores, k))
    order = hashed_order(40).tolist()
    expected = [item for item in order if item < 20] + [item for item in order if item >= 20]
    assert items[0].tolist() == expected[:k]
    np.testing.assert_array_equal(best, scores[:, expected[:k]])
    assert sorted(order) == list(range(40)) and order != sorted(order)
    np.testing.assert_array_equal(rank(scores, np.zeros((1, 40)), k).items, items)


def test_a_constant_model_is_measured_as_a_random_one():
    popular_first = (np.random.default_rng(0).random((2000, 100)) < np.linspace(0.5, 0.0, 100)).astype(np.float32)
    recall = metrics.Recall(10)
    recall.update_state(popular_first, np.zeros_like(popular_first))
    random = metrics.Recall(10)
    random.update_state(popular_first, np.random.default_rng(1).random(popular_first.shape))
    assert float(recall.result()) == pytest.approx(float(random.result()), abs=0.05)  # by position it would be 0.47
    assert float(random.result()) == pytest.approx(0.25, abs=0.02)


VECTORS = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 0.0], [1.0, 1.0]], np.float32)
POPULARITY = [0.5, 0.25, 0.125, 1.0, 1.0]


def test_novelty_is_the_mean_self_information_in_bits():
    metric = metrics.Novelty(3, POPULARITY)
    metric.update_ranking(
        Ranking(np.array([[0, 1, 2], [2, -1, -1], [4, 4, 4]]), np.zeros((3, 3)), np.array([1.0, 1, 0]))
    )
    assert float(metric.result()) == pytest.approx(((1 + 2 + 3) / 3 + 3) / 2)  # row 2 has no held-out items
    with pytest.raises(ValueError, match="`popularity`: expected one share per item, above 0"):
        metrics.Novelty(3, [0.5, 0.0])


def test_diversity_is_the_mean_dissimilarity_of_pairs():
    metric = metrics.IntraListDiversity(3, VECTORS)
    metric.update_ranking(Ranking(np.array([[0, 1, 2]]), np.zeros((1, 3)), np.ones(1)))
    assert float(metric.result()) == pytest.approx(2 / 3)  # one of three pairs is equal
    other = metrics.IntraListDiversity(3, VECTORS)
    other.update_ranking(Ranking(np.array([[0, 4, -1]]), np.zeros((1, 3)), np.ones(1)))
    assert float(other.result()) == pytest.approx(1 - 0.5**0.5)
    alone = metrics.IntraListDiversity(3, VECTORS)
    alone.update_ranking(Ranking(np.array([[0, -1, -1]]), np.zeros((1, 3)), np.ones(1)))
    assert float(alone.result()) == 1.0


@pytest.mark.parametrize("popularity", [[3.0, 4.0], [0.5, np.inf], [0.5, 0.0], [[0.5]]])
def test_novelty_needs_shares(popularity):
    with pytest.raises(ValueError, match="`popularity`: expected one share per item, above 0 and at most 1"):
        metrics.Novelty(2, popularity)


@pytest.mark.parametrize(
    "metric",
    [metrics.CatalogueCoverage(2, 3), metrics.Novelty(2, np.ones(3)), metrics.IntraListDiversity(2, np.eye(3))],
    ids=lambda metric: metric.name,
)
def test_metrics_of_another_catalogue_are_refused(metric):
    with pytest.raises(ValueError, match=f"{metric.name}: expected 3 items, got 4"):
        metric.update_state(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match=f"{metric.name}: expected 3 items, got 5"):
        EASE(5, reg=1.0).compile(metrics=[metric])


@pytest.mark.parametrize("value_range", [(5, 1), (5,), "ab"])
def test_the_value_range_of_a_metric_is_checked(value_range):
    with pytest.raises(ValueError, match="`value_range`: expected .lowest, highest. rating"):
        metrics.RMSE(value_range=value_range)
