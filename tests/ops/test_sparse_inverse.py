"""The sparse approximate inverse against numpy."""

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from kerasrec.ops import sparse_inverse
from kerasrec.ops.sparse_inverse import common_users, largest_of_rows, sparse_item_weights

X = sp.csr_array((np.random.default_rng(0).random((90, 30)) < 0.3).astype(np.float32))


def bar():
    return tqdm(total=100, disable=True)


def dense(weights):
    result = np.zeros((30, 30))
    np.add.at(result, (np.arange(30)[:, None], weights.columns), weights.values)
    return result


def expected_weights(reg):
    inverse = np.linalg.inv(X.toarray().T @ X.toarray() + reg * np.eye(30))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def test_all_entries_give_the_exact_inverse(monkeypatch):
    monkeypatch.setattr(sparse_inverse, "PRODUCTS_PER_BLOCK", 500)  # several blocks
    np.testing.assert_allclose(dense(sparse_item_weights(X, 5.0, 30, 30, bar())), expected_weights(5.0), atol=1e-5)


def test_more_entries_are_closer_to_the_exact_inverse():
    errors = [
        np.abs(dense(sparse_item_weights(X, 5.0, n, 30, bar())) - expected_weights(5.0)).mean() for n in (1, 8, 16, 30)
    ]
    assert errors == sorted(errors, reverse=True) and errors[2] < 0.5 * errors[0]


def test_the_largest_weights_are_kept():
    everything, largest = (dense(sparse_item_weights(X, 5.0, 10, n, bar())) for n in (30, 4))
    smallest = np.sort(np.abs(everything), axis=1)[:, -4:-3]
    np.testing.assert_allclose(largest, np.where(np.abs(everything) >= smallest, everything, 0.0), atol=1e-6)


def test_pairs_with_few_users_are_left_out_to_save_memory():
    pairs = np.tril((X.T @ X).toarray(), -1)
    np.testing.assert_array_equal(common_users(X.T.tocsr(), 10**6, bar(), 1).toarray(), pairs)
    limited = common_users(X.T.tocsr(), 100, bar(), 1)
    fewest = limited.data.min()
    assert limited.nnz <= 100
    np.testing.assert_array_equal(limited.toarray(), np.where(pairs >= fewest, pairs, 0))


def test_short_rows_are_padded():
    matrix = sp.csr_array(np.array([[0, 3, -5, 1], [0, 0, 2, 0]], np.float32))
    columns, values = largest_of_rows(matrix, 2)
    assert sorted(zip(columns[0].tolist(), values[0].tolist(), strict=True)) == [(1, 3.0), (2, -5.0)]
    assert columns[1].tolist() == [2, -1] and values[1].tolist() == [2.0, 0.0]
    assert largest_of_rows(matrix, 1, np.array([1, 9, 1, 1], np.float32))[0][0].tolist() == [1]
