"""ImplicitSLIM against numpy, and the weights that the callback changes."""

import keras
import numpy as np
import pytest
import scipy.sparse as sp
from kerasrec_testing.models import blocks, make

from kerasrec import ELSA
from kerasrec.callbacks import ImplicitSLIM
from kerasrec.ops.implicit_slim import implicit_slim


@pytest.mark.parametrize("min_count", [0, 12])
def test_the_step_minimises_the_objective(min_count):
    rng = np.random.default_rng(0)
    x = (rng.random((40, 9)) < 0.3).astype(np.float32)
    w, reg, alpha = rng.normal(size=(9, 4)), 3.0, 0.7
    counts = x.sum(0)
    anchors = np.where(counts[:, np.newaxis] >= min_count, w, 0.0)
    gram = (x.T @ x + reg * np.eye(9)).astype(np.float64)
    residual = np.linalg.inv(gram) * (counts + reg)  # I - B, with the approximate diagonal
    errors = residual @ residual.T
    expected = np.linalg.solve(errors + alpha * anchors @ anchors.T, alpha * anchors @ anchors.T @ w)
    result = implicit_slim(w, sp.csr_array(x), reg, alpha, min_count)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(result - w).mean() > 0.05
    if min_count:
        assert 0 < (counts < min_count).sum() < 9


@pytest.mark.parametrize("case", ["rec_vae", "elsa"])
def test_trainable_vectors_of_items_change_and_nothing_else(case):
    table = blocks()
    model = make(case, table)
    vectors = [model.kernel] if case == "elsa" else [model.stack.dense[0].kernel, model.logits.kernel]
    callback = ImplicitSLIM(table, reg=5.0, alpha=0.5, every=2, last=4)
    callback.set_model(model)
    callback.on_train_begin()
    changed = {}
    for epoch in range(6):
        before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
        callback.on_epoch_begin(epoch)
        changed[epoch + 1] = [
            weight
            for weight, old in zip(model.weights, before, strict=True)
            if not np.array_equal(keras.ops.convert_to_numpy(weight), old)
        ]
    assert [epoch for epoch, weights in changed.items() if weights] == [2, 4]
    for weights in (changed[2], changed[4]):
        assert {id(weight) for weight in weights} == {id(weight) for weight in vectors}


def test_fit_replaces_vectors_by_the_closed_form_step():
    table = blocks()
    results = []
    for callbacks in ([], [ImplicitSLIM(table, reg=5.0, alpha=0.5, every=1)]):
        model = ELSA(table.n_items, latent_dim=6, seed=1)
        model.compile(keras.optimizers.SGD(0.0))
        model.fit(table, epochs=1, batch_size=45, callbacks=callbacks, verbose=0)
        results.append(keras.ops.convert_to_numpy(model.kernel))
    initial, replaced = results
    np.testing.assert_allclose(replaced, implicit_slim(initial, table.matrix, 5.0, 0.5), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "`every`: expected at least 1"),
        ({"last": 0}, "`last`: expected at least 1"),
        ({"reg": 0.0}, "`reg`: expected a number above 0"),
        ({"alpha": -1.0}, "`alpha`: expected a number above 0"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImplicitSLIM(blocks(), **arguments)


def test_a_table_with_other_items_is_refused():
    table = blocks()
    other = table.with_catalogue(table.item_ids[:-1])
    with pytest.raises(ValueError, match="expected a table with 30 columns"):
        make("elsa", table).fit(table, callbacks=[ImplicitSLIM(other)], verbose=0)


def test_a_model_without_vectors_of_items_is_refused():
    table = blocks()
    model = make("ease_sgd", table)
    with pytest.raises(ValueError, match="expected a model with trainable vectors of the items, got EASESGD"):
        model.fit(table, callbacks=[ImplicitSLIM(table)], verbose=0)
