"""The inverse by items and by users, against numpy in float64; EASE and EDLAE follow from it."""

import keras
import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info
from tqdm.auto import tqdm

from kerasrec import EASE, EDLAE, generate
from kerasrec.ops import inverse
from kerasrec.ops.variables import shares_memory_with_tensorflow


def likes(n_users, n_items, seed=0):
    """A long-tailed catalogue: most users like item 0, hardly any the last but one, and none the last."""
    rng = np.random.default_rng(seed)
    dense = rng.random((n_users, n_items)) < 0.8 / np.arange(1, n_items + 1) ** 0.7
    dense[:, -1] = False
    return sp.csr_array(dense.astype(np.float32))


def bar():
    return tqdm(total=100, disable=True)


@pytest.mark.parametrize("function", [inverse.inverse_by_items, inverse.inverse_by_users])
@pytest.mark.parametrize("shape", [(40, 150), (150, 40)])
@pytest.mark.parametrize("block", [7, 1024])
def test_both_functions_return_the_inverse(function, shape, block, monkeypatch):
    monkeypatch.setattr(inverse, "BLOCK", block)
    rows = likes(*shape)
    penalty = np.random.default_rng(1).uniform(1.0, 20.0, shape[1]).astype(np.float32)
    x = rows.toarray().astype(np.float64)
    expected = np.linalg.inv(x.T @ x + np.diag(penalty))
    result = function(rows, penalty, bar())
    assert result.dtype == np.float32
    assert shares_memory_with_tensorflow(result, "float32")
    np.testing.assert_allclose(result, expected, atol=2e-6 * expected.max())


@pytest.mark.parametrize(
    ("shape", "reg", "expected"),
    [
        ((40, 400), 5.0, "inverse_by_users"),
        ((40, 400), 0.01, "inverse_by_items"),  # by users it would lose digits
        ((400, 40), 5.0, "inverse_by_items"),
    ],
)
def test_the_function_of_less_work_is_used_unless_it_loses_digits(shape, reg, expected, monkeypatch):
    used, estimated = [], []
    for name in ("inverse_by_items", "inverse_by_users"):
        function = getattr(inverse, name)
        monkeypatch.setattr(
            inverse, name, lambda *args, name=name, function=function: used.append(name) or function(*args)
        )
    monkeypatch.setattr(inverse, "seconds_to_invert", lambda n: estimated.append(n) or 0.0)
    inverse.penalised_inverse(likes(*shape), np.full(shape[1], reg, np.float32), bar())
    assert used == [expected]
    assert estimated == [shape[0 if expected == "inverse_by_users" else 1]]


@pytest.mark.parametrize("model", [EASE(800, reg=20.0), EDLAE(800, dropout=0.4, reg=20.0)])
def test_a_model_with_more_items_than_users_equals_the_closed_form(model):
    table = generate(n_users=60, n_items=800, seed=2).with_catalogue(np.arange(800))
    assert inverse.takes_less_work_by_users(table.likes().matrix, np.full(800, 20.0, np.float32))
    model.fit(table, verbose=0)
    x = table.likes().matrix.toarray().astype(np.float64)
    counts = (x**2).sum(0)
    p = np.linalg.inv(x.T @ x + 20.0 * np.eye(800) + (np.diag(counts) * 0.4 / 0.6 if isinstance(model, EDLAE) else 0))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), b, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_a_matrix_that_is_singular_in_float32_raises_an_error(shape):
    with pytest.raises(np.linalg.LinAlgError, match="singular in float32"):
        inverse.inverse_by_items(sp.csr_array(np.ones(shape, np.float32)), np.full(shape[1], 1e-9, np.float32), bar())


@pytest.mark.parametrize(("max_threaded", "n_threads"), [(3, 1), (10**6, None)])
def test_a_large_matrix_is_factorised_by_one_thread(max_threaded, n_threads, monkeypatch):
    used, spotrf = [], inverse.lapack.spotrf

    def spy(*args, **kwargs):
        used.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
        return spotrf(*args, **kwargs)

    before = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    monkeypatch.setattr(inverse, "MAX_THREADED_ROWS", max_threaded)
    monkeypatch.setattr(inverse.lapack, "spotrf", spy)
    matrix = np.asfortranarray(np.eye(4, dtype=np.float32) * 2)
    np.testing.assert_allclose(inverse.invert(matrix), np.eye(4) / 2)
    assert used == [{n_threads} if n_threads else before]
