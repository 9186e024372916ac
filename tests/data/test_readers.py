import gzip
import logging
import subprocess
import sys
import zipfile
from datetime import date, datetime, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import kerasrec
from kerasrec.data import DataError, generate, read

RATINGS = [(2, 30, 4.5, 1_000_000_003), (1, 30, 3.0, 1_000_000_001), (2, 10, 1.0, 1_000_000_002)]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No data but those of the test."""
    monkeypatch.delenv("KERASREC_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def entries(table):
    """(user id, item id, value, time) of each interaction, in the table's order."""
    times = [None] * len(table) if table.times is None else table.times.tolist()
    ids = zip(table.user_ids[table.users].tolist(), table.item_ids[table.items].tolist(), strict=True)
    return [(*pair, value, time) for pair, value, time in zip(ids, table.values.tolist(), times, strict=True)]


EXPECTED = [(1, 30, 3.0, 1_000_000_001), (2, 30, 4.5, 1_000_000_003), (2, 10, 1.0, 1_000_000_002)]


def table_text(separator=",", header="user_id,item_id,rating,timestamp"):
    lines = [separator.join(map(str, row)) for row in RATINGS]
    return "\n".join([header.replace(",", separator)] * bool(header) + lines) + "\n"


# ---- MovieLens ------------------------------------------------------------------------------

MOVIELENS = {
    "1m": {
        "ratings.dat": table_text("::", header=""),
        "movies.dat": "10::Léon (1994)::Action\n30::RunConfig 9: from Outer Space (1959)::Horror\n",
        "users.dat": "1::F::1::10::48067\n",
        "README": "Read me",
    },
    "100k": {
        "u.data": table_text("\t", header=""),
        "u.item": "10|Léon (1994)|01-Jan-1994||http://x|0\n30|RunConfig 9: from Outer Space (1959)|||http://y|1\n",
        "u1.base": "1\t1\t1\t1\n",
    },
    "latest": {
        "ratings.csv": table_text(header="userId,movieId,rating,timestamp"),
        "movies.csv": 'movieId,title,genres\n10,Léon (1994),Action\n30,"RunConfig 9: from Outer Space (1959)",Horror\n',
        "tags.csv": "userId,movieId,tag,timestamp\n",
    },
}


def movielens(kind):
    return {
        name: text.encode("latin-1" if name in ("movies.dat", "u.item") else "utf-8")
        for name, text in MOVIELENS[kind].items()
    }


@pytest.mark.parametrize("kind", MOVIELENS)
@pytest.mark.parametrize("packed", [False, True])
def test_movielens(tmp_path, kind, packed):
    path = tmp_path / ("data.zip" if packed else "data")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.mkdir("ml")
            for name, content in movielens(kind).items():
                archive.writestr(f"ml/{name}", content)
    else:
        path.mkdir()
        for name, content in movielens(kind).items():
            (path / name).write_bytes(content)
    table = read(path)
    assert entries(table) == EXPECTED
    assert table.item_titles.tolist() == ["Léon (1994)", "RunConfig 9: from Outer Space (1959)"]


def test_movielens_without_titles(tmp_path):
    write(tmp_path / "ml" / "u.data", MOVIELENS["100k"]["u.data"])
    assert read(tmp_path / "ml").item_titles is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_catalogue_of_ids_and_titles_alone(tmp_path, end):
    write(tmp_path / "ml" / "ratings.dat", MOVIELENS["1m"]["ratings.dat"])
    write(tmp_path / "ml" / "movies.dat", f"10::Jam{end}30::Léon{end}", "latin-1")
    assert read(tmp_path / "ml").item_titles.tolist() == ["Jam", "Léon"]


def test_broken_catalogue(tmp_path):
    write(tmp_path / "ml" / "u.data", MOVIELENS["100k"]["u.data"])
    write(tmp_path / "ml" / "u.item", "10|Léon (1994)|\n30\n", "latin-1")
    with pytest.raises(DataError, match=r"u\.item, line 2: an item's id and its title are due, not '30': mend"):
        read(tmp_path / "ml")


# ---- tables ---------------------------------------------------------------------------------


