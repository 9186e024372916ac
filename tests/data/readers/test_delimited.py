import numpy as np
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ratings_text, write

from kerasrec.data import DataError, read

HEADER = "user,item,rating,timestamp\n"
GOOD = "1,2,3,1000000000\n"


def after_the_sample(lines):
    """Interactions of 8,000 users with integer ids, more than the sample from which the format is inferred."""
    return "user,item,value\n" + "".join(f"{n},{100000 + n % 50},4\n" for n in range(1, 8001)) + lines


@pytest.mark.parametrize("name, separator", [("x.csv", ","), ("x.tsv", "\t"), ("x.csv", ";"), ("x.txt", "|")])
def test_the_separator_is_inferred(tmp_path, name, separator):
    assert entries(read(write(tmp_path / name, ratings_text(separator)))) == RATING_ENTRIES


def test_the_separator_can_be_a_space(tmp_path):
    assert entries(read(write(tmp_path / "y.txt", ratings_text(" ")), separator=" ")) == RATING_ENTRIES


def test_a_first_line_for_excel_states_the_separator(tmp_path):
    table = read(write(tmp_path / "x.csv", "sep=;\nuser;item;rating\n1;2;4,5\n1;3;5\n"))
    assert (table.item_ids.tolist(), table.values.tolist()) == ([2, 3], [4.5, 5])
    with pytest.raises(DataError, match="line 3, column rating .value.: expected a number, got 'x'"):
        read(write(tmp_path / "y.csv", "sep=;\nuser;item;rating\n1;2;x\n"))


@pytest.mark.parametrize("encode", [
    lambda text: text.encode(),
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode(),
    lambda text: text.rstrip("\n").encode(),
], ids=["plain", "byte order mark", "windows", "blank lines", "no last newline"])  # fmt: skip
@pytest.mark.parametrize("header", ["user_id,item_id,rating,timestamp", ""])
def test_variants_of_plain_text(tmp_path, encode, header):
    (tmp_path / "x.csv").write_bytes(encode(ratings_text(header=header)))
    assert entries(read(tmp_path / "x.csv")) == RATING_ENTRIES


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_ends_end_a_line(tmp_path, character):
    table = read(write(tmp_path / "x.csv", f"user,item,title\n1,30,J{character}am\r\n2,10,Jam\r3,10,Jam\n"))
    assert table.user_ids.tolist() == [1, 2, 3]
    assert table.item_ids.tolist() == [10, 30]


def test_named_columns_can_have_any_order(tmp_path):
    text = "note,who,user,what,when\nü,a,7,x,5\nü,b,8,y,6\n"
    table = read(write(tmp_path / "x.csv", text, "latin-1"), user="who", item="what", time="when")
    assert entries(table) == [("a", "x", 1, 5), ("b", "y", 1, 6)], "another column may have another encoding"


def test_fields_can_be_quoted(tmp_path):
    table = read(write(tmp_path / "x.csv", 'user,item\n"Doe, Jane",ü\nNA,"say ""hi"""\n'))
    assert entries(table) == [("Doe, Jane", "ü", 1, None), ("NA", 'say "hi"', 1, None)]


@pytest.mark.parametrize("n_before", [0, 20_000])
def test_spaces_around_fields_are_ignored(tmp_path, n_before):
    """In the sample and after it."""
    text = "user, item, rating, time\n" + "0,x,1,2001-09-09\n" * n_before
    text += '1, a b, 3, 2001-09-09 01:46:43\n 2 ,\tc\t, 4 ,\t2001-09-09\nx9,NA," 5 ",2001-09-09 \n'
    table = read(write(tmp_path / "x.csv", text))
    assert table.user_ids.tolist() == ["0"] * bool(n_before) + ["1", "2", "x9"]
    assert set(table.item_ids.tolist()) - {"x"} == {"NA", "a b", "c"}
    assert table.values[-3:].tolist() == [3, 4, 5]
    assert table.times[-3:].tolist() == [1_000_000_003, 999_993_600, 999_993_600]


