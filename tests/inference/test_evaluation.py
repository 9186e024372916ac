"""Means and standard errors, users without held-out items, cold ratings, and paired comparison."""

import keras
import numpy as np
import pytest
from scipy.stats import ttest_rel

from kerasrec import HeldOut, HeldOutUsers, Interactions, MultVAE, Popularity, Recommender, compare, evaluate, generate
from kerasrec.metrics import RMSE, CatalogueCoverage


class Fixed(Recommender):
    """Returns fixed scores for each row."""

    def __init__(self, fixed_scores, feedback="likes"):
        self.feedback = feedback
        super().__init__(fixed_scores.shape[1])
        self.fixed_scores = fixed_scores.astype("float32")
        self.built = True

    def call(self, inputs, training=False):
        return keras.ops.take(self.fixed_scores, inputs["row"], axis=0)


def table(pairs, n_users, n_items, values=None):
    users, items = np.array(pairs).T
    order = np.lexsort((np.arange(len(users)), users))
    counts = np.bincount(users, minlength=n_users)
    values = np.ones(len(users)) if values is None else np.asarray(values)
    return Interactions(
        np.concatenate([[0], np.cumsum(counts)]),
        items[order],
        values[order],
        None,
        np.arange(n_users),
        np.arange(n_items),
    )


