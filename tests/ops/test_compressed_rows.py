"""Products with compressed rows against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from kerasrec.ops import compressed_rows
from kerasrec.ops.compressed_rows import compress_rows, sum_of_compressed_rows, times_transposed
from kerasrec.ops.sparse_rows import from_padded_ids


def sparse_matrix(n_rows, width, n_kept, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_rows, width)).astype(np.float32)
    matrix[rng.random(matrix.shape).argsort(axis=1) >= n_kept] = 0
    return matrix


@pytest.mark.parametrize(("width", "dtype"), [(256, np.uint8), (257, np.uint16)])
def test_compressed_rows_store_all_nonzero_entries_and_small_column_numbers(width, dtype, monkeypatch):
    monkeypatch.setattr(compressed_rows, "BLOCK_CELLS", 2 * width)  # two rows at a time
    matrix = sparse_matrix(5, width, 4)
    matrix[2] = 0
    columns, values = compress_rows(matrix)
    assert columns.shape == values.shape == (5, 4) and columns.dtype == dtype
    dense = np.zeros_like(matrix)
    np.put_along_axis(dense, columns.astype(int), values, axis=1)
    np.testing.assert_array_equal(dense, matrix)


@pytest.mark.parametrize("block_cells", [1 << 20, 70, 8])
def test_products_are_those_of_the_dense_matrix(block_cells, monkeypatch):
    monkeypatch.setattr(compressed_rows, "BLOCK_CELLS", block_cells)
    matrix = sparse_matrix(23, 8, 3)
    columns, values = map(tf.constant, compress_rows(matrix))
    ids = np.array([[3, 7, 22], [0, -1, -1], [-1, -1, -1]])
    rows = np.zeros((3, 23), np.float32)
    rows[[0, 0, 0, 1], [3, 7, 22, 0]] = 1
    codes = sum_of_compressed_rows(from_padded_ids(ids), columns, values, 8)
    np.testing.assert_allclose(codes, rows @ matrix, atol=1e-6)
    scores = tf.function(times_transposed)(codes, columns, values)
    np.testing.assert_allclose(scores, rows @ matrix @ matrix.T, atol=1e-5)
