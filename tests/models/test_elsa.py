"""ELSA against its own formula."""

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


def started(table, **arguments):
    model = ELSA(table.n_items, latent_dim=7, seed=1, **arguments)
    model.build()
    model.compile()
    return model


def test_it_scores_and_loses_as_its_formula():
    table = blocks()
    model, x = started(table), table.matrix.toarray().astype(np.float64)
    f, loss = reference(kernel(model), x)
    np.testing.assert_allclose(scores(model, table), f, atol=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0), f, atol=1e-5)
    batch = model.batches(table, len(x))[0][0]
    for given in (batch, x):
        told = model.compute_loss(given, None, model(given, training=True), training=True)
        assert float(told) == pytest.approx(loss.mean(), rel=1e-5)
    told = model.compute_loss(batch, None, model(batch), training=False)
    assert float(told) == pytest.approx(loss.mean(), rel=1e-5)


def test_no_item_is_scored_by_itself():
    """The diagonal of A Aᵀ - I is 0: a history of one item leaves that item at 0."""
    table = blocks()
    alone = Interactions.from_histories([[i] for i in table.item_ids.tolist()], table)
    answer = scores(started(table), alone)
    np.testing.assert_allclose(np.diag(answer), 0.0, atol=1e-6)
    assert np.abs(answer).max() > 0.1


def test_its_gradient_is_that_of_all_scores():
    table = blocks()
    model = started(table)
    before, x = kernel(model), table.matrix.toarray().astype(np.float64)
    model.compile(keras.optimizers.SGD(1.0))
    model.fit(table, batch_size=table.n_users, epochs=1, shuffle=False, verbose=0)
    step, rng = before - kernel(model), np.random.default_rng(0)
    for _ in range(5):
        way = rng.normal(size=before.shape)
        ahead, behind = (reference(before + by * way, x)[1].mean() for by in (1e-6, -1e-6))
        assert (step * way).sum() == pytest.approx((ahead - behind) / 2e-6, rel=1e-4)


def test_a_row_of_nothing_teaches_nothing():
    table = blocks()
    model = started(table)
    before = model.get_weights()[0]
    model.fit(np.zeros((4, table.n_items), np.float32), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert np.isfinite(model.evaluate(held_out(table), verbose=0, return_dict=True)["loss"])


def test_its_vectors_are_of_length_one():
    table = blocks()
    np.testing.assert_allclose(np.linalg.norm(item_vectors(started(table), table), axis=1), 1.0, rtol=1e-6)
