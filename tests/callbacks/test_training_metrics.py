"""Metrics on training rows are those of the model, and measuring them does not change the training."""

import keras
import numpy as np
import pytest

from kerasrec import CFN, AutoRec, HeldOutUsers, MultVAE, generate
from kerasrec.callbacks import TrainingMetrics


@pytest.fixture(scope="module")
def split():
    return HeldOutUsers(held_out=40).split(generate(n_users=300, n_items=60, seed=1))


def test_measuring_training_rows_changes_nothing_else(split):
    histories = []
    for callbacks in ([], [TrainingMetrics(split.train, rows=50)]):
        model = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
        model.compile()
        fitted = model.fit(split.train, epochs=2, validation_data=split.validation, callbacks=callbacks, verbose=0)
        histories.append(fitted.history)
    without, measured = histories
    assert without == {name: values for name, values in measured.items() if name in without}
    assert np.isfinite(measured["train_ndcg_100"]).all()
    assert measured["beta"] == pytest.approx([n / 200_000 for n in (1, 2)])


@pytest.mark.parametrize("rows", ["users", "items"])
def test_training_metrics_are_the_reconstruction_error(rows):
    table = generate(n_users=60, n_items=30, seed=3)
    model = AutoRec.for_interactions(table, rows=rows, hidden_dims=(8,), seed=1)
    model.compile()
    history = model.fit(table, epochs=2, callbacks=[TrainingMetrics(table)], verbose=0).history
    by_row = table.T if rows == "items" else table
    scores = np.concatenate([np.asarray(model(batch, training=False)) for (batch,) in model.batches(table)])
    error = np.clip(scores[by_row.users, by_row.items], 1, 5) - by_row.values
    assert history["train_rmse"][-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_training_metrics_of_some_rows_use_their_side_information():
    table = generate(n_users=60, n_items=30, seed=3)
    model = CFN.for_interactions(table, rows="items", side=5 * np.eye(30), hidden_dims=(8,), seed=1)
    model.compile()
    callback = TrainingMetrics(table, rows=12)
    history = model.fit(table, epochs=1, callbacks=[callback], verbose=0).history
    scores, by_item = model.predict(table, verbose=0), table.T
    chosen = np.concatenate([np.asarray(x["row"]) for x, _ in callback.sample])
    assert len(chosen) == 12 and chosen.max() >= 12
    measured = np.isin(by_item.users, chosen)
    error = (np.clip(scores[by_item.users, by_item.items], 1, 5) - by_item.values)[measured]
    assert history["train_rmse"][-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_a_model_of_plain_keras_is_refused(split):
    callback = TrainingMetrics(split.train)
    callback.set_model(keras.Sequential())
    with pytest.raises(TypeError, match="`model`: expected a model of kerasrec, got Sequential. Fix: derive"):
        callback.on_train_begin()


def test_training_metrics_need_rows_of_the_catalogue():
    table = generate(n_users=20, n_items=12, seed=1)
    with pytest.raises(ValueError, match="`rows`: expected at least 1, got 0"):
        TrainingMetrics(table, rows=0)
    model = MultVAE(5, hidden_dims=(2,), latent_dim=2)
    callback = TrainingMetrics(table)
    callback.set_model(model)
    with pytest.raises(ValueError, match="expected a table with 5 columns"):
        callback.on_train_begin()
