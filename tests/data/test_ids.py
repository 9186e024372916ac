import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kerasrec.data.ids import factorize, lookup


@pytest.mark.parametrize(
    "ids",
    [
        ["a", "b", "a"],
        np.array(["a", "b", "a"]),
        np.array([b"a", b"b", b"a"]),
        np.array(["a", "b", "a"], dtype=object),
        pd.Series(["a", "b", "a"]),
        pd.Series(["a", "b", "a"], dtype="category"),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.chunked_array([["a"], ["b", "a"]], pa.large_string()),
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', getattr(ids, 'type', ''))}",
)
def test_string_ids_of_any_type(ids):
    vocabulary, positions = factorize(ids, "users")
    assert vocabulary.tolist() == ["a", "b"]
    assert vocabulary.dtype.kind == "U"
    assert positions.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "ids",
    [
        [10**12, 5, 5],
        np.array([1e12, 5, 5]),
        np.array([10**12, 5, 5], np.uint64),
        pd.Series([10**12, 5, 5], dtype="Int64"),
        pa.array([10**12, 5, 5]),
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', getattr(ids, 'type', ''))}",
)
def test_integer_ids_of_any_type(ids):
    vocabulary, positions = factorize(ids, "users")
    assert vocabulary.tolist() == [5, 10**12]
    assert vocabulary.dtype == np.int64
    assert positions.tolist() == [1, 0, 0]


@pytest.mark.parametrize("ids, message", [
    (["a", None], r"expected an id in `users` at position 1, got a missing value \(1 in all\)\. Fix: drop these"),
    (["a", float("nan")], "expected an id in `users` at position 1, got a missing value"),
    (np.array(["a", np.nan], object), "expected an id in `users` at position 1, got a missing value"),
    ([1.0, np.nan], "expected an id in `users` at position 1, got a missing value"),
    ([2**70, 1], f"expected 64-bit integers in `users`, got {2**70}. Fix: convert the ids to strings"),
    (np.array([1, -(2**70)]), f"expected 64-bit integers in `users`, got {-(2**70)}"),
    ([1, np.uint64(2**63)], f"expected 64-bit integers in `users`, got {2**63}"),
    ([1.5, 2.0], "expected 64-bit integers in `users`, got another number"),
    (np.array([np.inf, 2.0]), "expected 64-bit integers in `users`, got another number"),
    (np.array([2**63], np.uint64), "expected 64-bit integers in `users`, got another number"),
    ([1, "a"], "expected ids of one type in `users`, got a mixture of types. Fix: convert all ids to strings"),
    ([True, False], "expected integers or strings in `users`, got bool. Fix: convert the ids"),
    (["a", ""], "expected ids other than -1 and '', which are reserved for padding, got '' in `users`. Fix: rename"),
    ([-1, 2], "expected ids other than -1 and '', which are reserved for padding, got -1 in `users`"),
])  # fmt: skip
def test_an_invalid_id_is_an_error(ids, message):
    with pytest.raises(ValueError, match=message):
        factorize(ids, "users")


def test_lookup_returns_positions_and_minus_one_for_unknown_ids():
    assert lookup(np.array([3, 5, 9]), np.array([9, 4, 3, 10])).tolist() == [2, -1, 0, -1]
    assert lookup(np.array(["a", "c"]), np.array(["c", "b"])).tolist() == [1, -1]
    assert lookup(np.array([3, 5]), np.array(["3"])).tolist() == [-1]
    assert lookup(np.array([], np.int64), np.array([1])).tolist() == [-1]
