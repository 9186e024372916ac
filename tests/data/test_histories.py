import pytest

from kerasrec.data import Interactions

TRAIN = Interactions.from_arrays([1, 1], [10, 20])


def test_unknown_items_are_ignored_and_the_last_value_of_an_item_counts():
    table = Interactions.from_histories([[20, 99, 10], [], [10, 10]], TRAIN, [[1, 2, 3], [], [4, 5]])
    assert [table.row(user).tolist() for user in range(3)] == [[1, 0], [], [0]]
    assert table.values.tolist() == [1, 3, 5]
    assert table.item_ids.tolist() == [10, 20]


def test_users_are_unknown_unless_their_ids_are_passed():
    assert Interactions.from_histories([[10], [20]], TRAIN).user_ids.tolist() == [2, 3]
    assert Interactions.from_histories([[10], [20]], TRAIN, user_ids=[1, 7]).user_ids.tolist() == [1, 7]
    named = Interactions.from_arrays(["ann"], ["a"])
    assert Interactions.from_histories([["a"], []], named).user_ids.tolist() == [0, 1]


def test_ids_of_another_type_are_an_error():
    message = "expected item ids that are integers, as in the catalogue, got '10' in history 1. Fix: convert the ids"
    with pytest.raises(ValueError, match=message):
        Interactions.from_histories([[10], ["10"]], TRAIN)
    named = Interactions.from_arrays([1, 1], ["a", "b"])
    with pytest.raises(ValueError, match="expected item ids that are strings, as in the catalogue, got 3 in history 0"):
        Interactions.from_histories([[3]], named)


@pytest.mark.parametrize("history", [20, "20"])
def test_a_history_that_is_not_a_list_is_an_error(history):
    message = f"expected a list of item ids for each user, got {history!r} as history 1. Fix: pass a list of lists"
    with pytest.raises(ValueError, match=message):
        Interactions.from_histories([[10], history], TRAIN)


def test_user_ids_that_are_not_parallel_are_an_error():
    with pytest.raises(ValueError, match="expected `user_ids` with 2 entries, one for each of `histories`, got 1"):
        Interactions.from_histories([[10], [20]], TRAIN, user_ids=[1])


@pytest.mark.parametrize("values, message", [
    ([[3], [4, float("nan")]], r"expected finite numbers .* in `values\[1\]`, got nan at position 1"),
    ([[float("inf")], [4, 5]], r"expected finite numbers .* in `values\[0\]`, got inf at position 0"),
    ([["x"], [4, 5]], r"expected numbers .* in `values\[0\]`"),
    ([[3]], "expected `values` with 2 entries, one for each of `histories`, got 1"),
    ([[3], [4, 5], [6]], "expected `values` with 2 entries, one for each of `histories`, got 3"),
    ([[3], [4]], "expected 2 values for history 1, one for each item, got 1. Fix: pass parallel lists"),
])  # fmt: skip
def test_values_that_are_invalid_or_not_parallel_are_an_error(values, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_histories([[10], [20, 99]], TRAIN, values)


def test_a_list_in_a_history_is_an_error():
    with pytest.raises(ValueError, match=r"expected an item id, got \[5\] in history 1. Fix: pass a list of lists"):
        Interactions.from_histories([[5], [[5]]], Interactions.from_arrays([1], [5]))


def test_unknown_users_have_ids_although_a_user_has_the_largest_integer():
    catalogue = Interactions.from_arrays([2**63 - 1, 1], [5, 5])
    ids = Interactions.from_histories([[5], [5]], catalogue).user_ids
    assert ids.tolist() == [0, 2]
