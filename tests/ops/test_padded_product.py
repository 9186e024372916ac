"""The product of padded entries against numpy, and its memory on JAX."""

import os
import subprocess
import sys

import numpy as np
import pytest
from keras import ops

from kerasrec.ops import padded_product

COLUMNS = np.array([[2, 0, 3], [3, 0, 0], [0, 0, 0]], np.int32)
VALUES = np.array([[5.0, 0.5, 1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], np.float32)  # the zeros are padding
DENSE = np.array([[0.5, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4], np.float32)
KERNEL = np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.mark.parametrize("max_gathered", [6, 12, 2**25])
def test_product_and_gradients_are_those_of_dense_rows(max_gathered, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(padded_product, "MAX_GATHERED", max_gathered)
    values, kernel = tf.Variable(VALUES.ravel()), tf.Variable(KERNEL)
    upstream = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)
    with tf.GradientTape() as tape:
        product = padded_product.padded_product(values, ops.convert_to_tensor(COLUMNS.ravel()), 3, kernel.value())
        loss = ops.sum(product * upstream)
    of_values, of_kernel = tape.gradient(loss, [values, kernel])
    np.testing.assert_allclose(product, DENSE @ KERNEL)
    np.testing.assert_allclose(of_kernel, DENSE.T @ upstream)
    np.testing.assert_allclose(of_values, (upstream[:, None, :] * KERNEL[COLUMNS]).sum(axis=2).ravel())


ON_JAX = """
import re, jax, numpy as np
from kerasrec.ops.sparse_rows import from_padded_ids

rows, items = 512, 2**18  # more cells than `MAX_DENSE_CELLS`

def loss(kernel, ids):
    return (from_padded_ids(ids).matmul(kernel) ** 2).sum()

arguments = np.ones((items, 4), np.float32), np.zeros((rows, 7), np.int32)
program = jax.jit(jax.grad(loss)).lower(*arguments).compile().as_text()
sizes = [np.prod([int(n) for n in shape.split(",")]) for shape in re.findall(r"\\[([0-9,]+)\\]", program)]
assert max(sizes) == items * 4, max(sizes)
gradient = jax.grad(loss)(*arguments)
assert np.allclose(gradient[0], 2 * 7 * 7 * rows) and not np.any(gradient[1:])
"""


@pytest.mark.slow
def test_a_compiled_program_on_jax_has_no_buffer_of_rows_times_items():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", ON_JAX], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