@pytest.mark.parametrize("line", [",,,", ",", ",,,,,", '"","","",""'])
@pytest.mark.parametrize("header", ["user_id,item_id,rating,timestamp", ""])
def test_lines_that_contain_only_separators_are_ignored(tmp_path, line, header):
    """Spreadsheets write them above and below the data."""
    text = ratings_text(header=header)
    for name, bare in {"below": f"{text}{line}\n{line}", "between": text.replace("\n", f"\r\n{line}\r\n")}.items():
        assert entries(read(write(tmp_path / name / "x.csv", bare))) == RATING_ENTRIES
    assert entries(read(write(tmp_path / "x.csv", f"\n,,,\n\n,,,\n{text}"))) == RATING_ENTRIES
    with pytest.raises(DataError, match=r"x\.csv, line 7, column .* \(user\): expected an id, got a missing one"):
        read(write(tmp_path / "x.csv", f"{header}\n,,,\n{ratings_text(header='')}{line}\n,,3,\n"))


def test_lines_that_contain_only_tabs_or_colons_are_ignored(tmp_path):
    tabs = ratings_text("\t").replace("\n", "\n\t\t\t\n")
    assert entries(read(write(tmp_path / "x.tsv", tabs))) == RATING_ENTRIES
    colons = ratings_text("::", header="").replace("\n", "\n::::::\n")
    assert entries(read(write(tmp_path / "x.dat", colons))) == RATING_ENTRIES


@pytest.mark.parametrize("n_before", [0, 20_000])
def test_ids_keep_their_zeros_and_letters(tmp_path, n_before):
    """In the sample and after it."""
    users = [str(n + 1) for n in range(n_before)] + ["007", "x9", "12345678901234567890"]
    table = read(write(tmp_path / "x.csv", "user,item\n" + "".join(f"{u},5\n" for u in users)))
    assert table.user_ids.tolist() == sorted(users)
    assert table.item_ids.tolist() == [5], "integers stay integers"


def test_ids_after_the_sample_are_read_like_those_in_it(tmp_path):
    """pyarrow alone would convert 0042 and 0x2A to 42."""
    odd = ["0042", "42", "0x2A", "007"]
    near = read(write(tmp_path / "near.csv", "user,item,value\n" + "".join(f"1,{item},4\n" for item in odd)))
    assert near.item_ids.tolist() == sorted(odd)
    table = read(write(tmp_path / "far.csv", after_the_sample("".join(f"1,{item},4\n" for item in odd))))
    assert table.n_items == 54
    assert set(odd) < set(table.item_ids.tolist())
    assert table.row_counts.merged == 0
    assert read(write(tmp_path / "plain.csv", after_the_sample("1,42,4\n"))).item_ids[0] == 42


@pytest.mark.parametrize("ids, item_ids", [
    (["1.0", "20.0"], [1, 20]),
    (["1.0", "20"], ["1.0", "20"]),
    (["1.5", "2.0"], ["1.5", "2.0"]),
    (["1.0", "007.0"], ["007.0", "1.0"]),
    ([str(2**63), "1"], ["1", str(2**63)]),
])  # fmt: skip
def test_ids_become_integers_only_if_that_loses_nothing(tmp_path, ids, item_ids):
    table = read(write(tmp_path / "x.csv", "user,item\n" + "".join(f"1,{i}\n" for i in ids)))
    assert table.item_ids.tolist() == item_ids


