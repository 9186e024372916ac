"""Standard errors, who is left out, and what a cold rating gets."""

import keras
import numpy as np
import pytest
from scipy.stats import ttest_rel

from kerasrec import HeldOut, HeldOutUsers, Interactions, MultVAE, Popularity, Recommender, compare, evaluate, generate
from kerasrec.metrics import RMSE, CatalogueCoverage


class Fixed(Recommender):
    """Answers each row with the scores it was given."""

    def __init__(self, answer, feedback="likes"):
        self.feedback = feedback
        super().__init__(answer.shape[1])
        self.answer = answer.astype("float32")
        self.built = True

    def call(self, inputs, training=False):
        return keras.ops.take(self.answer, inputs["row"], axis=0)


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
def test_means_errors_and_the_users_left_out(batch_size):
    held_out = HeldOut(SEEN, table([(0, 1), (1, 2), (2, 0), (2, 1)], 4, 5))
    result = evaluate(Fixed(SCORES), held_out, ["recall_1", "recall_2"], batch_size=batch_size)
    # Without what they have seen: user 0 ranks 1, 2, 3, 4; users 1 and 2 rank 3, 2, 1, 0; user 3 has nothing held out.
    assert result.per_user["recall_1"].tolist() == [1, 0, 0]
    assert result.per_user["recall_2"].tolist() == [1, 1, 0]
    assert result.user_ids.tolist() == [0, 1, 2]
    assert result.means == {"recall_1": pytest.approx(1 / 3), "recall_2": pytest.approx(2 / 3)}
    assert result.standard_errors["recall_1"] == pytest.approx(np.std([1, 0, 0], ddof=1) / np.sqrt(3))
    assert (result.n_users, result.n_ratings, result.left_out) == (3, 0, 1)
    assert result.as_dict()["recall_2_se"] == result.standard_errors["recall_2"]
    assert "over 3 users; users with nothing held out, left aside: 1" in str(result)


@pytest.mark.parametrize("batch_size", [1, 500])
def test_rmse_clips_falls_back_and_is_over_all_ratings(batch_size):
    train = table([(0, 0), (0, 1), (1, 0), (2, 1)], 4, 3, [1, 5, 4, 2])  # user 3 and item 2 are cold
    truth = table([(0, 2), (1, 1), (3, 0), (3, 1)], 4, 3, [5, 5, 1, 3])
    answer = np.array([[0, 0, 5.0], [0, 9, 0], [0, 0, 0], [1, 1, 1]])
    result = evaluate(Fixed(answer, "ratings"), HeldOut(train, truth), ["rmse", "mae"], batch_size=batch_size)
    # Cold item 2: the middle, 3, for 5. 9 is clipped to 5 for 5. Cold user 3: 3 for 1 and for 3.
    errors = np.array([2.0, 0.0, 2.0, 0.0])
    assert result.means["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert result.means["mae"] == pytest.approx(errors.mean())
    assert (result.n_users, result.n_ratings) == (0, 4)
    both = evaluate(Fixed(answer, "ratings"), HeldOut(train, truth), ["rmse", "recall_1"], batch_size=batch_size)
    assert "over 3 users and 4 ratings" in str(both)
    assert (both.as_dict()["n"], both.as_dict()["n_ratings"], both.left_out) == (3, 4, 1)
    squared_error_se = (errors**2).std(ddof=1) / 2
    assert result.standard_errors["rmse"] == pytest.approx(squared_error_se / (2 * result.means["rmse"]))


@pytest.mark.parametrize("name", ["rmse", "error"])
def test_rmse_of_two_models_is_compared_as_rmse(name):
    train = table([(0, 0), (0, 1), (1, 0), (2, 1), (3, 2)], 4, 3, [1, 5, 4, 2, 3])
    truth = table([(0, 2), (1, 1), (2, 0), (3, 1)], 4, 3, [5, 5, 1, 3])
    rng = np.random.default_rng(0)
    one, two = (
        evaluate(Fixed(rng.uniform(1, 5, (4, 3)), "ratings"), HeldOut(train, truth), [RMSE(name)]) for _ in range(2)
    )
    assert compare(one, two)[name].difference == pytest.approx(one.means[name] - two.means[name])


def test_a_model_of_users_and_one_of_items_are_compared_rating_by_rating():
    train = table([(0, 0), (0, 1), (1, 0), (2, 1), (3, 2)], 4, 3, [1, 5, 4, 2, 3])
    truth = table([(0, 2), (1, 1), (2, 0), (3, 1), (1, 2)], 4, 3, [5, 5, 1, 3, 2])
    answer = np.random.default_rng(0).uniform(1, 5, (4, 3))
    by_item = Fixed(answer.T, "ratings")
    by_item.rows = "items"
    one, two = (evaluate(model, HeldOut(train, truth), ["rmse"]) for model in (Fixed(answer, "ratings"), by_item))
    np.testing.assert_array_equal(one.per_rating["rmse"], two.per_rating["rmse"])
    found = compare(one, two)["rmse"]
    assert (found.difference, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)


def test_what_ratings_are_clipped_to_and_which_items_are_cold():
    """A stranger's ratings tell neither the range of all ratings nor which items nobody rated."""
    inputs, truth = table([(0, 0), (0, 1)], 1, 3, [4, 5]), table([(0, 2)], 1, 3, [1])
    held_out = HeldOut(inputs, truth, np.array([-1]))
    model = Fixed(np.array([[0.0, 0.0, 0.5]] * 2), "ratings")
    assert evaluate(model, held_out, ["rmse"]).means["rmse"] == 3  # 4, the lowest seen
    model.value_range = (1.0, 5.0)
    assert evaluate(model, held_out, ["rmse"]).means["rmse"] == 0
    assert evaluate(model, held_out, [RMSE(value_range=(2.5, 5.0))]).means["rmse"] == 1.5


def test_ratings_of_a_model_of_likes_are_not_measured():
    with pytest.raises(ValueError, match="rmse measures predicted ratings, which Fixed does not make"):
        evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1)], 4, 5)), ["rmse"])


