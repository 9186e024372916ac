"""SLIM against the conditions of its objective's minimum."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, scores

from kerasrec import SLIM


@pytest.mark.parametrize(("reg", "l1_reg"), [(2.0, 1.0), (5.0, 0.0), (1.0, 4.0)])
def test_weights_satisfy_the_conditions_of_the_minimum(reg, l1_reg):
    table = blocks()
    model = SLIM(table.n_items, reg=reg, l1_reg=l1_reg)
    model.fit(table, verbose=0)
    w = np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)
    x = table.matrix.toarray().astype(np.float64)
    gradient = x.T @ (x @ w - x) + reg * w + l1_reg
    off_diagonal = ~np.eye(len(w), dtype=bool)
    assert (w >= 0).all() and (np.diag(w) == 0).all()
    np.testing.assert_allclose(gradient[w > 0], 0.0, atol=0.02)
    assert (gradient[off_diagonal & (w == 0)] > -0.02).all()
    np.testing.assert_allclose(scores(model, table), x @ w, atol=1e-5)


def test_the_l1_penalty_makes_weights_0():
    table = blocks()
    shares = []
    for l1_reg in (0.0, 5.0):
        model = SLIM(table.n_items, reg=2.0, l1_reg=l1_reg)
        model.fit(table, verbose=0)
        shares.append((keras.ops.convert_to_numpy(model.kernel) > 0).mean())
    assert shares[1] < 0.8 * shares[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"reg": 0.0}, "`reg`: expected a number above 0, got 0"), ({"l1_reg": -1.0}, "`l1_reg`: expected at least 0")],
)
def test_invalid_penalties_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SLIM(5, **arguments)