@pytest.mark.parametrize("true, false", [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_truth_values_are_1_and_0(tmp_path, true, false):
    table = read(write(tmp_path / "x.csv", f"user,item,liked\n1,2,{true}\n1,3,{false}\n2,2,{true}\n"))
    assert table.column_names["value"] == "liked"
    assert table.values.tolist() == [1, 0, 1]
    assert table.value_kind.are_likes(table.values, None).tolist() == [True, False, True]


def test_decimal_commas_are_inferred(tmp_path):
    table = read(write(tmp_path / "x.csv", "user;item;rating\n1;2;3,5\n1;3;4\n"))
    assert table.values.tolist() == [3.5, 4.0]
    with pytest.raises(DataError, match=r"line 3, column rating \(value\): expected a number, got '4,x'"):
        read(write(tmp_path / "y.csv", "user;item;rating\n1;2;3,5\n1;3;4,x\n"))


def test_a_comma_that_can_separate_thousands_is_an_error(tmp_path):
    path = write(tmp_path / "x.csv", 'user,item,plays\na,x,"1,234"\na,y,"12"\n')
    message = r"x\.csv, column plays .value.: expected a number, got '1,234', whose comma can .* pass decimal=',' for"
    with pytest.raises(DataError, match=message):
        read(path)
    assert read(path, decimal=",").values.tolist() == [np.float32(1.234), 12]
    assert read(write(tmp_path / "y.csv", "user;item;plays\na;x;1,234\na;y;1,5\n")).values[1] == 1.5


def test_commas_and_points_in_one_column_are_an_error(tmp_path):
    late = write(tmp_path / "z.csv", after_the_sample("1,2,4\n").replace(",", ";") + "a;x;4,5\n")
    with pytest.raises(DataError, match="line 8003, .*expected a number, got '4,5'. Fix: .*decimal=',' if all values"):
        read(late)
    assert read(late, decimal=",").values.max() == 4.5
    both = write(tmp_path / "b.csv", "user;item;plays\na;x;4,5\na;y;4.5\n")
    with pytest.raises(DataError, match="line 3, column plays .*: expected a decimal comma, as in other .*, got '4.5'"):
        read(both)


def test_the_last_interaction_of_a_repeated_pair_is_kept(tmp_path):
    by_time = read(write(tmp_path / "x.csv", "user,item,rating,time\n1,1,5,200\n1,1,3,100\n1,2,4,50\n"))
    assert entries(by_time) == [(1, 1, 5, 200), (1, 2, 4, 50)]
    assert by_time.row_counts.merged == 1
    by_line = read(write(tmp_path / "y.csv", "user,item,rating\n1,1,5\n1,2,4\n1,1,3\n"))
    assert entries(by_line) == [(1, 2, 4, None), (1, 1, 3, None)]
    assert by_line.row_counts.merged == 1


@pytest.mark.parametrize("text, message", [
    ("", ": expected interactions, got an empty file"),
    (" \n\n", ": expected interactions, got an empty file"),
    ("\ufeff", ": expected interactions, got an empty file"),
    ("\xa0\n", ": expected interactions, got an empty file"),
    (",,\n,,\n", ": expected interactions, got only separators"),
    (HEADER, ": expected interactions below the header, got none"),
    (HEADER + ",,,\n", ": expected interactions below the header, got none"),
    ("user item rating\n1 2 3\n", ", line 1: expected columns separated by ',', got 'user item rating'. Fix: pass the"),
    ("user,rating\n1,2\n", r"expected a column of item ids .*, got the columns user, rating\. Fix: .* as `item`"),
    ("user,item,user\n1,2,3\n", "expected one column 'user', got 2. Fix: rename all but one"),
    ("a,b,c\n1,2,3\n", r"a column of user ids and a column of item ids .* the columns a, b, c\. Fix: .* as `item`"),
    ("1,2,3,4,5\n", ", line 1: expected names of columns, or at most 4 numbers .*, got 5 numbers. Fix: add a header"),
    (HEADER + GOOD + "1,3,good,1000000000\n", r", line 3, column rating \(value\): expected a number, got 'good'"),
    (HEADER + GOOD + "1,3,nan,1000000000\n", r", line 3, column rating \(value\): expected a finite .*, got nan"),
    (HEADER + GOOD + "1,3,NA,1000000000\n", r", line 3, column rating \(value\): expected a number, got 'NA'"),
    (HEADER + GOOD + "1,3,-inf,1000000000\n", r", line 3, column rating \(value\): expected a finite .*, got -inf"),
    (HEADER + GOOD + "1,3,1e300,1000000000\n", r", line 3, column rating \(value\): expected a finite .*, got 1e300"),
    (HEADER + GOOD + "1,3,3\xa0,1000000000\n", r", line 3, column rating \(value\): expected a number, got '3"),
    (HEADER + GOOD + "1,3,1_0,1000000000\n", r", line 3, column rating \(value\): expected a number, got '1_0'"),
    (HEADER + "1,3,True,1000000000\n1,4,maybe,1\n", r", line 2, column rating .*: expected a number, got 'True'"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4,1600000000\n", ": expected times in one notation, got numbers and dates"),
    (HEADER + GOOD + "1,3,,1000000000\n", r", line 3, column rating \(value\): expected a value, got a missing one"),
    (HEADER + GOOD + ",3,4,1000000000\n", r", line 3, column user \(user\): expected an id, got a missing one"),
    (HEADER + GOOD + "1, ,4,1000000000\n", r", line 3, column item \(item\): expected an id, got a missing one"),
    (HEADER + GOOD + "NA,3,4,1000000000\n" + GOOD, r", line 3, column user \(user\): .* got a missing one \('NA'\)"),
    (HEADER + GOOD + "\\N,3,4,1000000000\n" + GOOD, r", line 3, column user \(user\): .* got a missing one"),
    (HEADER + GOOD + " NA,3,4,1000000000\n" + GOOD, r", line 3, column user \(user\): .* got a missing one \(' NA'\)"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4, \n", r", line 3, column timestamp \(time\): .* got a missing one \(' '\)"),
    (HEADER + GOOD + "-1,3,4,1000000000\n", r", line 3, column user \(user\): expected an id other than -1, which is"),
    (HEADER + GOOD + "1,3,4,\n", r", line 3, column timestamp \(time\): expected a time, got a missing one"),
    (HEADER + GOOD + "1,3,4,-3000000000\n",
     r", line 3, column timestamp \(time\): .* years 1900 and 2100, got -3000000000, which is in the year 1874\."),
    (HEADER + GOOD + "1,3,4,inf\n", r", line 3, column timestamp \(time\): expected a number .*, got 'inf'"),
    (HEADER + GOOD + "1,3,4,1000000000000\n", ", line 3, .* which is in the year 33658. Fix: pass time_unit='ms' if"),
    (HEADER + GOOD + "1,3,4,1000000000000000000\n", "Fix: pass time_unit='ns' if that is the unit"),
    (HEADER + "1,3,4,20th of May\n", r"expected a number \(s since 1970\) or an ISO date .*, got '20th of May'"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4,1850-01-01\n", ", line 3, .* got 1850-01-01, which is in the year 1850"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4,2001-02-30\n", ", line 3, .* or an ISO date .*, got '2001-02-30'"),
    (HEADER + GOOD + "1,3,4\n", ", line 3: expected 4 columns, as in the first line, got 3"),
    (HEADER + GOOD + "\n1,3,4,1000000000,5\n", ", line 4: expected 4 columns, as in the first line, got 5"),
])  # fmt: skip
def test_invalid_content_is_an_error(tmp_path, text, message):
    with pytest.raises(DataError, match=r"x\.csv.*" + message) as caught:
        read(write(tmp_path / "x.csv", text))
    assert str(caught.value).startswith(str(tmp_path / "x.csv"))
    assert ". Fix: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_invalid_line_after_the_sample_is_an_error(tmp_path):
    lines = [f"{n},{n},3,1000000000\n" for n in range(30_000)]
    lines[25_000] = "1,1,three,1000000000\n"
    with pytest.raises(DataError, match=r"line 25002, column rating \(value\): expected a number, got 'three'"):
        read(write(tmp_path / "x.csv", HEADER + "".join(lines)))


def test_a_wrong_separator_is_an_error(tmp_path):
    path = write(tmp_path / "x.csv", ratings_text())
    with pytest.raises(DataError, match="line 1: expected columns separated by ';', got 'user_id,item_id,rating,times"):
        read(path, separator=";")
