"""SparseRows of padded rows, with their padding and without, against the dense rows that they stand for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import kerasrec.ops.sparse_rows
from kerasrec.ops.sparse_rows import from_padded_ids, l2_normalize_rows, observed_rows

IDS = np.array([[2, 0, 3, -1], [-1, 3, -1, -1], [-1, -1, -1, -1]])
VALUES = np.array([[5.0, 0.5, 1.0, 9.0], [9.0, 2.0, 9.0, 9.0], [9.0] * 4], np.float32)  # 9 is padding
DENSE = np.array([[0.5, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4], np.float32)
KNOWN = DENSE != 0


@pytest.fixture(params=["without padding", "with padding", "dense"])
def observed(request, monkeypatch):
    monkeypatch.setattr(kerasrec.ops.sparse_rows, "lists_entries", lambda: request.param == "without padding")
    return observed_rows(DENSE if request.param == "dense" else {"ids": IDS, "values": VALUES}, use_values=True)


def test_sums_and_each_go_between_rows_and_entries(observed):
    np.testing.assert_allclose(observed.row_sums(observed.values), DENSE.sum(1))
    np.testing.assert_array_equal(observed.counts, KNOWN.sum(1))
    of_rows = np.array([10.0, 20.0, 30.0], np.float32)
    np.testing.assert_allclose(
        observed.row_sums(observed.known * observed.broadcast_to_entries(of_rows)), KNOWN.sum(1) * of_rows
    )


def test_among_reads_dense_rows_at_the_entries(observed):
    other = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(observed.row_sums(observed.known * observed.gather(other)), (KNOWN * other).sum(1))


def test_matmul_is_that_of_the_dense_rows(observed):
    kernel = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(observed.matmul(kernel), DENSE @ kernel, rtol=1e-6)


@pytest.mark.parametrize("values", [[[2.0, 0.0, 3.0], [0.0, 4.0, 0.0]], [[2.0, 0.0, 2.0], [0.0, -4.0, 0.0]]])
@pytest.mark.parametrize("n_columns", [4, 4000])
def test_by_entry_and_by_row_a_matmul_and_its_gradients_are_the_same(values, n_columns):
    """Of many columns by entry, the second rows as sums of the kernel's; of few by row. Zeros are as dropout leaves."""
    ids, values = np.array([[2, 0, 1], [3, 1, -1]]), np.array(values, np.float32)
    dense = np.zeros((2, n_columns))
    dense[[0, 0, 1], [2, 1, 1]] = values[[0, 0, 1], [0, 2, 1]]
    kernel = tf.constant(np.random.default_rng(0).normal(size=(n_columns, 3)), tf.float32)

    @tf.function
    def product_and_gradients(kernel, values):
        with tf.GradientTape() as tape:
            tape.watch([kernel, values])
            product = observed_rows({"ids": ids, "values": values}, use_values=True).matmul(kernel)
            total = tf.reduce_sum(tf.square(product))
        return product, *map(tf.convert_to_tensor, tape.gradient(total, [kernel, values]))

    product, of_kernel, of_values = product_and_gradients(kernel, tf.constant(values))
    above = 2 * dense @ kernel.numpy()
    np.testing.assert_allclose(product, above / 2, rtol=1e-5)
    np.testing.assert_allclose(of_kernel, dense.T @ above, rtol=1e-5)
    expected = (above @ kernel.numpy().T)[[0, 0, 1], [2, 1, 1]]
    np.testing.assert_allclose(of_values.numpy()[[0, 0, 1], [0, 2, 1]], expected, rtol=1e-5)


@pytest.mark.parametrize("value", [1.0, 2.0])
def test_a_column_that_the_kernel_lacks_is_refused_by_entry(value):
    observed = from_padded_ids(np.array([[1, 4000], [2, 3]]), np.array([[1.0, value], [1.0, 1.0]], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError):
        observed.matmul(np.ones((4000, 3), np.float32))


def test_unit_rows_have_length_1_or_0(observed):
    rows = l2_normalize_rows(observed).matmul(np.eye(4, dtype=np.float32))
    np.testing.assert_allclose(rows[0], DENSE[0] / 26.25**0.5, rtol=1e-6)
    squares = l2_normalize_rows(observed).row_sums(ops.square(l2_normalize_rows(observed).values))
    np.testing.assert_allclose(squares, [1, 1, 0], rtol=1e-6)


@pytest.mark.parametrize("padded", [True, False])
def test_dense_rows_and_numbers_added_stand_at_the_entries_only(padded, monkeypatch):
    monkeypatch.setattr(kerasrec.ops.sparse_rows, "lists_entries", lambda: not padded)
    observed = from_padded_ids(IDS, VALUES)
    np.testing.assert_array_equal(observed.dense(4), DENSE)
    np.testing.assert_array_equal(observed.dense(4, np.nan), np.where(KNOWN, DENSE, np.nan))
    before = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(observed.scatter_add(ops.convert_to_tensor(before), observed.values), before + DENSE)
    banned = from_padded_ids(IDS).scatter_add(ops.convert_to_tensor(before), float("-inf"))
    np.testing.assert_array_equal(banned, np.where(KNOWN, -np.inf, before))


@pytest.mark.parametrize("padded", [True, False])
def test_a_value_of_0_is_an_entry_and_padding_is_none(padded, monkeypatch):
    monkeypatch.setattr(kerasrec.ops.sparse_rows, "lists_entries", lambda: not padded)
    zeros = observed_rows({"ids": IDS, "values": np.where(IDS < 0, 9.0, 0.0)}, use_values=True)
    assert not np.asarray(zeros.values).any()
    np.testing.assert_array_equal(zeros.counts, [3, 1, 0])
    likes = observed_rows({"ids": IDS, "values": VALUES})
    np.testing.assert_array_equal(likes.values, likes.known)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_batches_of_nothing(shape):
    nothing = from_padded_ids(np.zeros(shape, np.int32))
    assert nothing.dense(4).shape == (shape[0], 4)
    assert keras.ops.convert_to_numpy(nothing.row_sums(nothing.values)).tolist() == [0.0] * shape[0]
