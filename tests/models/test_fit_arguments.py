"""Inputs of `fit`, `evaluate` and `recommend` that are refused, with the fix in the message."""

import keras
import numpy as np
import pandas as pd
import pytest
from kerasrec_testing.models import blocks, held_out

from kerasrec import EASE, PROTOCOLS, AutoRec, HeldOut, Interactions, MultVAE, OwnItems, Split, evaluate
from kerasrec.callbacks import ImplicitSLIM, TrainingMetrics
from kerasrec.models.fit_arguments import as_table, warn_if_nothing_is_unseen
from kerasrec.models.pretraining import pretrain


@pytest.fixture(scope="module")
def table():
    return blocks()


@pytest.fixture(scope="module", params=["trained", "solved"])
def model(request, table):
    if request.param == "solved":
        model = EASE(table.n_items, reg=5.0)
        model.fit(table, verbose=0)
    else:
        model = MultVAE(table.n_items, hidden_dims=(4,), latent_dim=2)
    model.compile()
    return model


def test_fit_refuses_a_split(model, table):
    with pytest.raises(TypeError, match=r"`x`: expected a table, got a Split. Fix: `fit\(split.train, "):
        model.fit(OwnItems().split(table))


def test_fit_refuses_a_frame(model, table):
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    for use in (model.fit, model.predict):
        with pytest.raises(TypeError, match="`x`: expected Interactions, got a DataFrame. Fix: `Interactions.from_f"):
            use(frame, verbose=0)


def test_sparse_tensors_are_read_as_their_matrix(model, table):
    import tensorflow as tf

    tensor = tf.sparse.from_dense(table.matrix.toarray())
    np.testing.assert_array_equal(as_table(tensor).matrix.toarray(), table.matrix.toarray())
    expected = model.predict(table.matrix, verbose=0)
    np.testing.assert_array_equal(model.predict(tensor, verbose=0), expected)
    np.testing.assert_allclose(model(tensor), expected, atol=1e-6)
    batches = tf.data.Dataset.from_tensor_slices(tensor).batch(50)
    np.testing.assert_allclose(model.predict(batches, verbose=0), expected, atol=1e-5)
    copy = keras.models.clone_model(model)
    copy.compile()
    assert copy.fit(batches, shuffle=False, verbose=0).epoch == [0]


def test_sparse_arrays_of_jax_are_read_as_their_matrix(table):
    sparse = pytest.importorskip("jax.experimental.sparse")
    dense = table.matrix.toarray()
    for kind in (sparse.BCOO, sparse.BCSR):
        np.testing.assert_array_equal(as_table(kind.fromdense(dense)).matrix.toarray(), dense)


def test_fit_refuses_ragged_tensors(model):
    import tensorflow as tf

    for use in (model.fit, model.predict):
        with pytest.raises(TypeError, match="`x`: expected Interactions, .*, got a RaggedTensor. Fix: "):
            use(tf.ragged.constant([[3], [1, 2]]), verbose=0)
    with pytest.raises(TypeError, match="got a RaggedTensor"):  # as in a dataset of ragged batches
        model.observed(tf.ragged.constant([[3], [1, 2]]))


