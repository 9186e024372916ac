"""Requests from several threads, and the number of compiled predictors."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kerasrec import EASE, generate
from kerasrec.data import item_profiles


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
