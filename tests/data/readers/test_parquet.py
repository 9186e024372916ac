import logging
from datetime import date, datetime, timezone

import pandas as pd
import pyarrow as pa
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, RATINGS, entries, write
from pyarrow import parquet

from kerasrec.data import DataError, read


def test_columns_of_any_type_are_read(tmp_path):
    user, item, value, time = zip(*RATINGS, strict=True)
    moments = [datetime.fromtimestamp(t, timezone.utc) for t in time]
    plain = {"user": user, "item": item, "rating": value, "timestamp": time}
    for name, columns in {
        "plain": plain,
        "timestamps": {**plain, "timestamp": pa.array(moments)},
        "text": {**plain, "timestamp": [m.replace(tzinfo=None).isoformat() for m in moments]},
        "decimals": {**plain, "rating": pa.array(value).cast(pa.decimal128(5, 2))},
        "dictionary": {**plain, "user": pa.array(user).dictionary_encode()},
        "small integers": {**plain, "user": pa.array(user, pa.uint8())},
    }.items():
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        assert entries(read(tmp_path / f"{name}.parquet")) == RATING_ENTRIES, name
    parquet.write_table(pa.table({"user": user, "item": item, "date": [date(1970, 1, 2)] * 3}), tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet").times.tolist() == [86_400] * 3
    parquet.write_table(pa.table({"user": ["a", "b"], "item": pa.array(["x", "y"], pa.large_string())}), "s.parquet")
    assert entries(read("s.parquet")) == [("a", "x", 1, None), ("b", "y", 1, None)]


def test_the_files_of_a_folder_are_parts_of_one_table(tmp_path, caplog):
    caplog.set_level(logging.INFO, "kerasrec.data")
    for part in range(3):
        pd.DataFrame({"user": [part, part], "item": [1, 2]}).to_parquet(tmp_path / f"part-{part}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    assert read(tmp_path).shape == (3, 2)
    assert len(caplog.records) == 1, "the columns are logged once, not for each part"


@pytest.mark.parametrize("columns, types", [
    ({"user": ["x"], "item": [1]}, r"user \((large_)?string\), item \(int64\)"),
    ({"user": [1], "iid": [1]}, r"user \(int64\)\."),
])  # fmt: skip
def test_parts_with_different_columns_are_an_error(tmp_path, columns, types):
    pd.DataFrame({"user": [1], "item": [1]}).to_parquet(tmp_path / "part-0.parquet")
    pd.DataFrame(columns).to_parquet(tmp_path / "part-1.parquet")
    expected = r"part-1\.parquet: expected the columns user \(int64\), item \(int64\), as in .*part-0\.parquet, got "
    with pytest.raises(DataError, match=expected + types):
        read(tmp_path)


@pytest.mark.parametrize("columns, message", [
    ({"user": [1, 2], "rating": [1, 2]}, "expected a column of item ids"),
    ({"user": [1, None], "item": [1, 2]}, r", row 2, column user \(user\): expected an id, got a missing one"),
    ({"user": [1, 2], "item": ["a", ""]}, r", row 2, column item \(item\): expected an id, got a missing one"),
    ({"user": [1, 2], "item": [1.5, 2]}, "expected 64-bit integers in `items`, got another number"),
    ({"user": [1, 2], "item": [b"\xff", b"b"]}, ": "),
    ({"user": [1, 2], "item": [1, 2], "rating": [1.0, float("nan")]},
     r", row 2, column rating \(value\): expected a finite 32-bit number, got nan"),
    ({"user": [1, 2], "item": [1, 2], "rating": ["1", "x"]},
     r", row 2, column rating \(value\): expected a number, got 'x'"),
    ({"user": [1, 2], "item": [1, 2], "rating": [1, None]},
     r", row 2, column rating \(value\): expected a value, got a missing one"),
    ({"user": [1, 2], "item": [1, 2], "time": [1, 10**12]}, ", row 2, column time .* pass time_unit='ms'"),
    ({"user": [1, 2], "item": [1, 2], "time": ["2001-01-01", "x"]},
     r", row 2, column time \(time\): expected a number .* or an ISO date .*, got 'x'"),
    ({"user": [1, 2], "item": [1, 2], "time": [datetime(2001, 1, 1), datetime(2200, 1, 1)]},
     "expected a time between the years 1900 and 2100, got 2200-01-01 00:00:00, which is in the year 2200"),
    ({"user": pa.array([], pa.int64()), "item": pa.array([], pa.int64())},
     ": expected interactions, got a table without rows"),
])  # fmt: skip
def test_invalid_content_is_an_error(tmp_path, columns, message):
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet.*" + message):
        read(tmp_path / "x.parquet")


def test_a_damaged_file_is_an_error(tmp_path):
    write(tmp_path / "x.parquet", "PAR1 and no more")
    with pytest.raises(DataError, match=r"x\.parquet: expected a Parquet file, got damaged or other content .* Fix: "):
        read(tmp_path / "x.parquet")
