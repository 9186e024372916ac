"""Times and decimals mean the same in a text file, a Parquet file and a frame."""

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from kerasrec.data import DataError, Interactions, read

HEADER = "user,item,rating,timestamp\n"


def written_to(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("times, unit, seconds", [
    (["1000000003", "0"], "s", [1_000_000_003, 0]),
    (["1000000003.9", "1e9"], "s", [1_000_000_003, 1_000_000_000]),
    (["1000000003999", "1000000000000"], "ms", [1_000_000_003, 1_000_000_000]),
    (["1000000003999999", "1000000000000000"], "us", [1_000_000_003, 1_000_000_000]),
    (["1000000003999999000", "1000000000000000000"], "ns", [1_000_000_003, 1_000_000_000]),
    (["1970-01-02", "2001-09-09"], "s", [86_400, 999_993_600]),
    (["1970-01-02 00:00:01", "2001-09-09T01:46:43"], "s", [86_401, 1_000_000_003]),
    (["1970-01-02T00:00:01Z", "2001-09-09T03:46:43+02:00"], "s", [86_401, 1_000_000_003]),
    (["1970-01-02 00:00:01.5", "2001-09-09 01:46:43.123456"], "s", [86_401, 1_000_000_003]),
])  # fmt: skip
def test_times(tmp_path, times, unit, seconds):
    text = "user,item,time\n" + "".join(f"{n},1,{time}\n" for n, time in enumerate(times))
    assert read(written_to(tmp_path / "x.csv", text), time_unit=unit).times.tolist() == seconds


@pytest.mark.parametrize("times, written, seconds", [
    (["02/01/1970", "09/09/2001"], "%d/%m/%Y", [86_400, 999_993_600]),
    (["1/2/70 0:00", "9/9/01 1:46"], "%m/%d/%y %H:%M", [86_400, 999_999_960]),
    (["09.09.2001 03:46:40 +0200", "02.01.1970 00:00:01 +0000"], "%d.%m.%Y %H:%M:%S %z", [1_000_000_000, 86_401]),
    (["20010909", "19700102"], "%Y%m%d", [999_993_600, 86_400]),
])  # fmt: skip
def test_dates_in_a_format(tmp_path, times, written, seconds):
    text = "user,item,time\n" + "".join(f"{n},1,{time}\n" for n, time in enumerate(times))
    assert read(written_to(tmp_path / "x.csv", text), date_format=written).times.tolist() == seconds
    frame = pd.read_csv(tmp_path / "x.csv")
    assert Interactions.from_frame(frame, date_format=written).times.tolist() == seconds
    frame.to_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet", date_format=written).times.tolist() == seconds


def test_dates_that_are_not_in_the_format(tmp_path):
    file = written_to(tmp_path / "x.csv", HEADER + "1,3,4,13/02/2001\n1,4,4,31/02/2001\n")
    with pytest.raises(DataError, match="line 2, .*'13/02/2001' is no time: .* as in date_format='%d/%m/%Y %H:%M'"):
        read(file)
    with pytest.raises(DataError, match="line 3, .*'31/02/2001' is no date as '%d/%m/%Y' has it: mend it"):
        read(file, date_format="%d/%m/%Y")


def test_decimal_ids_keep_their_digits(tmp_path):
    ids = [Decimal(2**53), Decimal(2**53 + 1)]
    table = pa.table({"user": pa.array([1, 2]), "item": pa.array(ids, pa.decimal128(38, 0))})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet").item_ids.tolist() == [2**53, 2**53 + 1]


def test_dates_with_and_without_a_zone_are_read_alike(tmp_path):
    dates, seconds = ["2001-09-09T01:46:40Z", "2001-09-09 01:46:41"], [1_000_000_000, 1_000_000_001]
    for chosen in ([0, 0], [1, 1], [0, 1]):
        frame = pd.DataFrame({"user": [1, 2], "item": [3, 4], "time": [dates[n] for n in chosen]})
        frame.to_csv(tmp_path / "x.csv", index=False)
        frame.to_parquet(tmp_path / "x.parquet")
        tables = read(tmp_path / "x.csv"), read(tmp_path / "x.parquet"), Interactions.from_frame(frame)
        assert all(table.times.tolist() == [seconds[n] for n in chosen] for table in tables)


@pytest.mark.parametrize("times, message", [
    (pa.array([1, 2], pa.time64("us")), "row 1, column time .time.: '00:00:00.000001' is no time"),
    (pa.array([1, 2], pa.duration("s")), "row 1, column time .time.: '0:00:01' is no time"),
    (pa.array([20201231, 20210101]), "times such as 20201231 look like dates: say date_format='%Y%m%d'"),
])  # fmt: skip
def test_times_that_tell_none(tmp_path, times, message):
    parquet.write_table(pa.table({"user": [1, 2], "item": [3, 4], "time": times}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.parquet")


def test_a_format_of_dates_without_a_column_of_them(tmp_path):
    file = written_to(tmp_path / "x.csv", "user,item,Datum\n1,2,2001-02-03\n")
    with pytest.raises(DataError, match="`date_format` is of no use without a column of times, .*: name it .`time`."):
        read(file, date_format="%Y-%m-%d")
