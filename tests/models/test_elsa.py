"""ELSA against numpy, from the paper's formulas."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, held_out, scores

from kerasrec import ELSA, Interactions
from kerasrec.inference.item_vectors import item_vectors


def kernel(model):
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


def reference(kernel, x):
    """Scores of dense rows and the loss of each, from all scores."""
    a = kernel / np.linalg.norm(kernel, axis=1, keepdims=True)
    f = x @ a @ a.T - x
    with np.errstate(invalid="ignore"):
        unit_x, unit_f = (np.nan_to_num(v / np.linalg.norm(v, axis=1, keepdims=True)) for v in (x, f))
    return f, ((unit_x - unit_f) ** 2).sum(axis=1)


def compiled_model(table, **arguments):
    model = ELSA(table.n_items, latent_dim=7, seed=1, **arguments)
    model.compile()
    return model


def test_scores_and_loss_are_the_formula():
    table = blocks()
    model, x = compiled_model(table), table.matrix.toarray().astype(np.float64)
    f, loss = reference(kernel(model), x)
    np.testing.assert_allclose(scores(model, table), f, atol=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), f, atol=1e-5)
    batch = model.batches(table, len(x))[0][0]
    for inputs in (batch, x):
        training_loss = model.compute_loss(inputs, None, model(inputs, training=True), training=True)
        assert float(training_loss) == pytest.approx(loss.mean(), rel=1e-5)
    validation_loss = model.compute_loss(batch, None, model(batch), training=False)
    assert float(validation_loss) == pytest.approx(loss.mean(), rel=1e-5)


def test_the_only_item_of_a_history_has_the_score_0():
    """The diagonal of A Aᵀ - I is 0."""
    table = blocks()
    single_items = Interactions.from_histories([[i] for i in table.item_ids.tolist()], table)
    result = scores(compiled_model(table), single_items)
    np.testing.assert_allclose(np.diag(result), 0.0, atol=1e-6)
    assert np.abs(result).max() > 0.1


def test_the_gradient_is_that_of_the_loss_of_all_scores():
    table = blocks()
    model = compiled_model(table)
    before, x = kernel(model), table.matrix.toarray().astype(np.float64)
    model.compile(keras.optimizers.SGD(1.0))
    model.fit(table, batch_size=table.n_users, epochs=1, shuffle=False, verbose=0)
    step, rng = before - kernel(model), np.random.default_rng(0)
    for _ in range(5):
        direction = rng.normal(size=before.shape)
        above, below = (reference(before + by * direction, x)[1].mean() for by in (1e-6, -1e-6))
        assert (step * direction).sum() == pytest.approx((above - below) / 2e-6, rel=1e-4)


def test_compressed_vectors_keep_their_largest_entries_and_all_entries_learn():
    table = blocks()
    model = compiled_model(table, n_kept=2)
    before, x = kernel(model), table.matrix.toarray().astype(np.float64)
    kept = np.where(np.abs(before) >= np.sort(np.abs(before), axis=1)[:, -2:-1], before, 0.0)
    f, loss = reference(kept, x)
    np.testing.assert_allclose(scores(model, table), f, atol=1e-5)
    assert ((item_vectors(model, table) != 0).sum(axis=1) == 2).all()
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(table, batch_size=table.n_users, epochs=1, shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx(loss.mean(), rel=1e-5)
    assert (kernel(model) != before).all()
    with pytest.raises(ValueError, match="`n_kept`: expected at least 1, got 0"):
        compiled_model(table, n_kept=0)


def test_vectors_that_are_not_longer_than_n_kept_keep_all_entries():
    """So `kerasrec tune` can search `latent_dim` with `n_kept` fixed."""
    table = blocks()
    model, uncompressed = compiled_model(table, n_kept=7), compiled_model(table)
    np.testing.assert_array_equal(item_vectors(model, table), item_vectors(uncompressed, table))
    assert model.as_served_model() is model


def test_empty_rows_change_no_weight():
    table = blocks()
    model = compiled_model(table)
    before = model.get_weights()[0]
    model.fit(np.zeros((4, table.n_items), np.float32), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert np.isfinite(model.evaluate(held_out(table), verbose=0, return_dict=True)["loss"])


def test_item_vectors_have_length_1():
    table = blocks()
    np.testing.assert_allclose(np.linalg.norm(item_vectors(compiled_model(table), table), axis=1), 1.0, rtol=1e-6)
