"""Excel files, SQLite files and databases with a URL."""

import datetime
import sqlite3

import pandas as pd
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, RATINGS, entries, ordered_pairs

from kerasrec.data import DataError, read

FRAME = pd.DataFrame(RATINGS, columns=["user_id", "item_id", "rating", "timestamp"])


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        FRAME.to_sql("ratings", connection, index=False)
    connection.close()
    return tmp_path / "shop.db"


def test_excel_files(tmp_path):
    dates = [datetime.datetime.fromtimestamp(t, datetime.timezone.utc).replace(tzinfo=None) for t in FRAME["timestamp"]]
    for frame in (FRAME, FRAME.assign(timestamp=dates)):
        frame.to_excel(tmp_path / "x.xlsx", index=False)
        assert entries(read(tmp_path / "x.xlsx")) == RATING_ENTRIES


def test_empty_rows_and_other_sheets_of_excel_are_reported(tmp_path, caplog):
    with pd.ExcelWriter(tmp_path / "x.xlsx") as writer:
        pd.DataFrame({"user": ["a", None, 7], "item": [1, None, 2]}).to_excel(writer, sheet_name="orders", index=False)
        FRAME.to_excel(writer, sheet_name="more", index=False)
    table = read(tmp_path / "x.xlsx")
    assert ordered_pairs(table) == [("7", 2), ("a", 1)]
    assert str(table.row_counts) == "3 rows read = 2 kept + 1 dropped (1 empty)"
    assert "sheet 'orders' is read, not 'more'" in caplog.text


def test_a_damaged_excel_file_is_an_error(tmp_path):
    (tmp_path / "x.xlsx").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match=r"x\.xlsx: expected an Excel file, got damaged or other content"):
        read(tmp_path / "x.xlsx")


@pytest.mark.parametrize(
    "query", [None, "select * from ratings", "select timestamp, user_id, item_id, rating from ratings"]
)
def test_databases(database, query):
    assert entries(read(database, query=query)) == RATING_ENTRIES
    assert entries(read(f"sqlite:///{database}", query=query)) == RATING_ENTRIES


def test_a_query_chooses_rows_and_columns(database):
    query = "select user_id as who, item_id from ratings where rating > 2"
    assert ordered_pairs(read(database, query=query, user="who")) == [(1, 30), (2, 30)]


@pytest.mark.parametrize("query, message", [
    ("select neither from ratings", r"expected a query that succeeds, got an error \(.*no such column"),
    ("drop table ratings", "expected a query that succeeds, got an error"),
    ("select user_id from ratings", "expected a column of item ids"),
])  # fmt: skip
def test_a_wrong_query_is_an_error(database, query, message):
    with pytest.raises(DataError, match=message) as caught:
        read(database, query=query)
    assert "\n" not in str(caught.value)
    assert len(read(database)) == 3, "the database is not changed"


def test_several_tables_need_a_query(database):
    with sqlite3.connect(database) as connection:
        connection.execute("create table orders (a, b)")
    connection.close()
    for data in (database, f"sqlite:///{database}"):
        with pytest.raises(
            DataError, match=r"expected a `query`, or a database with one table, got the tables .*orders"
        ):
            read(data)


def test_a_url_without_a_driver_is_an_error():
    for url in ("nodatabase://ann:secret@host/shop", "postgresql+psycopg://ann:secret@host/shop"):
        with pytest.raises(DataError, match="database: expected a query that succeeds, got an error") as caught:
            read(url, query="select 1")
        assert "secret" not in str(caught.value)


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path):
    with pytest.raises(DataError, match=r"expected a SQLite file, got '.*none\.db', which does not exist"):
        read(f"sqlite:///{tmp_path}/none.db")
    assert not list(tmp_path.iterdir())


def test_a_query_of_a_text_file_is_an_error(tmp_path):
    (tmp_path / "x.csv").write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match="expected a database for `query`, got another file"):
        read(tmp_path / "x.csv", query="select 1")
