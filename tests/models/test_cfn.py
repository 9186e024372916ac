"""CFN against numpy, from the paper's formulas, and its side information."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import N_BLOCKS, N_ITEMS, PAPERS_CFN, SIDE, blocks, scores

from kerasrec import CFN, Interactions, export_saved_model
from kerasrec.data import side_information
from kerasrec.inference.item_vectors import item_vectors


def array(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float64)


def centred(rows):
    """The mean of each row of ratings from 1 to 5, and the entries centred and scaled to [-1, 1]."""
    observed = rows > 0
    n = observed.sum(1, keepdims=True)
    mean = np.where(n > 0, rows.sum(1, keepdims=True) / np.maximum(n, 1), 3)
    return mean, np.where(observed, (rows - mean) / 2, 0.0)


@pytest.mark.parametrize("side", [None, SIDE])
@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_scores_and_loss_are_the_formula(side, dropout):
    table = blocks("ratings")
    settings = {**PAPERS_CFN, "hidden_dims": (7, 5), "reg": 0.3, "dropout": dropout, "seed": 1}
    model = CFN.for_interactions(table, rows="items", side=side, **settings)
    rows = table.T.matrix.toarray().astype(np.float64)
    observed = rows > 0
    mean, x = centred(rows)

    def f(row):
        for i, layer in enumerate(model.dense):
            row = row @ array(layer.kernel) + array(layer.bias)
            if side is not None:
                row = row + side @ array(model.side_layers[i].kernel)
            row = np.tanh(row)
        return row

    np.testing.assert_allclose(scores(model, table), mean + 2 * f(x), atol=1e-5)
    batch = model.batches(table, len(rows))[0][0]
    weight, corrupted = (model.alpha, 0 * x) if dropout else (model.beta, x)
    decay = sum((array(w.kernel) ** 2).sum() for w in (*model.dense, *model.side_layers)) * 0.3 / 2
    outputs = model(batch, training=True)
    expected = weight * ((x - f(corrupted)) ** 2 * observed).sum(1).mean() + decay
    assert float(model.compute_loss(batch, None, outputs)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(outputs["output"], f(corrupted), atol=1e-5)

    # Validation: the plain squared error of the predicted ratings.
    expected = ((rows - mean - 2 * f(x)) ** 2 * observed).sum(1).mean() + decay
    assert float(model.compute_loss(batch, None, model(batch), training=False)) == pytest.approx(expected, rel=1e-5)


def test_scores_and_loss_without_centred_input():
    table = blocks("ratings")
    settings = {**PAPERS_CFN, "centre_input": False, "hidden_dims": (7,), "dropout": 0.0, "reg": 0.0}
    model = CFN.for_interactions(table, rows="users", seed=1, **settings)
    batch = model.batches(table, 90)[0][0]
    rows = table.matrix.toarray().astype(np.float64)
    mean, x = centred(rows)
    hidden = np.tanh(rows / 2 @ array(model.dense[0].kernel) + array(model.dense[0].bias))
    f = np.tanh(hidden @ array(model.dense[1].kernel) + array(model.dense[1].bias))
    outputs = model(batch, training=True)
    np.testing.assert_allclose(outputs["output"], f, atol=1e-5)
    expected = model.beta * ((x - f) ** 2 * (rows > 0)).sum(1).mean()
    assert float(model.compute_loss(batch, None, outputs)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(scores(model, table), mean + 2 * f, atol=1e-5)
    np.testing.assert_allclose(model.encode(batch), hidden, atol=1e-5)


def test_dropout_hides_its_share_of_the_entries_and_alpha_weighs_them():
    table = blocks("ratings")
    settings = {**PAPERS_CFN, "hidden_dims": (4,), "reg": 0.0, "dropout": 0.25, "alpha": 1.0, "beta": 0.0}
    model = CFN.for_interactions(table, rows="users", seed=1, **settings)
    for layer in model.dense:  # the output is 0 for every input, so the error of an entry is x²
        layer.kernel.assign(0 * layer.kernel)
    batch = model.batches(table, 90)[0][0]
    losses = [float(model.compute_loss(batch, None, model(batch, training=True))) for _ in range(30)]
    x = centred(table.matrix.toarray())[1]
    assert np.mean(losses) == pytest.approx(0.25 * (x**2).sum(1).mean(), rel=0.05)
    assert np.std(losses) > 0


def test_training_on_dense_rows_is_refused():
    model = CFN(N_ITEMS, hidden_dims=(4,))
    model.compile()
    with pytest.raises(ValueError, match="CFN: expected batches of ids and values, got dense rows"):
        model.fit(np.ones((8, N_ITEMS), np.float32), verbose=0)


def test_side_information_with_another_number_of_rows_is_refused():
    with pytest.raises(
        ValueError, match=r"`side`: expected a matrix with 30 rows, one per item of the table, got \(4, 3\)"
    ):
        CFN.for_interactions(blocks("ratings"), rows="items", side=SIDE[:4])


def test_side_information_of_users_is_found_by_user_id(tmp_path):
    table = blocks("ratings")
    side = np.eye(N_BLOCKS)[np.arange(table.n_users) % N_BLOCKS]
    model = CFN.for_interactions(table, rows="users", hidden_dims=(8,), side=side, seed=1)
    assert model.serving_inputs == ("history", "ratings", "user_id")
    without_side = CFN.for_interactions(table, rows="users", hidden_dims=(8,), seed=1)
    assert without_side.serving_inputs == ("history", "ratings")
    two = Interactions.from_histories([[0, 10], [0, 10]], table, user_ids=[7, 8], values=[[5, 1], [5, 1]])
    with pytest.raises(
        ValueError, match="this CFN has weights for 90 users, and the table has 2. Fix: pass the training table"
    ):
        model.recommend(two)
    lists = model.recommend(two, train=table)
    assert abs(lists.scores[0] - lists.scores[1]).max() > 1e-3
    served = tf.saved_model.load(export_saved_model(model, tmp_path, table)).signatures["score"]
    history, ratings = tf.constant([[-1, 0, 10]] * 2, tf.int64), tf.constant([[0.0, 5.0, 1.0]] * 2)
    outputs = served(history=history, ratings=ratings, user_id=tf.constant([7, 8], tf.int64))
    np.testing.assert_allclose(outputs["top_k_scores"][:, :10], lists.scores, rtol=1e-5)
    assert item_vectors(model, table).shape == (N_ITEMS, 8)


@pytest.mark.realdata
def test_side_information_of_movielens_1m(data_dir, monkeypatch):
    import kerasrec

    monkeypatch.setenv("KERASREC_DATA", str(data_dir))
    table = kerasrec.read("ml-1m")
    genres, names = side_information("ml-1m", table)
    assert genres.shape == (table.n_items, 18) and "Film-Noir" in names
    toy_story = genres[table.item_ids.tolist().index(1)]
    assert {name for name, value in zip(names, toy_story, strict=True) if value} == {
        "Animation",
        "Children's",
        "Comedy",
    }
    people, names = side_information("ml-1m", table, of="users")
    assert people.shape == (6040, 2 + 7 + 21) and (people.sum(1) == 3).all()
    assert people[0, [names.index(n) for n in ("gender F", "age 1", "occupation 10")]].all()
