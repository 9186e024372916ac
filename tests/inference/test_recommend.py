"""Requests from several threads, and the number of compiled predictors."""

import math
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import keras
import numpy as np
import pandas as pd
import pytest

from kerasrec import EASE, Interactions, MultVAE, Popularity, generate
from kerasrec.data import item_profiles
from kerasrec.inference import recommend_batches
from kerasrec.inference.recommend import as_id_list
from kerasrec.inference.recommendations import decoded


@pytest.fixture(scope="module")
def table():
    return generate(n_users=300, n_items=200, seed=1)


@pytest.fixture
def model(table):
    model = EASE(table.n_items, reg=20.0)
    model.fit(table, verbose=0)
    return model


def test_each_thread_gets_the_lists_of_its_own_request(model, table):
    histories = table.take_users(range(20))
    ids = table.item_ids.tolist()
    requests = [{"exclude": ids[i : i + 3]} for i in range(10)]
    requests += [{"candidates": ids[7 * i : 7 * i + 20]} for i in range(10)]
    requests += [{}] * 10
    with ThreadPoolExecutor(4) as executor:  # the first requests also compile the predictor together
        lists = list(executor.map(lambda request: model.recommend(histories, 5, **request), requests * 3))
    expected = [model.recommend(histories, 5, **request) for request in requests] * 3
    for request, result, alone in zip(requests * 3, lists, expected, strict=True):
        np.testing.assert_array_equal(result.item_ids, alone.item_ids)
        assert not np.isin(result.item_ids, request.get("exclude", [])).any()
        assert np.isin(result.item_ids, request.get("candidates", ids)).all()
    assert len(model.predictor_cache.predictors) == 1


def test_many_values_of_k_share_few_predictors(model, table):
    histories = table.take_users(range(5))
    longest = model.recommend(histories, table.n_items - 1)
    for k in range(1, 100, 2):
        lists = model.recommend(histories, k)
        assert lists.item_ids.shape == lists.scores.shape == (5, k)
        np.testing.assert_array_equal(lists.item_ids, longest.item_ids[:, :k])
    assert len(model.predictor_cache.predictors) <= math.log2(table.n_items)


