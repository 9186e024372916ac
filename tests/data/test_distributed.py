"""Batches whose rows divide evenly among devices."""

import numpy as np

from kerasrec import generate
from kerasrec.data.batches import Batches
from kerasrec.data.distributed import EvenBatches, rows_multiple

TABLE = generate(n_users=10, n_items=30, seed=1)


def test_without_a_distribution_no_rows_are_added():
    assert rows_multiple() == 1


def test_weights_keep_the_mean_over_the_rows_that_are_not_empty(monkeypatch):
    batches = EvenBatches(Batches(TABLE, batch_size=7), multiple=4, weighted=True)
    assert len(batches) == 2
    x, y, weight = batches[1]
    assert y is None
    assert [len(values) for values in (*x.values(), weight)] == [4, 4, 4, 4]
    assert x["row"].tolist() == [7, 8, 9, -1]
    assert (x["ids"][3] == -1).all() and not x["values"][3].any()
    np.testing.assert_allclose((weight * [1, 2, 3, 99]).mean(), 2.0)


def test_validation_has_no_weights():
    batches = EvenBatches(Batches(TABLE, TABLE, batch_size=10), multiple=4, weighted=False)
    x, y = batches[0]
    assert len(x["ids"]) == len(y["ids"]) == 12
