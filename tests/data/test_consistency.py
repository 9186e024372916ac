"""The same table as CSV, Parquet, data frame and arrays gives the same `Interactions`."""

import datetime
import logging
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from kerasrec_testing.tables import write
from pyarrow import parquet

from kerasrec.data import DataError, Interactions, read

PYARROW = int(pa.__version__.split(".")[0])

KOLKATA = pd.Series(pd.to_datetime(["2024-01-01", "2024-06-01", "1969-12-31"]).tz_localize("Asia/Kolkata"))
TABLES = {
    "blanks": {"user": [" a", "b ", "a"], "item": ["x ", "\ty", " x z"]},
    "integers": {"user": [3, 1, 2], "item": [7, 7, 8], "rating": [1.0, 2.5, 3.0]},
    "time zones": {"user": ["a", "b", "c"], "item": ["x", "y", "z"], "timestamp": KOLKATA},
    "before 1970": {"user": ["a", "b", "c"], "item": ["x", "y", "z"], "timestamp": [-5, 0, 10**9]},
    "fractions before 1970": {"user": ["a", "b", "c"], "item": ["x", "y", "z"], "timestamp": [-5.5, -0.5, 10.5]},
    "dates as text": {"user": ["a", "b", "a"], "item": ["x", "y", "z"], "time": ["1965-01-01", "2001-02-03", "x"]},
    "not ASCII": {"user": ["é", "ß", "漢字"], "item": ["é", "é ", "é"]},
}
TABLES["dates as text"]["time"][2] = "2001-02-04T05:06:07+02:00"


@pytest.mark.parametrize("name", TABLES)
def test_every_source_of_a_table_gives_the_same_interactions(tmp_path, name):
    frame = pd.DataFrame(TABLES[name])
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_csv(tmp_path / "x.tsv", index=False, sep="\t", quoting=1)
    frame.to_parquet(tmp_path / "x.parquet")
    arrays = {f"{role}s": frame[column] for role, column in zip(
        ("user", "item", "value", "time"), (frame.get(c) is not None and c for c in ("user", "item", "rating", None)),
        strict=True) if column}  # fmt: skip
    times = frame.get("timestamp", frame.get("time"))
    table = Interactions.from_arrays(**arrays, times=times)
    assert read(tmp_path / "x.csv") == table
    assert read(tmp_path / "x.tsv") == table
    assert read(tmp_path / "x.parquet") == table
    assert Interactions.from_frame(frame) == table
    assert Interactions.from_frame(pl.from_pandas(frame)) == table
    assert Interactions.from_frame(pl.from_pandas(frame).lazy()) == table
    assert Interactions.from_frame(pa.Table.from_pandas(frame)) == table
    lists = {argument: column.tolist() for argument, column in arrays.items()}
    assert Interactions.from_arrays(**lists, times=None if times is None else times.tolist()) == table