SCORES = np.array([[5.0, 4, 3, 2, 1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])
SEEN = table([(0, 0), (1, 4), (2, 4), (3, 0)], 4, 5)


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_means_standard_errors_and_users_without_held_out_items(batch_size):
    held_out = HeldOut(SEEN, table([(0, 1), (1, 2), (2, 0), (2, 1)], 4, 5))
    result = evaluate(Fixed(SCORES), held_out, ["recall_1", "recall_2"], batch_size=batch_size)
    # Without seen items user 0 ranks 1, 2, 3, 4; users 1 and 2 rank 3, 2, 1, 0; user 3 has no held-out items.
    assert result.per_user["recall_1"].tolist() == [1, 0, 0]
    assert result.per_user["recall_2"].tolist() == [1, 1, 0]
    assert result.user_ids.tolist() == [0, 1, 2]
    assert result.means == {"recall_1": pytest.approx(1 / 3), "recall_2": pytest.approx(2 / 3)}
    assert result.standard_errors["recall_1"] == pytest.approx(np.std([1, 0, 0], ddof=1) / np.sqrt(3))
    assert (result.n_users, result.n_ratings, result.left_out) == (3, 0, 1)
    assert result.as_dict()["recall_2_se"] == result.standard_errors["recall_2"]
    assert "over 3 users; 1 users without held-out items left out" in repr(result)


@pytest.mark.parametrize("batch_size", [1, 500])
def test_rmse_is_over_all_ratings_clips_and_predicts_the_middle_for_cold_ratings(batch_size):
    train = table([(0, 0), (0, 1), (1, 0), (2, 1)], 4, 3, [1, 5, 4, 2])  # user 3 and item 2 are cold
    ratings = table([(0, 2), (1, 1), (3, 0), (3, 1)], 4, 3, [5, 5, 1, 3])
    model = Fixed(np.array([[0, 0, 5.0], [0, 9, 0], [0, 0, 0], [1, 1, 1]]), "ratings")
    result = evaluate(model, HeldOut(train, ratings), ["rmse", "mae"], batch_size=batch_size)
    # Cold item 2: 3, the middle, instead of 5. 9 is clipped to 5. Cold user 3: 3 instead of 1, and 3.
    errors = np.array([2.0, 0.0, 2.0, 0.0])
    assert result.means["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert result.means["mae"] == pytest.approx(errors.mean())
    assert (result.n_users, result.n_ratings) == (0, 4)
    both = evaluate(model, HeldOut(train, ratings), ["rmse", "recall_1"], batch_size=batch_size)
    assert "over 3 users and 4 ratings" in str(both)
    assert (both.as_dict()["n"], both.as_dict()["n_ratings"], both.left_out) == (3, 4, 1)
    # By user: 0 and 1 have one rating each, 3 has two. Squared errors 4 | 0 | 4, 0 with mean 2; deviations of the sums
    # 2 | -2 | 0; SE² = 3/2 · (2² + 2² + 0²) / 4². The delta method divides the error of the MSE by 2 RMSE.
    squared_error_se = np.sqrt(3 / 2 * (2**2 + 2**2 + 0**2)) / 4
    assert result.standard_errors["rmse"] == pytest.approx(squared_error_se / (2 * np.sqrt(2.0)))
    # Absolute errors 2 | 0 | 2, 0 with mean 1; deviations of the sums 1 | -1 | 0.
    assert result.standard_errors["mae"] == pytest.approx(np.sqrt(3 / 2 * (1**2 + 1**2 + 0**2)) / 4)


@pytest.mark.parametrize("name", ["rmse", "error"])
def test_the_difference_of_rmse_is_that_of_the_two_rmse(name):
    train = table([(0, 0), (0, 1), (1, 0), (2, 1), (3, 2)], 4, 3, [1, 5, 4, 2, 3])
    ratings = table([(0, 2), (1, 1), (2, 0), (3, 1)], 4, 3, [5, 5, 1, 3])
    rng = np.random.default_rng(0)
    one, two = (
        evaluate(Fixed(rng.uniform(1, 5, (4, 3)), "ratings"), HeldOut(train, ratings), [RMSE(name)]) for _ in range(2)
    )
    assert compare(one, two)[name].difference == pytest.approx(one.means[name] - two.means[name])


def test_a_model_of_user_rows_and_one_of_item_rows_are_compared_rating_by_rating():
    train = table([(0, 0), (0, 1), (1, 0), (2, 1), (3, 2)], 4, 3, [1, 5, 4, 2, 3])
    ratings = table([(0, 2), (1, 1), (2, 0), (3, 1), (1, 2)], 4, 3, [5, 5, 1, 3, 2])
    predictions = np.random.default_rng(0).uniform(1, 5, (4, 3))
    by_item = Fixed(predictions.T, "ratings")
    by_item.rows = "items"
    models = (Fixed(predictions, "ratings"), by_item)
    one, two = (evaluate(model, HeldOut(train, ratings), ["rmse"]) for model in models)
    np.testing.assert_array_equal(one.per_rating["rmse"], two.per_rating["rmse"])
    comparison = compare(one, two)["rmse"]
    assert (comparison.difference, comparison.standard_error, comparison.p_value) == (0.0, 0.0, 1.0)


def test_ratings_are_clustered_by_user_in_comparisons():
    """Copies of a user's ratings and errors must not make a difference more significant."""
    train = table([(u, i) for u in range(3) for i in range(2)], 3, 2, [1, 5, 4, 2, 3, 3])
    ratings = table([(u, i) for u in range(3) for i in range(2)], 3, 2, [3.0] * 6)
    errors = {"one": [0.5, 1.0, 1.5], "two": [1.0, 1.25, 0.5]}  # both ratings of a user have the same error
    one, two = (
        evaluate(Fixed(np.repeat(3.0 + np.array(by_user)[:, None], 2, 1), "ratings"), HeldOut(train, ratings), ["mae"])
        for by_user in errors.values()
    )
    by_user = np.subtract(errors["one"], errors["two"])
    comparison = compare(one, two)["mae"]
    assert comparison.difference == pytest.approx(by_user.mean())
    assert comparison.standard_error == pytest.approx(by_user.std(ddof=1) / np.sqrt(3))
    assert comparison.p_value == pytest.approx(ttest_rel(errors["one"], errors["two"]).pvalue)


def test_the_rating_range_and_cold_items_do_not_follow_from_the_history_of_an_unknown_user():
    inputs, ratings = table([(0, 0), (0, 1)], 1, 3, [4, 5]), table([(0, 2)], 1, 3, [1])
    held_out = HeldOut(inputs, ratings, np.array([-1]))
    model = Fixed(np.array([[0.0, 0.0, 0.5]] * 2), "ratings")
    assert evaluate(model, held_out, ["rmse"]).means["rmse"] == 3  # clipped to 4, the lowest rating of the history
    model.value_range = (1.0, 5.0)
    assert evaluate(model, held_out, ["rmse"]).means["rmse"] == 0
    assert evaluate(model, held_out, [RMSE(value_range=(2.5, 5.0))]).means["rmse"] == 1.5


def test_rmse_of_a_model_of_likes_is_refused():
    with pytest.raises(ValueError, match="rmse needs predicted ratings, and Fixed predicts none"):
        evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1)], 4, 5)), ["rmse"])


def test_coverage_is_over_the_users_of_the_other_metrics_as_in_keras():
    held_out, model = HeldOut(SEEN, table([(0, 1)], 4, 5)), Popularity(5)
    model.fit(SEEN, verbose=0)  # the most popular items are 0 and 4
    model.compile(metrics=[CatalogueCoverage(1, 5)])
    assert model.evaluate(held_out, verbose=0, return_dict=True)["coverage_1"] == pytest.approx(0.2)
    assert evaluate(model, held_out, [CatalogueCoverage(1, 5)]).means["coverage_1"] == pytest.approx(0.2)


