"""Quotes and line breaks in delimited text. pandas and Polars read the same rows, or refuse the file."""

import io

import pandas as pd
import polars as pl
import pytest
from kerasrec_testing.tables import ordered_pairs, write

from kerasrec.data import DataError, read


def titles_text(n, titles, separator=","):
    """`n` rows of user, item and title, with other titles in some rows, from 0."""
    rows = [separator.join([f"u{row}", f"i{row % 70}", titles.get(row, "x")]) for row in range(n)]
    return "\n".join([separator.join(["user", "item", "title"]), *rows]) + "\n"


def peers_rows(text, separator=","):
    """Numbers of rows that pandas and Polars read, `None` if they refuse the text."""
    readers = (
        lambda: pd.read_csv(io.StringIO(text), sep=separator),
        lambda: pl.read_csv(io.BytesIO(text.encode()), separator=separator, infer_schema=False),
    )
    counts = []
    for reader in readers:
        try:
            counts.append(len(reader()))
        except Exception:  # each library has its own errors
            counts.append(None)
    return counts


@pytest.mark.parametrize("n", [20, 3_000, 200_000])
def test_an_unclosed_quote_is_an_error(tmp_path, n):
    text = titles_text(n, {n // 3: '"Boo'})
    message = rf"x\.csv, line {n // 3 + 2}: expected a closing quote .* got a field that runs to line {n + 1}\. Fix: .*"
    with pytest.raises(DataError, match=message + "pass quote=''"):
        read(write(tmp_path / "x.csv", text))
    assert None in peers_rows(text)
    assert read(tmp_path / "x.csv", quote="").row_counts.read == n, "the quote is an ordinary character"


def test_an_unclosed_quote_in_the_last_line_is_an_error(tmp_path):
    with pytest.raises(DataError, match="line 3: expected a closing quote"):
        read(write(tmp_path / "x.csv", 'user,item,title\na,b,x\nb,c,"y\n'))


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("titles", [
    {500: '"Boo', 900: '"Foo'},
    {500: '"Boo', 900: 'Foo"'},
    {500: '"Boo', 900: 'Foo" x'},
], ids=["both open", "open and close", "text after the quote"])  # fmt: skip
def test_two_stray_quotes_are_an_error(tmp_path, titles, separator):
    path = write(tmp_path / "x.csv", titles_text(3_000, titles, separator))
    with pytest.raises(DataError, match=r"x\.csv, line 502: expected .* got a .*Fix: .*pass quote=''"):
        read(path)
    assert read(path, quote="").row_counts.read == 3_000


@pytest.mark.parametrize("column", ["user", "item"])
def test_an_id_that_swallows_lines_is_an_error(tmp_path, column):
    frame = pd.DataFrame({"user": [f"u{n}" for n in range(100)], "item": [f"i{n}" for n in range(100)]})
    lines = frame.to_csv(index=False).splitlines()
    if column == "user":
        lines[10], lines[20] = '"' + lines[10], 'u19",i19'
    else:
        lines[10], lines[20] = 'u9,"i9', lines[20] + '"'
    with pytest.raises(DataError, match=r"x\.csv, line 11"):
        read(write(tmp_path / "x.csv", "\n".join(lines) + "\n"))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("n", [10, 60_000])
def test_quoted_fields_can_contain_line_breaks(tmp_path, n, line_end):
    """In small files and in files of more than one block."""
    rows = [f'u{row},i{row % 50},{row % 5 + 1},"first line\nsecond, ""{"z" * 80}""\n"\n' for row in range(n)]
    text = "user,item,rating,review\n" + "".join(rows)
    table = read(write(tmp_path / "x.csv", text.replace("\n", line_end)))
    assert (table.row_counts.read, table.n_users, table.n_items) == (n, n, min(n, 50))
    if line_end == "\n":
        assert peers_rows(text) == [n, n]


def test_quotes_after_the_sample_are_read(tmp_path):
    text = titles_text(20_000, {19_000: '"Boo, the\nmovie"'})
    table = read(write(tmp_path / "x.csv", text))
    assert table.row_counts.read == len(table) == 20_000
    assert peers_rows(text) == [20_000, 20_000]


def test_a_quote_within_a_field_is_an_ordinary_character(tmp_path):
    text = 'user,item,title\na,5" disk,x\nb,"5"" disk",y\nc,3" disk,z"\n'
    table = read(write(tmp_path / "x.csv", text))
    assert ordered_pairs(table) == [("a", '5" disk'), ("b", '5" disk'), ("c", '3" disk')]
    assert pd.read_csv(tmp_path / "x.csv").item.tolist() == ['5" disk', '5" disk', '3" disk']


def test_the_header_can_contain_line_breaks(tmp_path):
    path = write(tmp_path / "x.csv", 'user,item,"star\nrating"\na,b,4\nc,d,x\n')
    with pytest.raises(DataError, match="line 4, column star\nrating .value.: expected a number, got 'x'"):
        read(path, value="star\nrating")


def test_single_quotes(tmp_path):
    path = write(tmp_path / "x.csv", "user,item\na,'b,\"c'\nd,e\n")
    assert ordered_pairs(read(path, quote="'")) == [("a", 'b,"c'), ("d", "e")]
    with pytest.raises(DataError, match="expected one character .*, as `quote`, got 'ab'"):
        read(path, quote="ab")


def test_empty_rows_are_counted_and_quotes_around_them_are_respected(tmp_path):
    text = 'user,item,rating,review\nann,a,5,"good\n"\nbob,b,4,"x\n,,,\n"\n\n,,,\n,\n'
    table = read(write(tmp_path / "x.csv", text))
    assert ordered_pairs(table) == [("ann", "a"), ("bob", "b")]
    assert str(table.row_counts) == "4 rows read = 2 kept + 2 dropped (2 empty)"
    assert len(pd.read_csv(tmp_path / "x.csv")) == 4


def test_a_row_with_text_in_another_column_is_not_empty(tmp_path):
    with pytest.raises(DataError, match="line 3, column user .user.: expected an id, got a missing one"):
        read(write(tmp_path / "x.csv", "user,item,title\na,b,x\n,,y\n,,\n"))


def test_an_error_below_line_breaks_states_the_first_line_of_its_row(tmp_path):
    path = write(tmp_path / "x.csv", 'user,item,rating,review\na,b,3,"x\ny\nz"\na,c,bad,"x\ny"\n')
    with pytest.raises(DataError, match="line 5, column rating .value.: expected a number, got 'bad'"):
        read(path)


def test_a_row_can_be_longer_than_a_block(tmp_path):
    text = 'user,item,review\na,b,"' + "long\n" * 1_000_000 + '"\nc,d,x\n'
    assert ordered_pairs(read(write(tmp_path / "x.csv", text))) == [("a", "b"), ("c", "d")]


def test_reviews_that_contain_tables_of_words_are_read(tmp_path):
    review = "Good things:\ncheap, fast\nbad things, none, really\n"
    text = f'user,item,rating,review\na,b,3,"{review}"\nc,d,4,"{review}"\n'
    assert read(write(tmp_path / "x.csv", text)).row_counts.read == 2