def test_decimal_commas(tmp_path):
    table = read(write(tmp_path / "x.csv", "user;item;rating\n1;2;3,5\n1;3;4\n"))
    assert table.values.tolist() == [3.5, 4.0]
    with pytest.raises(DataError, match=r"line 3, column rating \(value\): '4,x' is not a number"):
        read(write(tmp_path / "y.csv", "user;item;rating\n1;2;3,5\n1;3;4,x\n"))


@pytest.mark.parametrize("name, separator", [("x.csv", ","), ("x.tsv", "\t"), ("x.csv", ";"), ("x.txt", "|")])
def test_separators_are_told_from_the_header(tmp_path, name, separator):
    assert entries(read(write(tmp_path / name, table_text(separator)))) == EXPECTED


@pytest.mark.parametrize("encode", [
    lambda text: text.encode(),
    lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: ("\n\n" + text.replace("\n", "\n\n")).encode(),
    lambda text: text.rstrip("\n").encode(),
], ids=["plain", "byte order mark", "windows", "blank lines", "no last newline"])  # fmt: skip
@pytest.mark.parametrize("header", ["user_id,item_id,rating,timestamp", ""])
def test_plain_text_variants(tmp_path, encode, header):
    (tmp_path / "x.csv").write_bytes(encode(table_text(header=header)))
    assert entries(read(tmp_path / "x.csv")) == EXPECTED


