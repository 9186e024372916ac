import numpy as np
import pytest

import kerasrec.data.batches
from kerasrec import Interactions, batches
from kerasrec.data.batches import Batches, bucket, pad, pad_on_device, to_device


def table(values=None):
    # User 1 has three items, user 2 one, user 3 two; times are not in the order of the file.
    users, items, times = [1, 1, 1, 2, 3, 3], [10, 20, 30, 20, 30, 10], [5, 3, 4, 1, 2, 9]
    return Interactions.from_arrays(users, items, values, times)


def test_a_batch_is_padded_and_in_time_order():
    (x,) = Batches(table([5, 0, 3, 4, 2, 1]))[0]
    assert x["ids"].dtype == x["row"].dtype == np.int32
    assert x["ids"].shape == x["values"].shape == (3, 16)
    assert x["ids"][:, :4].tolist() == [[1, 2, 0, -1], [1, -1, -1, -1], [2, 0, -1, -1]]
    assert x["values"][:, :3].tolist() == [[0, 3, 5], [4, 0, 0], [2, 1, 0]]
    assert (x["ids"][:, 4:] == -1).all()
    assert x["row"].tolist() == [0, 1, 2]


def test_values_are_absent_where_they_say_nothing():
    (x,) = Batches(table())[0]
    assert set(x) == {"ids", "row"}


def test_targets_stand_beside_their_rows_and_rows_can_be_named():
    whole = table()
    part = whole.select(np.arange(6) != 3, compact=False)
    x, y = Batches(whole, part, batch_size=2, rows=np.array([7, -1, 3]))[0]
    assert x["row"].tolist() == [7, -1]
    assert (y["ids"][1] == -1).all()
    assert y["ids"][0, :3].tolist() == x["ids"][0, :3].tolist()


def test_rows_of_any_order_and_empty_rows_are_padded_right():
    empty = table().select(np.arange(6) != 3, compact=False)
    ids = pad(empty, np.array([2, 1, 0, 2]))["ids"]
    assert ids[:, :3].tolist() == [[2, 0, -1], [-1, -1, -1], [0, 1, 2], [2, 0, -1]]


def test_each_epoch_has_an_order_of_its_own_that_depends_on_seed_and_epoch_alone():
    big = Interactions.from_arrays(np.arange(100), np.zeros(100, int))
    one, two = Batches(big, shuffle=True, seed=4), Batches(big, shuffle=True, seed=4)
    first = one.order(0)
    assert not np.array_equal(first, np.arange(100))
    assert sorted(first) == list(range(100))
    assert not np.array_equal(one.order(1), first)
    np.testing.assert_array_equal(one.order(1), two.order(1))
    assert not np.array_equal(Batches(big, shuffle=True, seed=5).order(0), first)
    np.testing.assert_array_equal(Batches(big).order(0), np.arange(100))
    one.on_epoch_end()
    np.testing.assert_array_equal(one[0][0]["row"], one.order(1))


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 20])
def test_epochs_of_so_many_steps_go_on_in_the_pass_over_all_rows(steps):
    big = Interactions.from_arrays(np.arange(100), np.zeros(100, int))
    passes = Batches(big, batch_size=30, shuffle=True, seed=4)
    short = Batches(big, batch_size=30, shuffle=True, seed=4, steps=steps)
    assert len(short) == steps
    told = []
    for _ in range(-(-28 // steps)):
        told += [short[index][0]["row"] for index in range(steps)]
        short.on_epoch_end()
    due = []
    for _ in range(7):
        due += [passes[index][0]["row"] for index in range(4)]
        passes.on_epoch_end()
    for batch, expected in zip(told[:28], due, strict=True):
        np.testing.assert_array_equal(batch, expected)
    with pytest.raises(ValueError, match="`steps_per_epoch`: expected at least 1, got 0"):
        Batches(big, steps=0)


def test_the_tf_dataset_yields_the_same_batches_and_knows_how_many():
    made = Batches(table([5, 0, 3, 4, 2, 1]), table(), batch_size=2, shuffle=True, seed=1)
    dataset = made.as_tf_dataset()
    assert len(dataset) == len(made) == 2
    in_order = [made[index] for index in range(2)]
    for (x, y), (expected_x, expected_y) in zip(dataset, in_order, strict=True):
        for got, expected in ((x, expected_x), (y, expected_y)):
            assert set(got) == set(expected)
            for name in got:
                np.testing.assert_array_equal(got[name], expected[name])


def test_the_tf_dataset_shuffles_anew_each_time_it_is_read():
    big = Interactions.from_arrays(np.arange(100), np.zeros(100, int))
    dataset = batches(big, batch_size=100, shuffle=True, seed=4)
    first, second = ([x["row"].numpy() for (x,) in dataset] for _ in range(2))
    assert not np.array_equal(first[0], second[0])
    assert sorted(first[0]) == sorted(second[0]) == list(range(100))


def test_batches_gives_what_the_backend_wants():
    import tensorflow as tf

    assert isinstance(batches(table()), tf.data.Dataset)


@pytest.mark.parametrize(("backend", "most", "waste"), [("jax", 20, 1.51), ("tensorflow", 80, 1.13)])
def test_lengths_fall_into_few_buckets_with_little_waste(monkeypatch, backend, most, waste):
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    lengths = [bucket(n) for n in range(1, 5001)]
    assert len(set(lengths)) < most
    assert all(n <= size < max(17, waste * n) for n, size in enumerate(lengths, 1))


def test_tables_that_do_not_fit_and_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="same rows"):
        Batches(table(), table().take_users([0]))
    with pytest.raises(ValueError, match="`batch_size`"):
        Batches(table(), batch_size=0)


@pytest.mark.parametrize("values", [None, [5, 0, 3, 4, 2, 1]])
@pytest.mark.parametrize("kept", [[0, 1, 2, 4, 5], []])  # user 2 without an item; nobody with any
def test_a_device_that_holds_the_table_pads_as_the_host_does(values, kept):
    pytest.importorskip("jax")
    part = table(values).select(np.isin(np.arange(6), kept), compact=False)
    rows = np.array([2, 1, 0, 2])
    expected, found = pad(part, rows), pad_on_device(part, rows, to_device(part))
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_on_jax_with_a_gpu_batches_come_from_the_device(monkeypatch):
    jax = pytest.importorskip("jax")
    whole = table([5, 0, 3, 4, 2, 1])
    part = whole.select(np.arange(6) != 3, compact=False)
    expected = Batches(whole, part, batch_size=2, shuffle=True, seed=1)[1]
    monkeypatch.setattr(kerasrec.data.batches.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(kerasrec.data.batches, "has_gpu", lambda: True)
    found = Batches(whole, part, batch_size=2, shuffle=True, seed=1)[1]
    assert len(found) == len(expected) == 2
    for ours, theirs in zip(found, expected, strict=True):
        assert isinstance(ours["ids"], jax.Array) and set(ours) == set(theirs)
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)