def test_coverage_is_of_all_lists():
    """Also of users with nothing held out, as Keras' `evaluate` has it."""
    held_out, model = HeldOut(SEEN, table([(0, 1)], 4, 5)), Popularity(5)
    model.fit(SEEN, verbose=0)  # liked twice: 0 and 4, which the users who lack them are told first
    model.compile(metrics=[CatalogueCoverage(1, 5)])
    assert model.evaluate(held_out, verbose=0, return_dict=True)["coverage_1"] == pytest.approx(0.4)
    assert evaluate(model, held_out, [CatalogueCoverage(1, 5)]).means["coverage_1"] == pytest.approx(0.4)


def test_the_same_difference_for_all_is_no_chance():
    held_out = HeldOut(SEEN, table([(0, 1), (1, 3), (2, 3)], 4, 5))
    right, wrong = (evaluate(Fixed(by * SCORES), held_out, ["hit_rate_1"]) for by in (1, -1))
    found = compare(right, wrong)["hit_rate_1"]
    assert (found.difference, found.standard_error, found.p_value) == (1.0, 0.0, 0.0)
    alone = HeldOut(SEEN, table([(0, 1)], 4, 5))
    right, wrong = (evaluate(Fixed(by * SCORES), alone, ["hit_rate_1"]) for by in (1, -1))
    assert np.isnan(compare(right, wrong)["hit_rate_1"].p_value)


def test_what_is_no_part_of_a_split_and_no_evaluation_is_named():
    with pytest.raises(TypeError, match="`held_out` must be a HeldOut, as `split.test` is, not Interactions"):
        evaluate(Fixed(SCORES), SEEN)
    with pytest.raises(TypeError, match="`compare` takes what `evaluate` returns, not Fixed"):
        compare(Fixed(SCORES), Fixed(SCORES))


def test_nothing_held_out_is_an_error():
    with pytest.raises(ValueError, match="nothing is held out"):
        evaluate(Fixed(SCORES), HeldOut(SEEN))


def test_a_metric_that_is_neither_is_an_error():
    with pytest.raises(ValueError, match="'cosine_similarity' is neither"):
        evaluate(Fixed(SCORES), HeldOut(SEEN, SEEN), [keras.metrics.CosineSimilarity()])


def test_models_are_compared_user_by_user():
    held_out = HeldOut(SEEN, table([(0, 1), (1, 2), (2, 0), (2, 1)], 4, 5))
    better = SCORES.copy()
    better[2, :2] = 9.0
    one, two = (evaluate(Fixed(s), held_out, ["recall_2", "precision_2"]) for s in (better, SCORES))
    found = compare(one, two)
    assert list(found) == ["precision_2", "recall_2"]
    apart = np.array([0.0, 0.0, 1.0])
    assert found["recall_2"].difference == pytest.approx(apart.mean())
    assert found["recall_2"].standard_error == pytest.approx(apart.std(ddof=1) / np.sqrt(3))
    assert found["recall_2"].p_value == pytest.approx(
        ttest_rel(one.per_user["recall_2"], two.per_user["recall_2"]).pvalue
    )
    assert compare(one, one)["recall_2"].p_value == 1.0
    with pytest.raises(ValueError, match="same split"):
        compare(one, evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1), (1, 2)], 4, 5)), ["recall_2"]))
    others = HeldOut(SEEN, table([(0, 2), (1, 2), (2, 0), (2, 1)], 4, 5))
    with pytest.raises(ValueError, match="other items or ratings were held out"):
        compare(one, evaluate(Fixed(SCORES), others, ["recall_2"]))


def test_one_user_has_no_standard_error():
    result = evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1)], 4, 5)), "recall_2")
    assert result.as_dict()["recall_2_se"] is None
    assert "nan" not in str(result) and "±" not in str(result)


def test_coverage_is_over_all_lists_together():
    from kerasrec.metrics import CatalogueCoverage

    result = evaluate(Fixed(SCORES), HeldOut(SEEN, table([(0, 1), (1, 2)], 4, 5)), [CatalogueCoverage(1, 5)])
    assert result.means["coverage_1"] == pytest.approx(2 / 5)
    assert "coverage_1" not in result.standard_errors


def test_one_graph_answers_batches_of_any_shape():
    split = HeldOutUsers(held_out=40).split(generate(n_users=150, n_items=60, seed=1))
    model = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
    model.build()
    call, traced = model.call, []
    model.call = lambda *args, **kwargs: traced.append(args) or call(*args, **kwargs)
    figures = [evaluate(model, split.test, ["ndcg_10"], batch_size=size).means["ndcg_10"] for size in (16, 40, 3)]
    assert len(traced) == 1
    assert figures[1:] == pytest.approx(figures[:1] * 2, abs=1e-6)
