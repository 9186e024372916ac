"""The three algorithms of a sparse product give one result, and the cost model chooses between them."""

import numpy as np
import pytest

from kerasrec.ops import sparse_matmul
from kerasrec.ops.sparse_rows import from_padded_ids, observed_rows

tf = pytest.importorskip("tensorflow")

LIKES = [[2.0, 0.0, 2.0], [0.0, -4.0, 0.0]]  # one nonzero value in each row, as dropout leaves likes
RATINGS = [[2.0, 0.0, 3.0], [0.0, 4.0, 0.0]]


@pytest.mark.parametrize("values", [RATINGS, LIKES])
@pytest.mark.parametrize("n_columns", [4, 4000])
def test_every_algorithm_gives_the_product_and_its_gradients(values, n_columns):
    """With 4,000 columns the product works on entries, with 4 on dense rows."""
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

    product, by_kernel, by_values = product_and_gradients(kernel, tf.constant(values))
    upstream = 2 * dense @ kernel.numpy()
    np.testing.assert_allclose(product, upstream / 2, rtol=1e-5)
    np.testing.assert_allclose(by_kernel, dense.T @ upstream, rtol=1e-5)
    expected = (upstream @ kernel.numpy().T)[[0, 0, 1], [2, 1, 1]]
    np.testing.assert_allclose(by_values.numpy()[[0, 0, 1], [0, 2, 1]], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "factors", "n_columns", "expected"),
    [
        # 3 entries in 2 rows, which cost as much as MIN_DENSE_ROWS dense rows
        (LIKES, "float32", 3 * sparse_matmul.EQUAL_ENTRY_COST_FLOAT32 // sparse_matmul.MIN_DENSE_ROWS + 1, "equal"),
        (LIKES, "float32", 3 * sparse_matmul.EQUAL_ENTRY_COST_FLOAT32 // sparse_matmul.MIN_DENSE_ROWS, "dense"),
        (LIKES, "bfloat16", 3 * sparse_matmul.EQUAL_ENTRY_COST_BFLOAT16 // sparse_matmul.MIN_DENSE_ROWS + 1, "equal"),
        (LIKES, "bfloat16", 3 * sparse_matmul.EQUAL_ENTRY_COST_BFLOAT16 // sparse_matmul.MIN_DENSE_ROWS, "dense"),
        (RATINGS, "float32", 3 * sparse_matmul.ENTRY_COST // sparse_matmul.MIN_DENSE_ROWS + 1, "entries"),
        (RATINGS, "float32", 3 * sparse_matmul.ENTRY_COST // sparse_matmul.MIN_DENSE_ROWS, "dense"),
    ],
)
def test_the_cheapest_algorithm_is_chosen(values, factors, n_columns, expected, monkeypatch):
    chosen = []
    names = {"dense": "dense_product", "equal": "product_of_equal_entries", "entries": "product_of_entries"}
    for name, function in names.items():
        original = getattr(sparse_matmul, function)
        monkeypatch.setattr(
            sparse_matmul, function, lambda *args, name=name, original=original: chosen.append(name) or original(*args)
        )
    observed = from_padded_ids(np.array([[2, 0, 1], [3, 1, -1]]), np.array(values, np.float32))
    observed.matmul(tf.ones((n_columns, 3)), factors)
    assert chosen == [expected]


@pytest.mark.parametrize("value", [1.0, 2.0])
def test_a_column_beyond_the_kernel_raises_an_error(value):
    observed = from_padded_ids(np.array([[1, 4000], [2, 3]]), np.array([[1.0, value], [1.0, 1.0]], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError):
        observed.matmul(np.ones((4000, 3), np.float32))
