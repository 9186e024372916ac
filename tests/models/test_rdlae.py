"""RDLAE against numpy, from the paper's formula."""

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks

from kerasrec import EDLAE, RDLAE, RLAE


def weights(model):
    table = blocks()
    model.fit(table, verbose=0)
    return np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)


@pytest.mark.parametrize("max_diagonal", [0.2, 0.5])
def test_rdlae_is_the_closed_form(max_diagonal):
    x = blocks().matrix.toarray().astype(np.float64)
    gram = x.T @ x
    penalty = 7.0 + 0.4 / 0.6 * np.diag(gram)
    p = np.linalg.inv(gram + np.diag(penalty))
    kappa = np.where(1 - penalty * np.diag(p) > max_diagonal, (1 - max_diagonal) / np.diag(p), penalty)
    model = RDLAE(len(gram), dropout=0.4, reg=7.0, max_diagonal=max_diagonal)
    np.testing.assert_allclose(weights(model), np.eye(len(gram)) - p * kappa, atol=1e-5)


def test_special_cases_are_edlae_and_rlae():
    n_items = blocks().n_items
    without_diagonal = RDLAE(n_items, dropout=0.4, reg=7.0, max_diagonal=0.0)
    without_dropout = RDLAE(n_items, dropout=0.0, reg=7.0, max_diagonal=0.2)
    np.testing.assert_array_equal(weights(without_diagonal), weights(EDLAE(n_items, dropout=0.4, reg=7.0)))
    np.testing.assert_array_equal(weights(without_dropout), weights(RLAE(n_items, reg=7.0, max_diagonal=0.2)))


def test_a_diagonal_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match=r"`max_diagonal`: expected a number in \[0, 1\), got 1"):
        RDLAE(5, max_diagonal=1.0)