def test_a_difference_that_all_users_share_has_p_value_0():
    held_out = HeldOut(SEEN, table([(0, 1), (1, 3), (2, 3)], 4, 5))
    right, wrong = (evaluate(Fixed(by * SCORES), held_out, ["hit_rate_1"]) for by in (1, -1))
    comparison = compare(right, wrong)["hit_rate_1"]
    assert (comparison.difference, comparison.standard_error, comparison.p_value) == (1.0, 0.0, 0.0)
    one_user = HeldOut(SEEN, table([(0, 1)], 4, 5))
    right, wrong = (evaluate(Fixed(by * SCORES), one_user, ["hit_rate_1"]) for by in (1, -1))
    assert np.isnan(compare(right, wrong)["hit_rate_1"].p_value)


def test_arguments_of_other_types_are_refused():
    with pytest.raises(TypeError, match="`held_out`: expected HeldOut, for example `split.test`, got Interactions"):
        evaluate(Fixed(SCORES), SEEN)
    with pytest.raises(TypeError, match="`compare`: expected two results of `evaluate`, got Fixed"):
        compare(Fixed(SCORES), Fixed(SCORES))
    with pytest.raises(TypeError, match="`model`: expected a model of kerasrec, got Sequential. Fix: derive"):
        evaluate(keras.Sequential(), HeldOut(SEEN, SEEN))


def test_an_empty_held_out_part_is_refused():
    with pytest.raises(ValueError, match="`held_out.targets` is empty: expected at least one held-out interaction"):
        evaluate(Fixed(SCORES), HeldOut(SEEN))


def test_metrics_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="`metrics`: expected top-K metrics, RMSE or MAE, got 'cosine_similarity'"):
        evaluate(Fixed(SCORES), HeldOut(SEEN, SEEN), [keras.metrics.CosineSimilarity()])


def test_models_are_compared_user_by_user():
    held_out = HeldOut(SEEN, table([(0, 1), (1, 2), (2, 0), (2, 1)], 4, 5))
    better = SCORES.copy()
    better[2, :2] = 9.0
    one, two = (evaluate(Fixed(s), held_out, ["recall_2", "precision_2"]) for s in (better, SCORES))
    comparisons = compare(one, two)
    assert list(comparisons) == ["precision_2", "recall_2"]
    differences = np.array([0.0, 0.0, 1.0])
    assert comparisons["recall_2"].difference == pytest.approx(differences.mean())
    assert comparisons["recall_2"].standard_error == pytest.approx(differences.std(ddof=1) / np.sqrt(3))
    assert comparisons["recall_2"].p_value == pytest.approx(
        ttest_rel(one.per_user["recall_2"], two.per_user["recall_2"]).pvalue
    )
    assert compare(one, one)["recall_2"].p_value == 1.0
    with pytest.raises(ValueError, match="same split"):
        compare(one, evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1), (1, 2)], 4, 5)), ["recall_2"]))
    others = HeldOut(SEEN, table([(0, 2), (1, 2), (2, 0), (2, 1)], 4, 5))
    with pytest.raises(ValueError, match="different held-out items or ratings"):
        compare(one, evaluate(Fixed(SCORES), others, ["recall_2"]))


def test_a_single_user_has_no_standard_error():
    result = evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1)], 4, 5)), "recall_2")
    assert result.as_dict()["recall_2_se"] is None
    assert "nan" not in str(result) and "±" not in str(result)


def test_coverage_is_over_all_lists_together():
    result = evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1), (1, 2)], 4, 5)), [CatalogueCoverage(1, 5)])
    assert result.means["coverage_1"] == pytest.approx(2 / 5)
    assert "coverage_1" not in result.standard_errors


def test_batches_of_all_shapes_share_one_graph():
    split = HeldOutUsers(held_out=40).split(generate(n_users=150, n_items=60, seed=1))
    model = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
    model.build()
    call, traced = model.call, []
    model.call = lambda *args, **kwargs: traced.append(args) or call(*args, **kwargs)
    means = [evaluate(model, split.test, ["ndcg_10"], batch_size=size).means["ndcg_10"] for size in (16, 40, 3)]
    assert len(traced) == 1
    assert means[1:] == pytest.approx(means[:1] * 2, abs=1e-6)
