"""`SparseRows` with and without padding, and `DenseRows`, against numpy on the dense rows."""

import keras
import numpy as np
import pytest
from keras import ops

import kerasrec.ops.sparse_rows
from kerasrec.ops.sparse_rows import from_padded_ids, l2_normalize_rows, observed_rows, padded_ids

IDS = np.array([[2, 0, 3, -1], [-1, 3, -1, -1], [-1, -1, -1, -1]])
VALUES = np.array([[5.0, 0.5, 1.0, 9.0], [9.0, 2.0, 9.0, 9.0], [9.0] * 4], np.float32)  # 9 is padding
DENSE = np.array([[0.5, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4], np.float32)
MASK = DENSE != 0


@pytest.fixture(params=["without padding", "with padding", "dense"])
def observed(request, monkeypatch):
    monkeypatch.setattr(kerasrec.ops.sparse_rows, "omits_padding", lambda: request.param == "without padding")
    return observed_rows(DENSE if request.param == "dense" else {"ids": IDS, "values": VALUES}, use_values=True)


@pytest.fixture(params=[True, False], ids=["with padding", "without padding"])
def padding(request, monkeypatch):
    monkeypatch.setattr(kerasrec.ops.sparse_rows, "omits_padding", lambda: not request.param)
    return request.param


def test_row_sums_add_up_entries_and_broadcast_to_entries_repeats_rows(observed):
    np.testing.assert_allclose(observed.row_sums(observed.values), DENSE.sum(1))
    np.testing.assert_array_equal(observed.counts, MASK.sum(1))
    of_rows = np.array([10.0, 20.0, 30.0], np.float32)
    np.testing.assert_allclose(
        observed.row_sums(observed.mask * observed.broadcast_to_entries(of_rows)), MASK.sum(1) * of_rows
    )


def test_gather_reads_dense_rows_at_the_entries(observed):
    other = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(observed.row_sums(observed.mask * observed.gather(other)), (MASK * other).sum(1))


def test_matmul_equals_that_of_dense_rows(observed):
    kernel = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(observed.matmul(kernel), DENSE @ kernel, rtol=1e-6)


def test_normalized_rows_have_norm_1_or_no_entries(observed):
    normalized = l2_normalize_rows(observed)
    rows = normalized.matmul(np.eye(4, dtype=np.float32))
    np.testing.assert_allclose(rows[0], DENSE[0] / 26.25**0.5, rtol=1e-6)
    squares = normalized.row_sums(ops.square(normalized.values))
    np.testing.assert_allclose(squares, [1, 1, 0], rtol=1e-6)


def test_padding_is_omitted_or_masked(padding):
    observed = from_padded_ids(IDS, VALUES)
    assert observed.n_rows == 3
    assert np.asarray(observed.mask).tolist() == ([1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] if padding else [1, 1, 1, 1])
    assert np.asarray(observed.rows).tolist() == ([0] * 4 + [1] * 4 + [2] * 4 if padding else [0, 0, 0, 1])
    for name, dtype in {"values": "float32", "rows": "int32", "columns": "int32", "mask": "float32"}.items():
        array = np.asarray(getattr(observed, name))
        assert array.dtype == dtype
        assert len(array) == (12 if padding else 4)


@pytest.mark.usefixtures("padding")
def test_dense_and_scatter_add_change_only_the_entries():
    observed = from_padded_ids(IDS, VALUES)
    np.testing.assert_array_equal(observed.dense(4), DENSE)
    np.testing.assert_array_equal(observed.dense(4, np.nan), np.where(MASK, DENSE, np.nan))
    before = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(observed.scatter_add(ops.convert_to_tensor(before), observed.values), before + DENSE)
    excluded = from_padded_ids(IDS).scatter_add(ops.convert_to_tensor(before), float("-inf"))
    np.testing.assert_array_equal(excluded, np.where(MASK, -np.inf, before))


@pytest.mark.usefixtures("padding")
def test_a_value_of_0_is_an_entry_and_padding_is_not():
    zeros = observed_rows({"ids": IDS, "values": np.where(IDS < 0, 9.0, 0.0)}, use_values=True)
    assert not np.asarray(zeros.values).any()
    np.testing.assert_array_equal(zeros.counts, [3, 1, 0])
    likes = observed_rows({"ids": IDS, "values": VALUES})
    np.testing.assert_array_equal(likes.values, likes.mask)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_batches_without_rows_or_without_columns(shape):
    empty = from_padded_ids(np.zeros(shape, np.int32))
    assert empty.dense(4).shape == (shape[0], 4)
    assert keras.ops.convert_to_numpy(empty.row_sums(empty.values)).tolist() == [0.0] * shape[0]


def test_padded_ids_of_a_batch():
    assert padded_ids({"ids": IDS}) is IDS
    assert padded_ids(DENSE) is None


@pytest.mark.parametrize("rows", [np.ones(3), np.ones((2, 2, 3)), (np.ones((2, 3)), np.ones((2, 3)))])
def test_dense_rows_of_another_rank_are_refused(rows):
    with pytest.raises(ValueError, match="`x`: expected dense rows of shape .batch, n_columns., got a tensor of rank"):
        observed_rows(rows)
