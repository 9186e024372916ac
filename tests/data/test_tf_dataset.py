import numpy as np

from kerasrec import Interactions, batches
from kerasrec.data.batches import Batches
from kerasrec.data.tf_dataset import tf_dataset


def test_the_dataset_has_the_same_batches_and_length():
    users, items, times = [1, 1, 1, 2, 3, 3], [10, 20, 30, 20, 30, 10], [5, 3, 4, 1, 2, 9]
    inputs = Interactions.from_arrays(users, items, [5, 0, 3, 4, 2, 1], times)
    pydataset = Batches(inputs, inputs.likes(), batch_size=2, shuffle=True, seed=1)
    dataset = tf_dataset(pydataset)
    assert len(dataset) == len(pydataset) == 2
    expected_batches = [pydataset[index] for index in range(2)]
    for batch, expected_batch in zip(dataset, expected_batches, strict=True):
        for rows, expected_rows in zip(batch, expected_batch, strict=True):
            assert set(rows) == set(expected_rows)
            for name in rows:
                np.testing.assert_array_equal(rows[name], expected_rows[name])


def test_the_dataset_is_shuffled_again_for_each_epoch():
    table = Interactions.from_arrays(np.arange(100), np.zeros(100, int))
    dataset = batches(table, batch_size=100, shuffle=True, seed=4)
    first, second = ([x["row"].numpy() for (x,) in dataset] for _ in range(2))
    assert not np.array_equal(first[0], second[0])
    assert sorted(first[0]) == sorted(second[0]) == list(range(100))