@pytest.mark.parametrize("strange", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_ends_end_a_line(tmp_path, strange):
    table = read(write(tmp_path / "x.csv", f"user,item,title\n1,30,J{strange}am\r\n2,10,Jam\r3,10,Jam\n"))
    assert table.user_ids.tolist() == [1, 2, 3] and table.item_ids.tolist() == [10, 30]


def test_gzip(tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(table_text().encode()))
    assert entries(read(tmp_path / "x.csv.gz")) == EXPECTED


@pytest.mark.parametrize("header", [
    "userId,movieId,rating,timestamp", "customer_id,product_id,star_rating_is_no_usual_name,time",
    "USER,Item ID,Score,Date", "reviewerID,asin,overall,unixReviewTime", "uid,iid,value,created_at",
])  # fmt: skip
def test_usual_names(tmp_path, header):
    table = read(write(tmp_path / "x.csv", table_text(header=header)))
    values = [1.0 if "no_usual_name" in header else value for _, _, value, _ in EXPECTED]
    assert entries(table) == [(u, i, v, t) for (u, i, _, t), v in zip(EXPECTED, values, strict=True)]


def test_named_columns_in_any_order_among_others(tmp_path):
    text = "note,who,user,what,when\nü,a,7,x,5\nü,b,8,y,6\n"
    table = read(write(tmp_path / "x.csv", text, "latin-1"), user="who", item="what", time="when")
    assert entries(table) == [("a", "x", 1, 5), ("b", "y", 1, 6)], "a bad byte in another column does no harm"


def test_quoted_string_ids(tmp_path):
    table = read(write(tmp_path / "x.csv", 'user,item\n"Doe, Jane",ü\nNA,"say ""hi"""\n'))
    assert entries(table) == [("Doe, Jane", "ü", 1, None), ("NA", 'say "hi"', 1, None)]


@pytest.mark.parametrize("late", [0, 20_000])
def test_blanks_around_fields_are_left_out(tmp_path, late):
    """Also where the first of them come long after the lines that are looked at first."""
    text = "user, item, rating, time\n" + "0,x,1,2001-09-09\n" * late
    text += '1, a b, 3, 2001-09-09 01:46:43\n 2 ,\tc\t, 4 ,\t2001-09-09\nx9,NA," 5 ",2001-09-09 \n'
    table = read(write(tmp_path / "x.csv", text))
    users = ["0"] * bool(late) + ["1", "2", "x9"]
    assert table.user_ids.tolist() == users and set(table.item_ids.tolist()) - {"x"} == {"NA", "a b", "c"}
    assert table.values[-3:].tolist() == [3, 4, 5]
    assert table.times[-3:].tolist() == [1_000_000_003, 999_993_600, 999_993_600]


def test_blanks_around_integers_and_titles_are_left_out(tmp_path):
    write(tmp_path / "ml" / "ratings.csv", "user, item, rating\n1, 2, 3\n 4 ,5,6\n")
    write(tmp_path / "ml" / "movies.csv", "item, title\n 2 , Jam\n5,RunConfig 9 \n")
    table = read(tmp_path / "ml")
    assert entries(table) == [(1, 2, 3, None), (4, 5, 6, None)]
    assert table.item_titles.tolist() == ["Jam", "RunConfig 9"]


@pytest.mark.parametrize("line", [",,,", ",", ",,,,,", '"","","",""'])
@pytest.mark.parametrize("header", ["user_id,item_id,rating,timestamp", ""])
def test_lines_of_nothing_but_separators_are_left_out(tmp_path, line, header):
    """As spreadsheets leave them behind the data, and above it."""
    text = table_text(header=header)
    for name, bare in {"below": f"{text}{line}\n{line}", "between": text.replace("\n", f"\r\n{line}\r\n")}.items():
        assert entries(read(write(tmp_path / name / "x.csv", bare))) == EXPECTED
    assert entries(read(write(tmp_path / "x.csv", f"\n,,,\n\n,,,\n{text}"))) == EXPECTED
    with pytest.raises(DataError, match=r"x\.csv, line 7, column .* \(user\): it is missing"):
        read(write(tmp_path / "x.csv", f"{header}\n,,,\n{table_text(header='')}{line}\n,,3,\n"))


def test_lines_of_nothing_but_tabs_or_colons_are_left_out(tmp_path):
    tabs = table_text("\t").replace("\n", "\n\t\t\t\n")
    assert entries(read(write(tmp_path / "x.tsv", tabs))) == EXPECTED
    colons = table_text("::", header="").replace("\n", "\n::::::\n")
    assert entries(read(write(tmp_path / "x.dat", colons))) == EXPECTED


@pytest.mark.parametrize("late", [0, 20_000])
def test_ids_keep_their_zeros_and_letters(tmp_path, late):
    """Also where the first strange id comes long after the lines that are looked at first."""
    users = [str(n + 1) for n in range(late)] + ["007", "x9", "12345678901234567890"]
    table = read(write(tmp_path / "x.csv", "user,item\n" + "".join(f"{u},5\n" for u in users)))
    assert table.user_ids.tolist() == sorted(users)
    assert table.item_ids.tolist() == [5], "integers stay integers"


def far(lines):
    """Interactions of 8,000 users with integer ids, more than is looked at first, and then some lines."""
    return "user,item,value\n" + "".join(f"{n},{100000 + n % 50},4\n" for n in range(1, 8001)) + lines


def test_ids_mean_the_same_wherever_they_stand(tmp_path):
    """pyarrow takes 0042 and 0x2A for 42."""
    odd = ["0042", "42", "0x2A", "007"]
    near = read(write(tmp_path / "near.csv", "user,item,value\n" + "".join(f"1,{item},4\n" for item in odd)))
    assert near.item_ids.tolist() == sorted(odd)
    table = read(write(tmp_path / "far.csv", far("".join(f"1,{item},4\n" for item in odd))))
    assert table.n_items == 54 and set(odd) < set(table.item_ids.tolist()) and table.duplicates == 0
    assert read(write(tmp_path / "plain.csv", far("1,42,4\n"))).item_ids[0] == 42


@pytest.mark.parametrize("ids, found", [
    (["1.0", "20.0"], [1, 20]),
    (["1.0", "20"], ["1.0", "20"]),
    (["1.5", "2.0"], ["1.5", "2.0"]),
    (["1.0", "007.0"], ["007.0", "1.0"]),
    ([str(2**63), "1"], ["1", str(2**63)]),
])  # fmt: skip
def test_ids_that_are_numbers_of_other_kinds(tmp_path, ids, found):
    assert read(write(tmp_path / "x.csv", "user,item\n" + "".join(f"1,{i}\n" for i in ids))).item_ids.tolist() == found


def test_a_separator_told_to_excel(tmp_path):
    table = read(write(tmp_path / "x.csv", "sep=;\nuser;item;rating\n1;2;4,5\n1;3;5\n"))
    assert (table.item_ids.tolist(), table.values.tolist()) == ([2, 3], [4.5, 5])
    with pytest.raises(DataError, match="line 3, column rating .value.: 'x' is not a number"):
        read(write(tmp_path / "y.csv", "sep=;\nuser;item;rating\n1;2;x\n"))


def test_commas_in_values(tmp_path):
    thousands = write(tmp_path / "x.csv", 'user,item,plays\na,x,"1,234"\na,y,"12"\n')
    with pytest.raises(DataError, match="column plays .value.: '1,234' may have decimals or be a thousand"):
        read(thousands)
    assert read(thousands, decimal=",").values.tolist() == [np.float32(1.234), 12]
    assert read(write(tmp_path / "y.csv", "user;item;plays\na;x;1,234\na;y;1,5\n")).values[1] == 1.5
    late = write(tmp_path / "z.csv", far("1,2,4\n").replace(",", ";") + "a;x;4,5\n")
    with pytest.raises(DataError, match="line 8003, .*'4,5' is not a number: mend it, or say decimal=',' if all"):
        read(late)
    assert read(late, decimal=",").values.max() == 4.5
    both = write(tmp_path / "b.csv", "user;item;plays\na;x;4,5\na;y;4.5\n")
    with pytest.raises(DataError, match="line 3, column plays .*: '4.5' has a point and other values have a"):
        read(both)


def test_lists_have_no_columns_to_name(tmp_path):
    file = write(tmp_path / "x.csv", "user,item\n1,2\n")
    with pytest.raises(DataError, match="`layout` is of lists, which have no columns: leave `user` or `layout` out"):
        read(file, user="user", layout="user-items")


def test_a_folder_of_the_parts_of_one_table(tmp_path, caplog):
    caplog.set_level(logging.INFO, "kerasrec.data")
    for part in range(3):
        pd.DataFrame({"user": [part, part], "item": [1, 2]}).to_parquet(tmp_path / f"part-{part}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    assert read(tmp_path).shape == (3, 2)
    assert len(caplog.records) == 1  # which columns were taken is told once, not for each of a hundred parts
    for other in ({"user": ["x"], "item": [1]}, {"user": [1], "iid": [1]}):
        pd.DataFrame(other).to_parquet(tmp_path / "part-3.parquet")
        with pytest.raises(DataError, match="part-3.parquet has other columns than .*part-0.parquet: parts of one"):
            read(tmp_path)


def test_the_last_of_a_repeated_pair_stays(tmp_path):
    by_time = read(write(tmp_path / "x.csv", "user,item,rating,time\n1,1,5,200\n1,1,3,100\n1,2,4,50\n"))
    assert entries(by_time) == [(1, 1, 5, 200), (1, 2, 4, 50)] and by_time.duplicates == 1
    by_line = read(write(tmp_path / "y.csv", "user,item,rating\n1,1,5\n1,2,4\n1,1,3\n"))
    assert entries(by_line) == [(1, 2, 4, None), (1, 1, 3, None)] and by_line.duplicates == 1


def test_parquet(tmp_path):
    user, item, value, time = zip(*RATINGS, strict=True)
    moments = [datetime.fromtimestamp(t, timezone.utc) for t in time]
    plain = {"user": user, "item": item, "rating": value, "timestamp": time}
    for name, columns in {
        "plain": plain,
        "timestamps": {**plain, "timestamp": pa.array(moments)},
        "texts": {**plain, "timestamp": [m.replace(tzinfo=None).isoformat() for m in moments]},
        "decimals": {**plain, "rating": pa.array(value).cast(pa.decimal128(5, 2))},
        "dictionary": {**plain, "user": pa.array(user).dictionary_encode()},
        "small": {**plain, "user": pa.array(user, pa.uint8())},
    }.items():
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        assert entries(read(tmp_path / f"{name}.parquet")) == EXPECTED, name
    parquet.write_table(pa.table({"user": user, "item": item, "date": [date(1970, 1, 2)] * 3}), tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet").times.tolist() == [86_400] * 3
    parquet.write_table(pa.table({"user": ["a", "b"], "item": pa.array(["x", "y"], pa.large_string())}), "s.parquet")
    assert entries(read("s.parquet")) == [("a", "x", 1, None), ("b", "y", 1, None)]


# ---- lists ----------------------------------------------------------------------------------


def test_user_items(tmp_path):
    table = read(write(tmp_path / "x.txt", "7 3 1 2\n4\n\n9 2 3 \n"))
    assert entries(table) == [(7, 3, 1, None), (7, 1, 1, None), (7, 2, 1, None), (9, 2, 1, None), (9, 3, 1, None)]


def test_count_items(tmp_path):
    path = write(tmp_path / "x.dat", "2 8 6\n0\n1 8\n")
    assert entries(read(path)) == [(0, 8, 1, None), (0, 6, 1, None), (2, 8, 1, None)]
    assert entries(read(path, layout="user-items")) == [(1, 8, 1, None), (2, 8, 1, None), (2, 6, 1, None)]


def test_parts_are_joined_in_time_order(tmp_path):
    for name, text in {"test.txt": "5 4\n6 9\n", "train.txt": "5 8 7\n6 1 2\n", "valid.txt": "5 1\n"}.items():
        write(tmp_path / "gowalla" / name, text)
    table = read(tmp_path / "gowalla")
    assert [(u, i) for u, i, _, _ in entries(table)] == [(5, 8), (5, 7), (5, 1), (5, 4), (6, 1), (6, 2), (6, 9)]


def test_folder_with_one_list(tmp_path):
    write(tmp_path / "beauty" / "Beauty.txt", "1 4 5\n2 5\n")
    write(tmp_path / "beauty" / "attributes.json", "{}")
    assert len(read(tmp_path / "beauty")) == 3


@pytest.mark.parametrize("text, layout, message", [
    ("1 2\n3 x 4\n", None, r"x\.txt, line 2: 'x' is not a number from 0"),
    ("1 2\n3 -4\n", None, r"x\.txt, line 2: '-4' is not a number from 0"),
    ("1 2\n3 2.5\n", None, r"x\.txt, line 2: '2.5' is not a number from 0"),
    ("1 2\n2 3\n", "count-items", r"x\.txt, line 2: the first number is not how many others follow"),
    ("1 2\n\n1 3\n", "count-items", r"x\.txt, line 2: the first number is not how many"),
    ("1\n2\n", None, "lists users and no items"),
    ("1 2\n99999999999999999999 3\n", None, "more than 64 bits"),
    (" \n\n", "user-items", "is empty"),
    ("1 10 5 874965758\n1 20 3 874965759\n2 10 4 874965760\n", None, r"4 numbers on every line and user 1 on several"),
])  # fmt: skip
def test_bad_lists(tmp_path, text, layout, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "x.txt", text), layout=layout)


def test_a_table_between_spaces(tmp_path):
    path = write(tmp_path / "x.txt", "1 10 5\n1 20 3\n2 10 4\n")
    assert entries(read(path, separator=" ")) == [(1, 10, 5, None), (1, 20, 3, None), (2, 10, 4, None)]
    assert len(read(path, layout="user-items")) == 6  # 1: 10, 5, 20, 3; 2: 10, 4


# ---- names ----------------------------------------------------------------------------------


def test_generated():
    assert read("generated") == generate()


def test_names_in_the_data_folder(tmp_path, monkeypatch):
    write(tmp_path / "room" / "beauty" / "Beauty.txt", "1 4 5\n")
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path / "room"))
    assert len(read("beauty")) == 2
    looked = r"no data 'beuty': looked for beuty and .*room/beuty; .*\(beauty\), 'generated'"
    with pytest.raises(DataError, match=looked):
        read("beuty")


