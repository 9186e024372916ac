"""Training of all models: second runs, tables of another catalogue, dtypes, and sparse matrices."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import (
    CASES,
    TRAINED,
    OneCheckpoint,
    arguments_for,
    held_out,
    make,
    scores,
    table_for,
    trained,
)

from kerasrec import ZOO, Interactions, export_saved_model
from kerasrec.callbacks import Checkpoints

EPOCHS, BATCH_SIZE = 2, 30


def planned(case, table):
    """A model for a run of `EPOCHS`, with the optimizer of its recipe."""
    model = ZOO[CASES[case][0]].for_interactions(table, EPOCHS, BATCH_SIZE, seed=3, **arguments_for(case, table))
    model.compile()
    return model


def fit(model, table, **arguments):
    model.fit(table, batch_size=BATCH_SIZE, **{"epochs": EPOCHS, "verbose": 0, **arguments})


def trainable(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]


def largest_change(model, before):
    return max(np.abs(weight - old).max() for weight, old in zip(trainable(model), before, strict=True))


@pytest.mark.parametrize("case", TRAINED)
def test_a_second_run_trains_and_can_be_resumed(case, tmp_path):
    """Warnings are errors here, so the second `fit` gives none."""
    table = table_for(case)
    model = planned(case, table)
    fit(model, table)
    model.save(tmp_path / "model.keras")
    after_first = trainable(model)
    fit(model, table, callbacks=[OneCheckpoint(tmp_path / "checkpoints", 1)])
    assert largest_change(model, after_first) > 1e-4

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    assert largest_change(loaded, after_first) == 0
    fit(loaded, table)
    assert largest_change(loaded, after_first) > 1e-4

    restored = planned(case, table)
    assert Checkpoints(tmp_path / "checkpoints").restore(restored) == 1
    fit(restored, table, initial_epoch=1)
    for weight, expected in zip(restored.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def with_other_ids(table):
    """The same table, but with other users and items of the same number."""
    return Interactions(table.indptr, table.items, table.values, table.times, table.user_ids + 1, table.item_ids + 1)


@pytest.mark.parametrize("case", CASES)
def test_a_table_with_other_ids_is_refused(case, tmp_path):
    table = table_for(case)
    other = with_other_ids(table)
    model = trained(case)
    model.save(tmp_path / "model.keras")
    for either in (model, keras.saving.load_model(tmp_path / "model.keras")):
        for use in (
            lambda model=either: model.fit(other, verbose=0),
            lambda model=either: model.fit(table, validation_data=held_out(other), verbose=0),
            lambda model=either: model.evaluate(held_out(other), verbose=0),
            lambda model=either: model.predict(other, verbose=0),
            lambda model=either: model.recommend(other, k=3),
            lambda model=either: export_saved_model(model, tmp_path / "export", other),
        ):
            with pytest.raises(ValueError, match="(but|got) other ids"):
                use()


@pytest.fixture
def arguments_of_dtype(dtype):
    """The constructor argument for a dtype; for float64 none, because it is the default of Keras during the test."""
    if dtype != "float64":
        yield {"dtype": dtype}
        return
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    yield {}
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("dtype", ["float64", pytest.param("bfloat16", marks=pytest.mark.long)])
@pytest.mark.parametrize("case", TRAINED)
def test_models_of_any_float_dtype_train(case, arguments_of_dtype):
    table = table_for(case)
    model = make(case, table, run_eagerly=True, **arguments_of_dtype)
    before = trainable(model)
    history = model.fit(table, batch_size=BATCH_SIZE, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert largest_change(model, before) > 0
    result = scores(model, table)
    assert result.dtype == np.float32 and np.isfinite(result).all()


@pytest.mark.parametrize("case", CASES)
def test_a_scipy_matrix_trains_and_predicts_as_its_table(case):
    matrix = table_for(case).matrix
    table = Interactions.from_matrix(matrix)
    of_table, of_matrix = (make(case, table, run_eagerly=True) for _ in range(2))
    fit(of_table, table, epochs=1)
    fit(of_matrix, matrix.tocoo(), epochs=1)
    for weight, expected in zip(of_matrix.get_weights(), of_table.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    expected = of_table.predict(table, verbose=0)
    np.testing.assert_array_equal(of_matrix.predict(matrix, verbose=0), expected)


@pytest.mark.parametrize("case", CASES)
def test_arguments_without_a_meaning_for_tables_are_refused(case):
    table = table_for(case)
    model = make(case, table)
    for arguments, message in (
        ({"class_weight": {0: 1.0}}, "`class_weight`: expected None, because recommenders have no classes"),
        ({"y": table}, "`y`: expected None with Interactions, because each row is its own target"),
        ({"validation_split": 0.1}, "`validation_split`: expected 0 with Interactions, got 0.1. Fix: split the table"),
        ({"sample_weight": np.ones(table.n_users)}, "`sample_weight`: expected None with Interactions"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(table, verbose=0, **arguments)
