import numpy as np
import pytest

from kerasrec import Interactions
from kerasrec.data.padding import DeviceTable, padded_length, padded_rows, padded_rows_on_device


def table(values=None):
    """User 1 has three items, user 2 one, user 3 two."""
    return Interactions.from_arrays([1, 1, 1, 2, 3, 3], [10, 20, 30, 20, 30, 10], values)


def test_rows_in_any_order_and_empty_rows_are_padded():
    without_user_2 = table().select(np.arange(6) != 3, compact=False)
    ids = padded_rows(without_user_2, np.array([2, 1, 0, 2]))["ids"]
    assert ids[:, :3].tolist() == [[2, 0, -1], [-1, -1, -1], [0, 1, 2], [2, 0, -1]]


@pytest.mark.parametrize("values", [None, [5, 0, 3, 4, 2, 1]])
@pytest.mark.parametrize("positions", [[0, 1, 2, 4, 5], []], ids=["user 2 has no items", "no user has items"])
def test_the_device_pads_like_the_host(values, positions):
    pytest.importorskip("jax")
    part = table(values).select(np.isin(np.arange(6), positions), compact=False)
    rows = np.array([2, 1, 0, 2])
    expected, actual = padded_rows(part, rows), padded_rows_on_device(part, rows, DeviceTable.from_table(part))
    assert set(actual) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array)
        assert actual[name].dtype == array.dtype


@pytest.mark.parametrize(("backend", "max_lengths", "max_waste"), [("jax", 20, 1.51), ("tensorflow", 80, 1.13)])
def test_padded_lengths_are_few_and_waste_little(monkeypatch, backend, max_lengths, max_waste):
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    lengths = [padded_length(n) for n in range(1, 5001)]
    assert len(set(lengths)) < max_lengths
    assert all(n <= length < max(17, max_waste * n) for n, length in enumerate(lengths, 1))
