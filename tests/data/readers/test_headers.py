"""The first line of a table, columns by number, and the roles of columns without names."""

import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ordered_pairs, ratings_text, write

from kerasrec.data import DataError, read

NO_HEADER = ratings_text(header="")


@pytest.mark.parametrize("text, options", [
    (NO_HEADER, {}),
    (NO_HEADER, {"header": False}),
    (ratings_text(header="a,b,c,d"), {"user": 1, "item": 2, "value": 3, "time": 4}),
    (ratings_text(header="a,b,c,d"), {"user": "a", "item": "2", "value": "c", "time": "4"}),
    (ratings_text(header="a,b,c,d"), {"header": True, "user": "a", "item": "b", "value": "c", "time": "d"}),
    (NO_HEADER, {"user": 1, "item": 2}),
    ("\n".join(",".join(map(str, (t, v, i, u))) for u, i, v, t in RATING_ENTRIES), {"user": 4, "item": 3}),
    ("\n".join(f"{u},{i},{t},{v}" for u, i, v, t in RATING_ENTRIES), {}),
    ("\n".join(f"{u},{i},some title,{v},{t}" for u, i, v, t in RATING_ENTRIES), {}),
])  # fmt: skip
def test_a_header_and_the_roles_of_columns_are_found(tmp_path, text, options):
    assert entries(read(write(tmp_path / "x.csv", text), **options)) == RATING_ENTRIES


@pytest.mark.parametrize("per_second", [1, 1_000, 1_000_000, 1_000_000_000])
def test_a_third_column_of_unix_times_is_no_rating(tmp_path, per_second):
    lines = [f"u{n},i{n},{(1_500_000_000 + n) * per_second}" for n in range(5)]
    table = read(write(tmp_path / "x.csv", "\n".join(lines)))
    assert table.is_binary
    assert table.times.tolist() == [1_500_000_000 + n for n in range(5)]


def test_a_first_line_of_words_that_occur_below_is_an_interaction(tmp_path):
    path = write(tmp_path / "x.csv", "ann,tea\nbob,tea\ncid,jam\n")
    assert ordered_pairs(read(path)) == [("ann", "tea"), ("bob", "tea"), ("cid", "jam")]


def test_a_first_line_of_other_words_is_a_header(tmp_path, caplog):
    path = write(tmp_path / "x.csv", "ann,tea\nbob,jam\ncid,jam\n")
    with pytest.raises(DataError, match="got the columns ann, tea. Fix: .*, or `header` if line 1 is an interaction"):
        read(path)
    assert ordered_pairs(read(path, header=False)) == [("ann", "tea"), ("bob", "jam"), ("cid", "jam")]
    assert len(read(path, user=1, item=2)) == 2
    assert "line 1 is read as names of columns (ann, tea); `header` reads it as an interaction" in caplog.text


@pytest.mark.parametrize("options, message", [
    ({"user": 9}, "expected a column '9' (`user`), got the columns"),
    ({"user": 0}, "expected a column '0' (`user`), got the columns"),
    ({"user": 1, "item": 1}, "expected different columns as `user` and `item`, got 'user_id' as both"),
])  # fmt: skip
def test_an_invalid_number_is_an_error(tmp_path, options, message):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "x.csv", ratings_text()), **options)
    assert message in str(caught.value)


def test_times_of_unusual_years_are_a_warning(tmp_path, caplog):
    read(write(tmp_path / "x.csv", "user,item,time\n1,2,100000\n"))
    assert "the times are from the years 1970 to 1970; is the unit of the times right?" in caplog.text


@pytest.mark.parametrize("date", [
    "Sun Sep 09 01:46:40 +0000 2001", "2001-09-09 03:46:40 +0200", "2001-09-09 01:46:40 UTC", "Sep 9, 2001",
    "September 9, 2001",
])  # fmt: skip
def test_usual_dates_need_no_format(tmp_path, date):
    (time,) = read(write(tmp_path / "x.tsv", f"user\titem\tdate\n1\t2\t{date}\n")).times
    assert time in (1_000_000_000, 999_993_600)