def test_validation_and_evaluation_need_a_held_out_part(model, table):
    split = OwnItems().split(table)
    for data in (table, split, table.matrix, (table, table)):
        message = f"expected a held-out part, .*, got {type(data).__name__}"
        with pytest.raises(TypeError, match=f"`validation_data`: {message}"):
            model.fit(table, validation_data=data, verbose=0)
        with pytest.raises(TypeError, match=f"`x`: {message}"):
            model.evaluate(data)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("histories", lambda model, rows: model.recommend(rows)),
        ("train", lambda model, rows: model.recommend(blocks(), train=rows)),
        ("train", lambda model, rows: model.similar(rows, [0])),
        ("train", lambda model, rows: model.warm_start(rows, blocks())),
        ("items", lambda model, rows: model.save_to_preset("preset", rows)),
        ("data", lambda model, rows: model.batches(rows)),
        ("table", lambda model, rows: model.check_columns(rows)),
        ("train", lambda model, rows: type(model).config_for(rows)),
        ("train", lambda model, rows: pretrain(model, rows, epochs=1)),
        ("train", lambda model, rows: TrainingMetrics(rows)),
        ("train", lambda model, rows: ImplicitSLIM(rows)),
        ("inputs", lambda model, rows: HeldOut(rows)),
        ("targets", lambda model, rows: HeldOut(blocks(), rows)),
        *(("interactions", lambda model, rows, of=of: of().split(rows)) for of in PROTOCOLS.values()),
    ],
)
def test_what_is_no_table_is_refused(model, table, name, call):
    for rows, fix in (
        (table.matrix, "`kerasrec.read`, or"),
        (pd.DataFrame(), "`kerasrec.read`, or"),
        (Split.with_nothing_held_out(table, OwnItems()), "pass `split.train`"),
    ):
        with pytest.raises(TypeError, match=f"^`{name}`: expected Interactions, got {type(rows).__name__}. Fix: {fix}"):
            call(model, rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 1.0}, "`epochs`: expected an integer, got 1.0"),
        ({"epochs": -1}, "`epochs`: expected at least 0, got -1"),
        ({"initial_epoch": -1}, "`initial_epoch`: expected at least 0, got -1"),
        ({"validation_freq": 0}, "`validation_freq`: expected at least 1, got 0"),
    ],
)
def test_numbers_of_epochs_that_are_too_small_are_refused(table, arguments, message):
    model = MultVAE(table.n_items, hidden_dims=(4,), latent_dim=2)
    model.compile()
    with pytest.raises(ValueError, match=f"^{message}"):
        model.fit(table, verbose=0, **arguments)


@pytest.mark.parametrize(("k", "message"), [(3.0, "expected an integer, got 3.0"), (0, "expected at least 1, got 0")])
def test_recommend_refuses_a_k_that_is_no_positive_integer(model, table, k, message):
    with pytest.raises(ValueError, match=f"^`k`: {message}"):
        model.recommend(table, k=k)


def test_a_batch_size_of_0_is_refused(table):
    model = MultVAE(table.n_items, hidden_dims=(4,), latent_dim=2)
    model.compile()
    with pytest.raises(ValueError, match="`batch_size`: expected at least 1, got 0"):
        model.fit(table, batch_size=0)


def test_a_table_of_another_width_is_refused(model, table):
    with pytest.raises(ValueError, match="expected a table with 30 columns .*, got 1. Fix: `table.with_catalogue"):
        model.fit(Interactions.from_arrays([1, 2], [5, 5]), verbose=0)


def test_dense_rows_of_another_width_are_refused_in_a_call(model, table):
    for width in (table.n_items - 1, 1):
        with pytest.raises(ValueError, match=f"expected rows with {table.n_items} columns, got {width}. Fix: "):
            model(np.ones((2, width), np.float32))


def test_a_matrix_of_another_width_is_refused(model, table):
    with pytest.raises(ValueError, match="expected a table with 30 columns .*, got 29"):
        model.fit(table.matrix[:, :29], verbose=0)


@pytest.mark.parametrize("argument", ["loss", "loss_weights", "weighted_metrics"])
def test_compile_refuses_losses_their_weights_and_weighted_metrics(argument):
    with pytest.raises(ValueError, match=f"`{argument}`: expected None"):
        EASE(5, reg=5.0).compile(**{argument: "mse"})


def test_a_rating_model_refuses_metrics_that_would_be_nan():
    model = AutoRec(3, hidden_dims=(2,))
    with pytest.raises(ValueError, match="expected 'rmse', 'mae' or a metric that skips NaN targets, got MeanSquared"):
        model.compile(metrics=[keras.metrics.MeanSquaredError()])


def test_a_closed_form_model_refuses_a_validation_split_of_dense_rows():
    with pytest.raises(ValueError, match="`validation_split`: expected 0, got 0.5, because EASE is solved from all"):
        EASE(3, reg=5.0).fit(DENSE, validation_split=0.5)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch", "predict_on_batch"])
def test_methods_of_one_batch_refuse_tables(table, method):
    model = MultVAE(table.n_items, hidden_dims=(2,), latent_dim=2)
    for data in (table, held_out(table), table.matrix):
        with pytest.raises(TypeError, match="`x`: expected one batch, for example `model.batches"):
            getattr(model, method)(data)