@pytest.mark.parametrize("convert", [
    lambda ids: pa.array(ids, pa.string_view()),
    lambda ids: pa.array(ids, pa.large_string()),
    lambda ids: pa.array(ids).dictionary_encode(),
    lambda ids: pa.array([i.encode() for i in ids]),
    lambda ids: pa.array([i.encode() for i in ids], pa.large_binary()),
    lambda ids: pa.array([i.encode() for i in ids], pa.binary_view()),
], ids=["string_view", "large_string", "dictionary", "binary", "large_binary", "binary_view"])  # fmt: skip
def test_string_types_of_arrow(tmp_path, convert):
    expected = Interactions.from_arrays(["b", "a", "b"], [1, 2, 2])
    users = convert(["b", "a", "b"])
    assert Interactions.from_arrays(users, [1, 2, 2]) == expected
    assert Interactions.from_frame(pa.table({"user": users, "item": [1, 2, 2]})) == expected
    if "view" in str(users.type) and PYARROW < 21:
        return  # it cannot write views
    parquet.write_table(pa.table({"user": users, "item": [1, 2, 2]}), tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet") == expected


def test_uuid_objects_are_their_text(tmp_path):
    ids = [uuid.UUID(int=n) for n in (3, 1, 3)]
    expected = Interactions.from_arrays([str(i) for i in ids], [1, 2, 3])
    assert Interactions.from_arrays(ids, [1, 2, 3]) == expected
    assert Interactions.from_frame(pd.DataFrame({"user": ids, "item": [1, 2, 3]})) == expected
    if PYARROW >= 24:  # older releases do not infer the type
        parquet.write_table(pa.table({"user": pa.array(ids), "item": [1, 2, 3]}), tmp_path / "x.parquet")
        assert read(tmp_path / "x.parquet") == expected
    items = Interactions.from_arrays([1, 2, 3], ids)
    assert Interactions.from_histories([[ids[0]]], items) == Interactions.from_histories([[str(ids[0])]], items)


@pytest.mark.parametrize("history", [[1, None], [None], [float("nan"), 1], ["x", None]])
def test_a_missing_item_in_a_history_is_an_error(history):
    for items in ([1, 2], ["1", "x"]):
        catalogue = Interactions.from_arrays([1, 2], items)
        with pytest.raises(ValueError, match=r"expected an item id, got (None|nan) in history 1\. Fix: drop missing"):
            Interactions.from_histories([[], history], catalogue)


def test_spaces_around_the_items_of_a_history_are_removed():
    catalogue = Interactions.from_arrays([1, 2], ["x", "y z"])
    assert Interactions.from_histories([[" y z", "x\t"]], catalogue).items.tolist() == [1, 0]


@pytest.mark.parametrize("times, message", [
    ([20240101, 20240630], "expected seconds since 1970, got 20240101, which looks like a date. Fix: .*to dates"),
    ([10**9, 10**12], "expected times between the years 1900 and 2100"),
    (np.array(["1850-01-01", "2001-01-01"], "M8[D]"), "expected times between the years 1900 and 2100"),
    (["2001-01-01", "yesterday"], "yesterday"),
    ([datetime.datetime(2001, 1, 1), None], "expected times between the years 1900 and 2100, got a missing time"),
    ([2**70, 1], "expected numbers of at most 64 bits or dates in `times`"),
])  # fmt: skip
def test_the_rules_of_times_hold_for_arrays(times, message):
    with pytest.raises(ValueError, match=message):
        Interactions.from_arrays([1, 2], [1, 2], None, times)


def test_unusual_years_are_logged(caplog):
    Interactions.from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": [10**6, 10**9]}))
    Interactions.from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": [10**9, 10**9]}))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["the times are from the years 1970 to 2001; is the unit of the times right?"]


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0"])
def test_ids_with_line_breaks_are_an_error_in_every_source(tmp_path, bad):
    frame = pd.DataFrame({"user": ["x", bad], "item": [1, 2]})
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="expected ids without line breaks and NUL characters in `users`"):
        Interactions.from_arrays(frame.user, frame.item)
    for source in (lambda: Interactions.from_frame(frame), lambda: read(tmp_path / "x.parquet")):
        with pytest.raises(DataError, match="row 2, column user .user.: expected an id without line breaks"):
            source()
    with pytest.raises(DataError, match=r"x\.csv"):
        read(write(tmp_path / "x.csv", frame.to_csv(index=False)))


def test_one_very_long_id_is_an_error(tmp_path):
    users = [f"u{n}" for n in range(20_000)]
    items = ["x" * 20_000, *users[1:]]
    message = r"expected ids of similar lengths in `items`, got 'x+'… of 20,000 characters, .* need 1\.6 GB\. Fix: "
    with pytest.raises(ValueError, match=message):
        Interactions.from_arrays(users, items)
    pd.DataFrame({"user": users, "item": items}).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.csv")
    assert Interactions.from_arrays(users[:100], items[:100]).n_items == 100