def test_unknown_name():
    with pytest.raises(DataError, match=r"no data 'x\.csv': looked for x\.csv \(\$KERASREC_DATA is not set\); what"):
        read("x.csv")


def test_data_needs_neither_tensorflow_nor_keras(tmp_path):
    """In a process where they cannot be imported, with a bare `kerasrec` in place of the package that imports Keras."""
    path = write(tmp_path / "x.csv", table_text())
    code = (
        "import sys, types\n"
        "sys.modules.update(tensorflow=None, tensorflow_datasets=None, keras=None)\n"
        "sys.modules['kerasrec'] = types.ModuleType('kerasrec')\n"
        f"sys.modules['kerasrec'].__path__ = {list(kerasrec.__path__)!r}\n"
        f"from kerasrec.data import DataError, read\nprint(len(read({str(path)!r})))\n"
        "try: read('movielens/latest-small-ratings')\nexcept DataError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, error = done.stdout.splitlines()
    assert count == "3" and "cannot be imported" in error and "pip install tensorflow tensorflow-datasets" in error


@pytest.mark.parametrize("arguments, message", [
    ({"time_unit": "min"}, "`time_unit` must be one of s, ms, us, ns, not 'min'"),
    ({"date_format": "%d/%q"}, "`date_format` must say how dates are written, .* not '%d/%q' .*bad directive"),
    ({"decimal": ";"}, "`decimal` must be '.' or ',', not ';'"),
    ({"layout": "users"}, "`layout` must be one of user-items, count-items, not 'users'"),
    ({"separator": "::"}, "`separator` must be one character, not '::'"),
])  # fmt: skip
def test_bad_arguments(arguments, message):
    with pytest.raises(DataError, match=message):
        read("generated", **arguments)


# ---- bad tables -----------------------------------------------------------------------------

HEADER = "user,item,rating,timestamp\n"
GOOD = "1,2,3,1000000000\n"


@pytest.mark.parametrize("text, message", [
    ("", "is empty"),
    (" \n\n", "is empty"),
    ("\ufeff", "is empty"),
    ("\xa0\n", "is empty"),
    (",,\n,,\n", "is empty but for its separators"),
    (HEADER, "has a header and no interactions below it"),
    (HEADER + ",,,\n", "has a header and no interactions below it"),
    ("user item rating\n1 2 3\n", "line 1: no ',' in 'user item rating': say what separates columns"),
    ("user,rating\n1,2\n", r"no column of items .* its columns are user, rating: name one \(`item`\)"),
    ("user,item,user\n1,2,3\n", "has several columns 'user': rename all but one"),
    ("a,b,c\n1,2,3\n", r"no column of users .* \(as in user, userid, uid\); its columns are a, b, c"),
    ("1,2,3,4,5\n", "line 1: 5 numbers and no column names: add a header line"),
    (HEADER + GOOD + "1,3,good,1000000000\n", r"line 3, column rating \(value\): 'good' is not a number"),
    (HEADER + GOOD + "1,3,nan,1000000000\n", r"line 3, column rating \(value\): nan is not a finite"),
    (HEADER + GOOD + "1,3,NA,1000000000\n", r"line 3, column rating \(value\): 'NA' is not a number"),
    (HEADER + GOOD + "1,3,-inf,1000000000\n", r"line 3, column rating \(value\): -inf is not a finite"),
    (HEADER + GOOD + "1,3,1e300,1000000000\n", r"line 3, column rating \(value\): 1e300 is not a finite"),
    (HEADER + GOOD + "1,3,,1000000000\n", r"line 3, column rating \(value\): it is missing"),
    (HEADER + GOOD + ",3,4,1000000000\n", r"line 3, column user \(user\): it is missing"),
    (HEADER + GOOD + "1, ,4,1000000000\n", r"line 3, column item \(item\): it is missing"),
    (HEADER + GOOD + "NA,3,4,1000000000\n" + GOOD, r"line 3, column user \(user\): it is missing \('NA'\)"),
    (HEADER + GOOD + " NA,3,4,1000000000\n" + GOOD, r"line 3, column user \(user\): it is missing \(' NA'\)"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4, \n", r"line 3, column timestamp \(time\): it is missing \(' '\)"),
    (HEADER + GOOD + "-1,3,4,1000000000\n", r"line 3, column user \(user\): the id -1 is taken for padding"),
    (HEADER + GOOD + "1,3,4,\n", r"line 3, column timestamp \(time\): it is missing"),
    (HEADER + GOOD + "1,3,4,-5\n", r"line 3, column timestamp \(time\): -5 is the year 1969, outside 1970 to 2100"),
    (HEADER + GOOD + "1,3,4,inf\n", r"line 3, column timestamp \(time\): 'inf' is no time"),
    (HEADER + "1,3,4,1000000000000\n", r"line 2.*the year 33658, outside 1970 to 2100: .* say time_unit='ms'"),
    (HEADER + "1,3,4,1000000000000000000\n", "say time_unit='ns'"),
    (HEADER + "1,3,4,20th of May\n", "'20th of May' is no time: expected s since 1970, or an ISO date"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4,1850-01-01\n", "line 3, .* 1850-01-01 is the year 1850, outside"),
    (HEADER + "1,3,4,2001-02-03\n1,4,4,2001-02-30\n", "line 3, .* '2001-02-30' is no time"),
    (HEADER + GOOD + "1,3,4\n", "line 3: 3 columns where the first line has 4"),
    (HEADER + GOOD + "\n1,3,4,1000000000,5\n", "line 4: 5 columns where the first line has 4"),
])  # fmt: skip
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(write(tmp_path / "x.csv", text))
    assert str(tmp_path / "x.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_line_far_down(tmp_path):
    lines = [f"{n},{n},3,1000000000\n" for n in range(30_000)]
    lines[25_000] = "1,1,three,1000000000\n"
    with pytest.raises(DataError, match=r"line 25002, column rating \(value\): 'three' is not a number"):
        read(write(tmp_path / "x.csv", HEADER + "".join(lines)))


@pytest.mark.parametrize("text, message", [
    ("1::2::3::978300760\n1::2::978300760\n", r"line 2: 3 columns where the first line has 4"),
    ("1::2::3::978300760\n1:5:2::3::978300760\n", r"line 2: 3 columns where the first line has 4"),
    ("1::2::3::978300760\n1::x::three::978300760\n", r"line 2, column 3 \(value\): 'three' is not a number"),
    ("1::2::3::978300760\n1::4::3::978300760000\n", "line 2, column 4 .* say time_unit='ms'"),
])  # fmt: skip
def test_bad_movielens(tmp_path, text, message):
    with pytest.raises(DataError, match=r"ratings\.dat, " + message):
        read(write(tmp_path / "ml" / "ratings.dat", text).parent)


def test_the_log_says_which_columns_were_read(tmp_path, caplog):
    path = write(tmp_path / "x.csv", "Kunde,Artikel,Sterne,title\n1,2,5,a\n")
    with caplog.at_level("INFO", "kerasrec"):
        read(path, user="Kunde", item="Artikel")
    assert caplog.messages == [f"{path}: user is column 'Kunde', item is column 'Artikel'; not read: Sterne, title"]


def test_wrong_separator_and_columns(tmp_path):
    path = write(tmp_path / "x.csv", table_text())
    with pytest.raises(DataError, match="line 1: no ';' in 'user_id,item_id,rating,timestamp': say what separates"):
        read(path, separator=";")
    with pytest.raises(DataError, match="column 'rating' cannot be both `value` and `time`: name another"):
        read(path, time="rating")
    with pytest.raises(DataError, match=r"has no column 'who' \(`user`\); its columns are user_id, item_id, rating"):
        read(path, user="who")
    spaced = write(tmp_path / "y.txt", table_text(" "))
    assert entries(read(spaced, separator=" ")) == EXPECTED


@pytest.mark.parametrize("text, encoding, message", [
    (table_text(), "utf-16", "is UTF-16 or no text at all: convert it to UTF-8"),
    (table_text(), "utf-16-le", "is UTF-16 or no text at all: convert it to UTF-8"),
    ("user,item\na,b\nJosé,c\n", "latin-1", "line 3: byte 0xe9 is not UTF-8, so the file is probably Latin-1"),
])  # fmt: skip
def test_other_encodings(tmp_path, text, encoding, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "x.csv", text, encoding))


def test_titles_in_another_encoding(tmp_path):
    write(tmp_path / "ml" / "ratings.csv", MOVIELENS["latest"]["ratings.csv"])
    write(tmp_path / "ml" / "movies.csv", MOVIELENS["latest"]["movies.csv"], "latin-1")
    with pytest.raises(DataError, match=r"movies\.csv, line 2: byte 0xe9 is not UTF-8"):
        read(tmp_path / "ml")


@pytest.mark.parametrize("columns, message", [
    ({"user": [1, 2], "rating": [1, 2]}, "no column of items"),
    ({"user": [1, None], "item": [1, 2]}, r"row 2, column user \(user\): it is missing"),
    ({"user": [1, 2], "item": ["a", ""]}, r"row 2, column item \(item\): it is missing"),
    ({"user": [1, 2], "item": [1.5, 2]}, "an id that is no 64-bit integer"),
    ({"user": [1, 2], "item": [b"\xff", b"b"]}, "x.parquet: "),
    ({"user": [1, 2], "item": [1, 2], "rating": [1.0, float("nan")]}, r"row 2, column rating \(value\): nan is not"),
    ({"user": [1, 2], "item": [1, 2], "rating": ["1", "x"]}, r"row 2, column rating \(value\): 'x' is not a number"),
    ({"user": [1, 2], "item": [1, 2], "rating": [1, None]}, r"row 2, column rating \(value\): it is missing"),
    ({"user": [1, 2], "item": [1, 2], "time": [1, 10**12]}, "row 2, column time .* say time_unit='ms'"),
    ({"user": [1, 2], "item": [1, 2], "time": ["2001-01-01", "x"]}, r"row 2, column time \(time\): 'x' is no time"),
    ({"user": [1, 2], "item": [1, 2], "time": [datetime(2001, 1, 1), datetime(2200, 1, 1)]}, "the year 2200, outside"),
    ({"user": pa.array([], pa.int64()), "item": pa.array([], pa.int64())}, "has columns and no interactions"),
])  # fmt: skip
def test_bad_parquet(tmp_path, columns, message):
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.parquet")


def test_damaged_files(tmp_path):
    write(tmp_path / "x.parquet", "PAR1 and no more")
    with pytest.raises(DataError, match=r"x\.parquet is no Parquet file, or a damaged one"):
        read(tmp_path / "x.parquet")
    write(tmp_path / "x.zip", "no archive")
    with pytest.raises(DataError, match=r"x\.zip cannot be unpacked \(File is not a zip file\): fetch it again"):
        read(tmp_path / "x.zip")
    rng = np.random.default_rng(0)
    text = HEADER + "".join(f"{u},{i},3,1000000000\n" for u, i in rng.integers(0, 10**9, (50_000, 2)))
    with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", text)
    content = bytearray((tmp_path / "y.zip").read_bytes())
    content[200_000:200_100] = bytes(100)
    (tmp_path / "y.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"y\.zip cannot be unpacked"):
        read(tmp_path / "y.zip")
    (tmp_path / "z.csv.gz").write_bytes(gzip.compress(text.encode())[:-50_000])
    with pytest.raises(DataError, match=r"z\.csv\.gz cannot be unpacked"):
        read(tmp_path / "z.csv.gz")


def test_unreadable_file(tmp_path, monkeypatch):
    path = write(tmp_path / "x.csv", table_text())

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(DataError, match=r"x\.csv cannot be read \(Permission denied\)"):
        read(path)


def test_folder_of_unknown_things(tmp_path):
    with pytest.raises(DataError, match=r"holds nothing known: looked for ratings\.dat, .*, found no files"):
        read(tmp_path)
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "two" / name, table_text())
    with pytest.raises(DataError, match=r"one single table, found a\.csv, b\.csv: give the path of a file"):
        read(tmp_path / "two")


def test_what_macos_adds_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("mine/x.csv", table_text())
        for name in ("__MACOSX/mine/._x.csv", "__MACOSX/mine/x.csv", "mine/._x.csv"):
            archive.writestr(name, b"\0\5\x16\7")
    assert entries(read(tmp_path / "x.zip")) == EXPECTED
    write(tmp_path / "mine" / "x.csv", table_text())
    (tmp_path / "mine" / "._x.csv").write_bytes(b"\0\5\x16\7")
    assert entries(read(tmp_path / "mine")) == EXPECTED


# ---- real data ------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name, users, items, interactions", [
    ("ml-1m", 6_040, 3_706, 1_000_209),
    ("ml-100k", 943, 1_682, 100_000),
    ("ml-latest-small", 610, 9_724, 100_836),
    ("tfds/downloads/manual/ml-latest-small.zip", 610, 9_724, 100_836),
    ("amazon-beauty", 22_363, 12_101, 198_502),
    ("citeulike-a", 5_551, 16_980, 204_986),
    ("gowalla", 29_858, 40_981, 1_027_370),
])  # fmt: skip
def test_sizes_of_real_data(data_dir, monkeypatch, name, users, items, interactions):
    monkeypatch.setenv("KERASREC_DATA", str(data_dir))
    table = read(name)
    assert (table.n_users, table.n_items, len(table)) == (users, items, interactions)
    assert table.duplicates == 0


@pytest.mark.realdata
def test_rows_and_titles_of_movielens_1m(data_dir):
    table = read(data_dir / "ml-1m")
    assert table.item_ids[table.row(0)][:3].tolist() == [1193, 661, 914]
    assert table.times[:2].tolist() == [978_300_760, 978_302_109]
    assert table.item_titles[np.flatnonzero(table.item_ids == 1)[0]] == "Toy Story (1995)"
    assert any("Misérables, Les" in title for title in table.item_titles), "Latin-1, read as such"
