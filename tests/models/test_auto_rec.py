"""AutoRec against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.models import blocks, fitted, scores, table_for

from kerasrec import AutoRec


def dense(layer):
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in (layer.kernel, layer.bias)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("rows", ["users", "items"])
def test_scores_and_loss_are_the_formula(rows):
    table = table_for(f"auto_rec {rows}")
    model = AutoRec.for_interactions(table, rows=rows, hidden_dims=(9,), reg=0.3, seed=1)
    x = (table.T if rows == "items" else table).matrix.toarray().astype(np.float64)
    observed = x != 0  # this table has no rating of 0
    (v, mu), (w, b) = (dense(layer) for layer in model.dense)
    h = sigmoid(x @ v + mu) @ w + b
    np.testing.assert_allclose(scores(model, table), h, atol=1e-4)
    loss = (observed * (x - h) ** 2).sum() / len(x) + 0.3 / 2 * ((v**2).sum() + (w**2).sum())
    batch = model.batches(table, len(x))[0][0]
    for training in (True, False):
        outputs = model(batch, training=training)
        assert float(model.compute_loss(batch, None, outputs, training=training)) == pytest.approx(loss, rel=1e-5)


def test_only_observed_entries_have_a_gradient():
    model = AutoRec(4, hidden_dims=(3,), reg=0.0, seed=1)
    x = {"ids": np.array([[0, 2]], np.int32), "values": np.array([[0.0, 4.0]], np.float32)}  # a rating of 0
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, None, model(x))
    gradient = tape.gradient(loss, model.dense[-1].bias.value).numpy()
    assert (gradient != 0).tolist() == [True, False, True, False]


def test_the_user_model_of_item_rows_returns_columns_of_the_reconstruction():
    model, table = fitted("auto_rec items"), table_for("auto_rec items")
    reconstruction = scores(model, table)  # (n_items, n_users)
    user_model = model.as_user_model(table)
    rows = np.array([5, 0, 88], np.int32)
    np.testing.assert_allclose(user_model({"row": rows}), reconstruction.T[rows], atol=1e-4)
    unknown_user = np.asarray(user_model({"row": np.array([-1], np.int32)}))[0]
    np.testing.assert_allclose(unknown_user, reconstruction.mean(1), atol=1e-4)


def test_ratings_that_are_all_equal_are_refused():
    with pytest.raises(ValueError, match="AutoRec predicts ratings, and every value of the table is 1"):
        AutoRec.for_interactions(blocks())


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match='`rows`: expected "users" or "items", got \'both\''):
        AutoRec(5, rows="both")
    with pytest.raises(ValueError, match="`hidden_dims`: expected at least one width"):
        AutoRec(5, hidden_dims=())


def test_rmse_by_name_clips_to_the_value_range():
    table = blocks("ratings")
    model = AutoRec.for_interactions(table, rows="users", hidden_dims=(4,))
    for metrics in (None, "rmse", ["rmse", "mae"]):
        model.compile(metrics=metrics)
        assert all(metric.value_range == (1.0, 5.0) for metric in model.untracked.metrics)
