"""Figures on real data, by published protocols, through the command line's own path."""

import dataclasses

import numpy as np
import pytest

from kerasrec import EASE, AutoRec, HeldOut, HeldOutUsers, Interactions, RandomRatings, evaluate, read
from kerasrec.inference.evaluation import _held_out_ratings
from kerasrec.runs import RunConfig, train
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server

pytestmark = pytest.mark.realdata

HELD_OUT = {"held_out": 500, "seed": 98765}


@pytest.fixture(scope="module")
def ml_1m(data_dir):
    return read(data_dir / "ml-1m")


def figures(plan, table, folder):
    return train(plan, lambda: table, folder).metrics["test"]


def test_ease_and_popularity_on_held_out_users(ml_1m, tmp_path):
    ease = RunConfig("ease", "ml-1m", "held-out-users", 98765, 1, 500, HELD_OUT, {"reg": 500.0})
    test = figures(ease, ml_1m, tmp_path / "ease")
    assert test["recall_20"] == pytest.approx(0.3606, abs=5e-4)
    assert test["recall_50"] == pytest.approx(0.4767, abs=5e-4)
    assert test["ndcg_100"] == pytest.approx(0.4231, abs=5e-4)
    popularity = dataclasses.replace(ease, model="popularity", model_options={})
    test = figures(popularity, ml_1m, tmp_path / "popularity")
    assert test["recall_20"] == pytest.approx(0.1613, abs=5e-4)
    assert test["ndcg_100"] == pytest.approx(0.2105, abs=5e-4)


@pytest.mark.parametrize("rows", ["users", "items"])
def test_perturbing_test_ratings_changes_no_prediction(data_dir, rows):
    split = RandomRatings(seed=3).split(read(data_dir / "ml-100k"))
    model = AutoRec.for_interactions(split.train, rows=rows, hidden_dims=(20,), seed=1)
    model.compile()
    model.fit(split.train, epochs=1, verbose=0)
    truth = split.test.targets
    perturbed = HeldOut(split.test.inputs, truth._copy(values=6 - truth.values))
    ratings = _held_out_ratings(model, split.test, 500, 0)
    perturbed_ratings = _held_out_ratings(model, perturbed, 500, 0)
    assert not np.array_equal(ratings.values, perturbed_ratings.values)
    np.testing.assert_array_equal(ratings.predicted, perturbed_ratings.predicted)
    assert evaluate(model, perturbed).means["rmse"] != evaluate(model, split.test).means["rmse"]


@pytest.mark.parametrize("ids", [int, str])
def test_served_top_10_is_recommend_on_ml_1m(ml_1m, tmp_path, ids):
    table = ml_1m
    if ids is str:
        users, items = (np.char.add(p, v.astype(str)) for p, v in (("u", ml_1m.user_ids), ("film ", ml_1m.item_ids)))
        table = Interactions.from_arrays(users[ml_1m.users], items[ml_1m.items], ml_1m.values, ml_1m.times)
    split = HeldOutUsers(**HELD_OUT).split(table)
    model = EASE(split.train.n_items, reg=500.0)
    model.fit(split.train, verbose=0)
    asked = split.test.inputs.take_users(np.arange(200))
    expected = model.recommend(asked, k=10)
    histories = [asked.item_ids[asked.row(u)].tolist() for u in range(200)]
    export_saved_model(model, tmp_path / "ease", split.train)
    with Server(tmp_path / "ease", port=0) as server, Client(f"127.0.0.1:{server.port}", model="ease") as client:
        item_ids, scores = client.recommend(histories, k=10)
    np.testing.assert_array_equal(item_ids, expected.item_ids)
    np.testing.assert_allclose(scores, expected.scores, atol=1e-5)
    assert not any(set(got) & set(seen) for got, seen in zip(item_ids.tolist(), histories, strict=True))
