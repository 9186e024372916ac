"""Metrics against cases worked out by hand."""

import keras
import numpy as np
import pytest

from kerasrec import metrics
from kerasrec.ops.ranking import Ranking, exclude, rank, top_k
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
def test_ranking_metric_by_hand(name):
    metric = metrics.get(name)
    metric.update_state(HELD_OUT, SCORES)
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)
    assert metric.name == name


@pytest.mark.parametrize("name", BY_HAND)
def test_rows_with_nothing_held_out_are_left_out_of_the_mean(name):
    metric = metrics.get(name)
    metric.update_state(np.vstack([HELD_OUT, np.zeros((3, 5))]), np.vstack([SCORES, SCORES, SCORES[:1]]))
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)


@pytest.mark.parametrize("name", BY_HAND)
def test_batches_add_up_and_one_long_ranking_serves_every_k(name):
    metric, by_ranking = metrics.get(name), metrics.get(name)
    for row in range(2):
        metric.update_state(HELD_OUT[row : row + 1], SCORES[row : row + 1])
    by_ranking.update_ranking(rank(SCORES, HELD_OUT, 5))
    assert float(metric.result()) == pytest.approx(BY_HAND[name], abs=1e-6)
    assert float(by_ranking.result()) == pytest.approx(BY_HAND[name], abs=1e-6)


def test_seen_items_never_count_even_when_nothing_else_is_left():
    scores = exclude(SCORES, np.array([[4, 3, 2, 1, 0], [4, -1, -1, -1, -1]]))
    metric = metrics.Recall(5)
    metric.update_state(HELD_OUT, scores)
    assert float(metric.result()) == pytest.approx((0 + 3 / 3) / 2)


def test_scores_that_are_no_numbers_hit_nothing():
    metric = metrics.Recall(2)
    metric.update_state(HELD_OUT, np.full((2, 5), np.nan, np.float32))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("dense", [True, False])
def test_what_was_held_out_may_be_given_as_entries(dense):
    columns = [np.flatnonzero(row).tolist() for row in HELD_OUT]
    ids = np.array([row + [-1] * (5 - len(row)) for row in columns])
    found = rank(SCORES, observed_rows(HELD_OUT if dense else {"ids": ids}), 4)
    for ours, theirs in zip(found, rank(SCORES, HELD_OUT, 4), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype


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


def test_a_perfect_list_scores_one_in_capped_recall_only():
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
    metric.update_ranking(Ranking(np.array([[0, -1]]), None, None))
    assert float(metric.result()) == pytest.approx(3 / 5)


def test_rmse_is_over_all_entries_and_not_a_mean_of_users():
    nan = np.nan
    truth = np.array([[5.0, nan, 0.0], [3.0, nan, nan]], np.float32)
    predicted = np.array([[3.0, 99.0, 0.0], [3.5, 99.0, 99.0]], np.float32)
    rmse, mae = metrics.RMSE(), metrics.MAE()
    for metric in (rmse, mae):
        metric.update_state(truth, predicted)
    assert float(rmse.result()) == pytest.approx(np.sqrt((4 + 0 + 0.25) / 3))
    assert float(mae.result()) == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_weights_of_rows(shape):
    truth, answer, weights = [[0, 1, 1], [1, 0, 0]], [[3.0, 2, 1], [3, 2, 1]], np.array([1.0, 3.0])
    ranked, rated = metrics.HitRate(1), metrics.MAE(missing=0.0)
    for metric in (ranked, rated):
        metric.update_state(truth, answer, sample_weight=weights.reshape(shape))
    assert float(ranked.result()) == pytest.approx(3 / 4)
    assert float(rated.result()) == pytest.approx((1 * (1 + 0) + 3 * 2) / (1 * 2 + 3 * 1))


def test_weights_of_ratings():
    metric = metrics.RMSE(missing=0.0)
    metric.update_state([[5.0, 3, 0]], [[4.0, 1, 9]], sample_weight=[[1.0, 3, 7]])
    assert float(metric.result()) == pytest.approx(((1 + 3 * 4) / 4) ** 0.5)


def test_rmse_clips_to_the_range_of_ratings():
    metric = metrics.RMSE(value_range=(1, 5))
    metric.update_state(np.array([[5.0, 1.0]]), np.array([[7.0, -2.0]]))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("name", ["ndcg", "ndcg_", "ndcg_x", "recall_20_50", "loss", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match="no metric"):
        metrics.get(name)


@pytest.mark.parametrize("k", [0, -1, 2.0, "3"])
def test_k_must_be_a_positive_integer(k):
    with pytest.raises(ValueError, match="`k`"):
        metrics.NDCG(k)


@pytest.mark.parametrize("name", [*BY_HAND, "rmse", "mae"])
def test_config_round_trip(name):
    metric = metrics.get(name)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric)
    assert again.name == name


def test_rows_of_other_widths_are_refused():
    for metric in (metrics.NDCG(2), metrics.RMSE(), metrics.CatalogueCoverage(2, 5)):
        with pytest.raises(ValueError, match="`y_pred`: expected 4 columns, as in `y_true`, got 5"):
            metric.update_state(HELD_OUT[:, :4], SCORES)


@pytest.mark.parametrize("make", [metrics.NDCG, lambda k: metrics.CatalogueCoverage(k, 5)])
def test_k_is_a_whole_number(make):
    assert make(np.int64(3)).k == 3
    for k, message in (
        (True, "`k`: expected an integer, got True"),
        (2.0, "`k`: expected an integer, got 2.0"),
        (0, "`k`: expected at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            make(k)


def test_a_metric_of_another_dtype_is_loaded_as_one():
    for metric in (metrics.NDCG(3, dtype="float64"), metrics.RMSE(dtype="float64")):
        assert type(metric).from_config(metric.get_config()).dtype == "float64"