def test_train_on_batch_refuses_class_weights():
    model = MultVAE(3, hidden_dims=(2,), latent_dim=2)
    with pytest.raises(ValueError, match="`class_weight`: expected None"):
        model.train_on_batch(DENSE, class_weight={0: 1.0})


DENSE = np.array([[1, 1, 0], [0, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("x", "y", "validation_data"),
    [(DENSE, DENSE.copy(), None), (DENSE, None, (DENSE, DENSE))],
    ids=["training", "validation"],
)
def test_targets_that_are_the_inputs_warn(x, y, validation_data):
    with pytest.warns(UserWarning, match="the targets are the inputs"):
        warn_if_nothing_is_unseen(x, y, validation_data, "likes")


def test_other_targets_do_not_warn():
    warn_if_nothing_is_unseen(DENSE, None, (DENSE, 1 - DENSE), "likes")
    warn_if_nothing_is_unseen(DENSE, 1 - DENSE, None, "likes")
    warn_if_nothing_is_unseen(DENSE, DENSE, (DENSE, DENSE), "ratings")  # RMSE masks nothing


def test_fit_warns_about_targets_that_are_the_inputs():
    model = MultVAE(3, hidden_dims=(2,), latent_dim=2)
    model.compile(run_eagerly=True)
    with pytest.warns(UserWarning, match="ranking metrics are 0"):
        model.fit(DENSE, DENSE, verbose=0)


def test_evaluation_of_what_a_model_was_trained_on_warns(table):
    part = held_out(table)
    model = EASE(table.n_items, reg=5.0)
    model.fit(table, verbose=0)
    for use in (lambda: evaluate(model, part), lambda: model.evaluate(part, verbose=0)):
        with pytest.warns(UserWarning, match=r"90 of the users were training users, and .* held-out entries"):
            model.compile()
            use()


def test_evaluation_of_unseen_entries_does_not_warn(table, recwarn):
    part = held_out(table)
    model = EASE(table.n_items, reg=5.0)
    model.fit(part.inputs, verbose=0)
    evaluate(model, part)
    model.warn_if_trained_on(HeldOut(part.inputs))
    assert not [warning for warning in recwarn if "training users" in str(warning.message)]


def test_a_table_without_users(model, table):
    nobody = table.take_users([])
    with pytest.raises(ValueError, match="`x`: expected at least one row, got a table without users"):
        model.fit(nobody, verbose=0)
    with pytest.raises(ValueError, match="`x`: expected at least one row, got a held-out part without users"):
        model.evaluate(HeldOut(nobody, nobody), verbose=0)
    with pytest.raises(ValueError, match="`x`: expected at least one row, got an array without rows"):
        model.fit(nobody.matrix.toarray(), verbose=0)
    for rows in (nobody, nobody.matrix, nobody.matrix.toarray()):
        assert model.predict(rows, verbose=0).shape == (0, table.n_items)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (None, TypeError, "`x`: expected Interactions, a matrix or batches, got None"),
        ("ratings.csv", TypeError, "`x`: expected Interactions, a matrix or batches, got 'ratings.csv'"),
        (DENSE[0], ValueError, r"expected rows with 3 columns, got an array of shape \(3,\)"),
        (DENSE * np.nan, ValueError, "`x`: expected 0 where nothing was observed, got NaN"),
        ({"id": DENSE}, ValueError, "`x`: expected a batch with `ids`, got id"),
        ({"ids": [[1, 2]]}, TypeError, "`x`: expected an array of `ids`, got a list"),
        ((blocks(), blocks()), TypeError, "`x`: expected one table, got several"),
        ({"ids": np.array([[1, 3]])}, ValueError, "`x`: expected columns below 3, the size of the catalogue, got 3"),
        ([], ValueError, "`x`: expected at least one batch, got none"),
    ],
)
def test_other_inputs_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        EASE(3, reg=5.0).fit(x, verbose=0)
    if not isinstance(x, list):  # Keras refuses it
        for method in ("fit", "predict"):
            trained = MultVAE(3, hidden_dims=(2,), latent_dim=2)
            trained.compile()
            with pytest.raises(error, match=message):
                getattr(trained, method)(x, verbose=0)