def test_diversify_makes_lists_more_diverse_and_needs_the_training_table(model, table):
    histories = table.take_users(range(40))
    vectors = item_profiles(table)

    def similarity(lists):
        rows = vectors[np.searchsorted(table.item_ids, lists.item_ids)]
        return np.mean(np.einsum("ujd,ukd->ujk", rows, rows))

    plain, diverse, none = (model.recommend(histories, 10, train=table, diversify=d) for d in (0.0, 0.7, 1e-9))
    assert similarity(diverse) < similarity(plain) - 0.02
    np.testing.assert_array_equal(plain.item_ids, none.item_ids)
    np.testing.assert_array_equal(plain.item_ids[:, 0], diverse.item_ids[:, 0])
    for user in range(40):
        assert not np.isin(diverse.item_ids[user], table.item_ids[table.row(user)]).any()
    for arguments, message in (
        ({"diversify": 0.5}, "`diversify`: expected the training table as `train`"),
        ({"diversify": 1.5, "train": table}, "`diversify`: expected 0 to 1, got 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            model.recommend(histories, 10, **arguments)


def test_items_of_equal_popularity_are_in_id_order():
    table = Interactions.from_arrays([1, 1, 2, 2, 3], ["b", "c", "c", "b", "a"])
    model = Popularity(table.n_items)
    model.fit(table, verbose=0)
    lists = model.recommend(Interactions.from_histories([[]], table), 3)
    assert lists.item_ids.tolist() == [["b", "c", "a"]]


def test_equal_scores_are_in_the_order_of_popularity(table):
    model = EASE(table.n_items, reg=20.0)
    model.fit(table, verbose=0)
    model.kernel.assign(np.ones(model.kernel.shape, np.float32))
    lists = model.recommend(table.take_users(range(30)), 25)
    for user in range(30):
        popular = np.lexsort((table.item_ids, -table.item_counts))
        unseen = popular[np.isin(popular, table.row(user), invert=True)]
        assert lists.item_ids[user].tolist() == table.item_ids[unseen[:25]].tolist()


def test_a_model_fitted_on_a_stream_scores_unknown_users_itself(table):
    model = MultVAE(table.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
    model.compile()
    model.fit((model.batches(table)[0] for _ in range(1)), epochs=1, steps_per_epoch=1, shuffle=False, verbose=0)
    assert model.item_popularity is None
    nobody = Interactions.from_histories([[]], table)
    scores = model.predict(nobody, verbose=0)[0]
    np.testing.assert_array_equal(model.recommend(nobody, 5).item_ids[0], table.item_ids[np.argsort(-scores)[:5]])


def test_the_stream_of_tables_has_the_lists_of_recommend(model, table):
    users = table.user_ids[::-1]
    lists = model.recommend(table, 7, users=users)
    tables = list(recommend_batches(model, table, 7, users=users, batch_size=64))
    assert [len(part) for part in tables] == [64 * 7] * 4 + [44 * 7]
    rows = [decoded(part).to_pydict() for part in tables]
    for name, expected in decoded(lists.to_arrow()).to_pydict().items():
        assert [value for part in rows for value in part[name]] == expected
    np.testing.assert_array_equal(rows[0]["user_id"][:14], np.repeat(users[:2], 7))
    assert rows[0]["rank"][:14] == [*range(1, 8)] * 2


def test_a_lowest_score_shortens_the_lists(model, table):
    lists = model.recommend(table, 7)
    lowest = float(np.median(lists.scores))
    (part,) = recommend_batches(model, table, 7, min_score=lowest, batch_size=1000)
    assert len(part) == (lists.scores >= lowest).sum()
    assert min(part["score"].to_pylist()) >= lowest
    histories = Interactions.from_histories([[], [3]], table)
    (part,) = recommend_batches(model, histories, 7, min_score=-10.0)
    assert decoded(part)["user_id"].unique().to_pylist() == histories.user_ids[1:].tolist(), "popularity is no score"


def test_titles_are_those_of_the_items(model, table):
    untitled = Interactions.from_arrays([1], table.item_ids[:1]).with_catalogue(table.item_ids)
    with pytest.raises(ValueError, match="`titles`: expected data with titles"):
        recommend_batches(model, untitled, 3, titles=True)
    titled = table.with_titles({item: f"title {item}" for item in table.item_ids.tolist()})
    for histories in (titled.take_users([0, 1]), titled.take_users([])):
        (part,) = recommend_batches(model, histories, 3, titles=True)
        rows = decoded(part)
        assert rows["title"].to_pylist() == [f"title {item}" for item in rows["item_id"].to_pylist()]
        assert len(rows) == 3 * histories.n_users


def test_invalid_arguments_raise_before_the_first_table(model, table):
    with pytest.raises(ValueError, match="`k`"):
        recommend_batches(model, table, 0)


def test_a_lowest_score_that_is_nan_is_refused(model, table):
    with pytest.raises(ValueError, match="`min_score`: expected a number, got nan"):
        recommend_batches(model, table, 3, min_score=float("nan"))


def test_short_lists_have_no_rows_for_missing_items(model, table):
    candidates = table.item_ids[:3].tolist()
    lists = model.recommend(table.take_users([0, 1]), 10, candidates=candidates)
    frame = lists.to_frame()
    assert len(frame) == (lists.item_ids >= 0).sum() < 20
    assert set(frame["item_id"]) <= set(candidates)


def test_a_catalogue_of_one_item(table):
    one = Interactions.from_arrays([1, 2, 3], [7, 7, 7])
    model = EASE(1, reg=20.0)
    model.fit(one, verbose=0)
    nobody = Interactions.from_histories([[]], one)
    assert model.recommend(nobody, 1).item_ids.tolist() == [[7]]
    assert model.recommend(one, 1).item_ids.tolist() == [[-1]] * 3


def test_lists_do_not_depend_on_the_default_float_of_keras(model, table):
    histories = table.take_users(range(20))
    arguments = {"k": 5, "exclude": table.item_ids[:2], "train": table, "diversify": 0.3}
    expected = model.recommend(histories, **arguments)
    keras.config.set_floatx("float64")
    try:
        other = EASE(table.n_items, reg=20.0)
        other.fit(table, verbose=0)
        lists = other.recommend(histories, **arguments)
    finally:
        keras.config.set_floatx("float32")
    np.testing.assert_array_equal(lists.item_ids, expected.item_ids)


@pytest.mark.parametrize("ids", [5, "5", None, [[5], [6]], [[5], [6, 7]], [None], [5, None], {"a": 1}])
def test_ids_that_are_no_flat_list_are_refused(ids):
    with pytest.raises(ValueError, match="`exclude`: expected one flat list of ids, got"):
        as_id_list(ids, "exclude")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [({5}, [5]), (pd.Series(["b", "a"], [7, 8]), ["b", "a"]), ([UUID(int=1)], [str(UUID(int=1))]), ((), [])],
)
def test_lists_of_ids_of_any_library_are_read(ids, expected):
    assert as_id_list(ids, "exclude").tolist() == expected


def test_an_unknown_user_of_a_series_is_named(model, table):
    with pytest.raises(ValueError, match="`users`: .*-5.* is not in `histories`"):
        model.recommend(table, 3, users=pd.Series([table.user_ids[0], -5], [7, 8]))
