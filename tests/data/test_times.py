"""Times and decimals are the same from a text file, a Parquet file and a frame."""

import pandas as pd
import pyarrow as pa
import pytest
from kerasrec_testing.tables import write
from pyarrow import parquet

from kerasrec.data import DataError, Interactions, read

HEADER = "user,item,rating,timestamp\n"


@pytest.mark.parametrize("times, unit, seconds", [
    (["1000000003", "0"], "s", [1_000_000_003, 0]),
    (["1000000003.9", "1e9"], "s", [1_000_000_003, 1_000_000_000]),
    (["1000000003999", "1000000000000"], "ms", [1_000_000_003, 1_000_000_000]),
    (["1000000003999999", "1000000000000000"], "us", [1_000_000_003, 1_000_000_000]),
    (["1000000003999999000", "1000000000000000000"], "ns", [1_000_000_003, 1_000_000_000]),
    (["1970-01-02", "2001-09-09"], "s", [86_400, 999_993_600]),
    (["1970-01-02 00:00:01", "2001-09-09T01:46:43"], "s", [86_401, 1_000_000_003]),
    (["1970-01-02T00:00:01Z", "2001-09-09T03:46:43+02:00"], "s", [86_401, 1_000_000_003]),
    (["2001/09/09 01:46:43", "1970/01/02"], "s", [1_000_000_003, 86_400]),
    (['"Sun, 09 Sep 2001 01:46:43 GMT"', '"Fri, 02 Jan 1970 00:00:00 GMT"'], "s", [1_000_000_003, 86_400]),
    (["1970-01-02 00:00:01.5", "2001-09-09 01:46:43.123456"], "s", [86_401, 1_000_000_003]),
])  # fmt: skip
def test_numbers_and_iso_dates_become_seconds(tmp_path, times, unit, seconds):
    text = "user,item,time\n" + "".join(f"{n},1,{time}\n" for n, time in enumerate(times))
    assert read(write(tmp_path / "x.csv", text), time_unit=unit).times.tolist() == seconds


@pytest.mark.parametrize("times, date_format, seconds", [
    (["02/01/1970", "09/09/2001"], "%d/%m/%Y", [86_400, 999_993_600]),
    (["1/2/70 0:00", "9/9/01 1:46"], "%m/%d/%y %H:%M", [86_400, 999_999_960]),
    (["09.09.2001 03:46:40 +0200", "02.01.1970 00:00:01 +0000"], "%d.%m.%Y %H:%M:%S %z", [1_000_000_000, 86_401]),
    (["20010909", "19700102"], "%Y%m%d", [999_993_600, 86_400]),
])  # fmt: skip
def test_dates_can_have_another_format(tmp_path, times, date_format, seconds):
    text = "user,item,time\n" + "".join(f"{n},1,{time}\n" for n, time in enumerate(times))
    assert read(write(tmp_path / "x.csv", text), date_format=date_format).times.tolist() == seconds
    frame = pd.read_csv(tmp_path / "x.csv")
    assert Interactions.from_frame(frame, date_format=date_format).times.tolist() == seconds
    frame.to_parquet(tmp_path / "x.parquet")
    assert read(tmp_path / "x.parquet", date_format=date_format).times.tolist() == seconds


def test_dates_in_another_format_than_stated_are_an_error(tmp_path):
    file = write(tmp_path / "x.csv", HEADER + "1,3,4,13/02/2001\n1,4,4,31/02/2001\n")
    message = r"line 2, .*or an ISO date .*, got '13/02/2001'\. Fix: .*, for example date_format='%d/%m/%Y %H:%M'"
    with pytest.raises(DataError, match=message):
        read(file)
    message = r"line 3, .*expected a date in the format '%d/%m/%Y', got '31/02/2001'\. Fix: correct the date or `date_f"
    with pytest.raises(DataError, match=message):
        read(file, date_format="%d/%m/%Y")


def test_dates_with_and_without_a_zone_can_be_mixed(tmp_path):
    dates, seconds = ["2001-09-09T01:46:40Z", "2001-09-09 01:46:41"], [1_000_000_000, 1_000_000_001]
    for chosen in ([0, 0], [1, 1], [0, 1]):
        frame = pd.DataFrame({"user": [1, 2], "item": [3, 4], "time": [dates[n] for n in chosen]})
        frame.to_csv(tmp_path / "x.csv", index=False)
        frame.to_parquet(tmp_path / "x.parquet")
        tables = read(tmp_path / "x.csv"), read(tmp_path / "x.parquet"), Interactions.from_frame(frame)
        assert all(table.times.tolist() == [seconds[n] for n in chosen] for table in tables)


@pytest.mark.parametrize("times, message", [
    (pa.array([1, 2], pa.time64("us")), "row 1, column time .time.: expected .* an ISO date .*, got '00:00:00.000001'"),
    (pa.array([1, 2], pa.duration("s")), "row 1, column time .time.: expected .* an ISO date .*, got '0:00:01'"),
    (pa.array([20201231, 20210101]),
     "expected seconds since 1970, got 20201231, which looks like a date. Fix: pass date_format='%Y%m%d'"),
])  # fmt: skip
def test_columns_that_are_not_moments_are_an_error(tmp_path, times, message):
    parquet.write_table(pa.table({"user": [1, 2], "item": [3, 4], "time": times}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.parquet")


def test_a_date_format_without_a_column_of_times_is_an_error(tmp_path):
    file = write(tmp_path / "x.csv", "user,item,Wann\n1,2,2001-02-03\n")
    with pytest.raises(DataError, match="expected a column of times for `date_format`, got none .* its name as `time`"):
        read(file, date_format="%Y-%m-%d")
