"""Batches whose rows divide evenly among devices."""

import keras
import numpy as np
import pytest

from kerasrec import generate
from kerasrec.data.batches import Batches
from kerasrec.data.distributed import BatchShare, EvenBatches, even_batches, rows_multiple

TABLE = generate(n_users=10, n_items=30, seed=1)


def test_without_a_distribution_no_rows_are_added():
    assert rows_multiple() == 1


def test_an_old_version_of_keras_is_refused(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.14.1")
    with pytest.raises(RuntimeError, match=r"expected Keras 3\.15 or newer .* got 3\.14\.1\. Fix: pip install"):
        even_batches(Batches(TABLE, batch_size=7), weighted=True)


def test_weights_keep_the_mean_over_the_rows_that_are_not_empty():
    batches = EvenBatches(Batches(TABLE, batch_size=7), share=BatchShare(0, 1, 4), weighted=True)
    assert len(batches) == 2
    x, y, weight = batches[1]
    assert y is None
    assert [len(values) for values in (*x.values(), weight)] == [4, 4, 4, 4]
    assert x["row"].tolist() == [7, 8, 9, -1]
    assert (x["ids"][3] == -1).all() and not x["values"][3].any()
    np.testing.assert_allclose((weight * [1, 2, 3, 99]).mean(), 2.0)


def test_validation_has_no_weights():
    batches = EvenBatches(Batches(TABLE, TABLE, batch_size=10), share=BatchShare(0, 1, 4), weighted=False)
    x, y = batches[0]
    assert len(x["ids"]) == len(y["ids"]) == 12


@pytest.mark.parametrize("n_parts", [2, 3, 4])
def test_processes_with_the_same_users_read_disjoint_shares_of_each_batch(n_parts):
    whole = Batches(TABLE, batch_size=7, shuffle=True, seed=3)
    shares = [
        EvenBatches(Batches(TABLE, batch_size=7, shuffle=True, seed=3), BatchShare(part, n_parts, 1), True)
        for part in range(n_parts)
    ]
    for share in shares:
        share.is_shared = share.weighted = True  # what several processes find when they compare their users
    for index, n_rows in enumerate([7, 3]):
        parts = [share[index] for share in shares]
        assert len({len(x["row"]) for x, _, _ in parts}) == 1
        rows = np.concatenate([x["row"] for x, _, _ in parts])
        weights = np.concatenate([weight for _, _, weight in parts])
        np.testing.assert_array_equal(rows[rows >= 0], whole[index][0]["row"])
        assert not weights[rows < 0].any()
        np.testing.assert_allclose(weights[rows >= 0], len(rows) / n_rows)
