import numpy as np
import pytest

import kerasrec.data.batches
from kerasrec import Interactions, batches
from kerasrec.data.batches import Batches


def table(values=None):
    """User 1 has three items, user 2 one, user 3 two. Times are not in the order of the input."""
    users, items, times = [1, 1, 1, 2, 3, 3], [10, 20, 30, 20, 30, 10], [5, 3, 4, 1, 2, 9]
    return Interactions.from_arrays(users, items, values, times)


def hundred_users():
    return Interactions.from_arrays(np.arange(100), np.zeros(100, int))


def test_a_batch_is_padded_and_in_time_order():
    (x,) = Batches(table([5, 0, 3, 4, 2, 1]))[0]
    assert x["ids"].dtype == x["row"].dtype == np.int32
    assert x["ids"].shape == x["values"].shape == (3, 16)
    assert x["ids"][:, :4].tolist() == [[1, 2, 0, -1], [1, -1, -1, -1], [2, 0, -1, -1]]
    assert x["values"][:, :3].tolist() == [[0, 3, 5], [4, 0, 0], [2, 1, 0]]
    assert (x["ids"][:, 4:] == -1).all()
    assert x["row"].tolist() == [0, 1, 2]


def test_likes_have_no_values():
    (x,) = Batches(table())[0]
    assert set(x) == {"ids", "row"}


def test_targets_are_parallel_to_inputs_and_rows_can_be_passed():
    inputs = table()
    targets = inputs.select(np.arange(6) != 3, compact=False)
    x, y = Batches(inputs, targets, batch_size=2, rows=np.array([7, -1, 3]))[0]
    assert x["row"].tolist() == [7, -1]
    assert (y["ids"][1] == -1).all()
    assert y["ids"][0, :3].tolist() == x["ids"][0, :3].tolist()


def test_the_order_depends_only_on_the_seed_and_the_pass():
    one, two = (Batches(hundred_users(), shuffle=True, seed=4) for _ in range(2))
    first = one.order(0)
    assert not np.array_equal(first, np.arange(100))
    assert sorted(first) == list(range(100))
    assert not np.array_equal(one.order(1), first)
    np.testing.assert_array_equal(one.order(1), two.order(1))
    assert not np.array_equal(Batches(hundred_users(), shuffle=True, seed=5).order(0), first)
    np.testing.assert_array_equal(Batches(hundred_users()).order(0), np.arange(100))
    one.on_epoch_end()
    np.testing.assert_array_equal(one[0][0]["row"], one.order(1))


@pytest.mark.parametrize("by_length", [False, True])
def test_shards_are_shuffled_and_rows_within_a_window_of_them(by_length, monkeypatch):
    monkeypatch.setattr("kerasrec.data.row_order.SHARD_ENTRIES", 10)
    monkeypatch.setattr("kerasrec.data.row_order.WINDOW", 2)
    options = {"batch_size": 6, "shuffle": "shards", "seed": 4, "by_length": by_length}
    one, two = (Batches(hundred_users(), **options) for _ in range(2))
    order = one.order(1)
    assert sorted(order) == list(range(100))
    assert [len(set((window // 10).tolist())) for window in order.reshape(5, 20)] == [2] * 5
    assert (np.diff(order[:20] // 10) != 0).sum() > 1
    np.testing.assert_array_equal(order, two.order(1))
    assert not np.array_equal(order, one.order(0))
    with pytest.raises(ValueError, match=r"expected `shuffle` to be True, False or 'shards', got 'batch'"):
        Batches(hundred_users(), shuffle="batch")


def test_batches_by_length_contain_every_row_once():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(100), rng.integers(1, 60, 100))
    uneven = Interactions.from_arrays(users, np.arange(len(users)))
    sorted_batches = Batches(uneven, batch_size=30, shuffle=True, by_length=True)
    assert sorted(sorted_batches.order(0)) == list(range(100))
    assert not np.array_equal(sorted_batches.order(0), sorted_batches.order(1))
    lengths = uneven.counts[sorted_batches.order(0)[:90]].reshape(3, 30)
    shuffled_lengths = uneven.counts[Batches(uneven, shuffle=True).order(0)[:90]].reshape(3, 30)
    assert np.ptp(lengths, axis=1).mean() < np.ptp(shuffled_lengths, axis=1).mean()


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 20])
def test_an_epoch_of_given_steps_continues_the_pass_over_the_rows(steps):
    passes = Batches(hundred_users(), batch_size=30, shuffle=True, seed=4)
    epochs = Batches(hundred_users(), batch_size=30, shuffle=True, seed=4, steps=steps)
    assert len(epochs) == steps
    rows, expected_rows = [], []
    for _ in range(-(-28 // steps)):
        rows += [epochs[index][0]["row"] for index in range(steps)]
        epochs.on_epoch_end()
    for _ in range(7):
        expected_rows += [passes[index][0]["row"] for index in range(4)]
        passes.on_epoch_end()
    for batch_rows, expected in zip(rows[:28], expected_rows, strict=True):
        np.testing.assert_array_equal(batch_rows, expected)


def test_batches_returns_a_tf_dataset_on_tensorflow():
    import tensorflow as tf

    assert isinstance(batches(table()), tf.data.Dataset)


def test_tables_of_different_shapes_and_sizes_below_one_are_an_error():
    message = r"expected `targets` of shape \(3, 3\), as `inputs` has, got \(1, 3\)\. Fix: pass tables of the same rows"
    with pytest.raises(ValueError, match=message):
        Batches(table(), table().take_users([0]))
    with pytest.raises(ValueError, match="`batch_size`"):
        Batches(table(), batch_size=0)
    with pytest.raises(ValueError, match="`steps_per_epoch`: expected at least 1, got 0"):
        Batches(table(), steps=0)


def test_on_jax_with_a_gpu_batches_are_padded_on_the_device(monkeypatch):
    jax = pytest.importorskip("jax")
    inputs = table([5, 0, 3, 4, 2, 1])
    targets = inputs.select(np.arange(6) != 3, compact=False)
    expected = Batches(inputs, targets, batch_size=2, shuffle=True, seed=1)[1]
    monkeypatch.setattr(kerasrec.data.batches.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(kerasrec.data.batches, "has_gpu", lambda: True)
    actual = Batches(inputs, targets, batch_size=2, shuffle=True, seed=1)[1]
    assert len(actual) == len(expected) == 2
    for rows, expected_rows in zip(actual, expected, strict=True):
        assert isinstance(rows["ids"], jax.Array)
        assert set(rows) == set(expected_rows)
        for name, array in expected_rows.items():
            np.testing.assert_array_equal(rows[name], array)
