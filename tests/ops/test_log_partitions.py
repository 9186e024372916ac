"""The sum of log-partition functions and its gradient, against the definition."""

import numpy as np
import pytest

from kerasrec.ops.log_partitions import sum_of_log_partitions


@pytest.mark.parametrize("block", [1, 5, 23, 100])
def test_value_and_gradient_do_not_depend_on_the_block(block):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    hidden, kernel, bias = (tf.constant(rng.normal(size=s), tf.float32) for s in ((23, 4), (4, 9), (9,)))
    weights = np.where(rng.random(23) < 0.3, 0, rng.integers(1, 5, 23)).astype(np.float32)

    def value_and_gradient(function):
        with tf.GradientTape() as tape:
            tape.watch([hidden, kernel, bias])
            value = function()
        return value, *tape.gradient(value, [hidden, kernel, bias])

    expected = value_and_gradient(
        lambda: 3 * tf.reduce_sum(weights * tf.reduce_logsumexp(hidden @ kernel + bias, axis=1))
    )
    computed = value_and_gradient(lambda: 3 * sum_of_log_partitions(hidden, kernel, bias, weights, block))
    for ours, theirs in zip(computed, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    zeros = value_and_gradient(lambda: sum_of_log_partitions(hidden, kernel, bias, np.zeros(23, np.float32), block))
    assert all((np.asarray(array) == 0).all() for array in zeros)


def test_bfloat16_factors_change_the_sum_by_less_than_a_thousandth():
    rng = np.random.default_rng(0)
    hidden, kernel, bias = (rng.normal(size=s).astype(np.float32) for s in ((300, 16), (16, 40), (40,)))
    weights = rng.integers(0, 5, 300).astype(np.float32)
    exact, rounded = (
        float(sum_of_log_partitions(hidden, kernel, bias, weights, factors=factors))
        for factors in ("float32", "bfloat16")
    )
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=1e-3)
