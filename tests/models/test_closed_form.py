"""Models that are solved in one step: before and after `fit`."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import CASES, blocks, held_out, make, scores, table_for

from kerasrec import EASE, ZOO, HeldOut, HeldOutUsers, Popularity, evaluate, generate

CLOSED_FORM = [case for case, (name, _) in CASES.items() if ZOO[name].closed_form]


def test_popularity_counts_users():
    table = blocks()
    model = Popularity(table.n_items)
    model.fit(table, verbose=0)
    np.testing.assert_array_equal(scores(model, table)[3], table.matrix.toarray().sum(0))


@pytest.mark.parametrize("case", CLOSED_FORM)
def test_predicting_before_fit_is_refused(case):
    table = table_for(case)
    model = make(case, table)
    message = rf"^this {type(model).__name__} has not been fitted. Fix: call `fit`, or load a saved model$"
    with pytest.raises(ValueError, match=message):
        model.recommend(table)
    with pytest.raises(ValueError, match=message):
        evaluate(model, HeldOut(table, table))
    with pytest.raises(ValueError, match="has not been fitted"):
        model.predict(table, verbose=0)


@pytest.mark.parametrize("case", CLOSED_FORM)
def test_load_weights_creates_the_weight(case, tmp_path):
    table = table_for(case)
    model, copy = make(case, table), make(case, table)
    model.fit(table, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    copy.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(scores(copy, table), scores(model, table))


def test_fit_logs_the_validation_metrics():
    part = held_out(blocks())
    model = EASE(part.inputs.n_items, reg=5.0)
    history = model.fit(part.inputs, validation_data=part, verbose=0).history
    means = evaluate(model, part).means
    assert {f"val_{name}" for name in means} <= set(history)
    assert history["val_ndcg_100"][0] == pytest.approx(means["ndcg_100"], abs=1e-5)


def test_sample_weight_is_refused():
    model = EASE(5, reg=5.0)
    with pytest.raises(ValueError, match="`sample_weight`: expected None, because EASE weighs all users equally"):
        model.fit(np.eye(5, dtype=np.float32), sample_weight=np.ones(5), verbose=0)


def test_dense_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="expected rows with 5 columns, got 7"):
        EASE(5, reg=5.0).fit(np.ones((4, 7), np.float32), verbose=0)


def test_callbacks_need_no_mode():
    split = HeldOutUsers(held_out=20).split(generate(n_users=100, n_items=40, seed=1))
    model = Popularity(split.train.n_items)
    stop = keras.callbacks.EarlyStopping("val_ndcg_100")
    model.fit(split.train, validation_data=split.validation, callbacks=[stop], verbose=0)
    assert stop.mode == "max"


def test_callbacks_see_the_solution_as_one_epoch():
    table, built = blocks(), []
    record = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: built.append(model.built),
        on_epoch_end=lambda epoch, logs: built.append(model.built),
    )
    model = EASE(table.n_items, reg=5.0)
    model.fit(table, callbacks=[record], verbose=0)
    assert built == [False, True]


def test_a_progress_bar_of_keras_is_accepted():
    table = blocks()
    progress = keras.callbacks.ProgbarLogger()
    EASE(table.n_items, reg=5.0).fit(table, callbacks=progress, verbose=0)
    assert progress.target == 1


def test_training_on_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"`train_on_batch`: EASE is solved from all rows at once. Fix: `fit\(table"):
        EASE(5, reg=5.0).train_on_batch(np.ones((2, 5)))


def test_validation_data_may_be_a_tuple_as_in_keras():
    inputs, targets = np.eye(4, 5, dtype=np.float32), np.eye(4, 5, 1, dtype=np.float32)
    model = EASE(5, reg=5.0)
    model.compile(metrics=["ndcg_3"])
    for weights in ((), (np.ones(4, np.float32),)):
        history = model.fit(inputs, validation_data=(inputs, targets, *weights), verbose=0).history
        assert sorted(history) == ["val_loss", "val_ndcg_3"]


def test_an_unknown_argument_of_fit_is_refused():
    with pytest.raises(TypeError, match="`fit` has no argument 'epoch'. Fix: leave it out"):
        EASE(5, reg=5.0).fit(np.eye(5), epoch=3)
