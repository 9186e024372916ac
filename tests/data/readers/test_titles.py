"""Titles of items from a table in any format."""

import json

import pandas as pd
import pytest
from kerasrec_testing.tables import write

from kerasrec.data import DataError, read

TITLES = {10: "Jam, red", 30: 'The "best" tea'}
FRAME = pd.DataFrame({"product_id": TITLES.keys(), "price": [1.5, 2.5], "label": TITLES.values()})


@pytest.fixture
def orders(tmp_path):
    return write(tmp_path / "orders.csv", "customer_id,product_id\n1,30\n2,10\n2,30\n3,77\n")


@pytest.mark.parametrize("name, save", [
    ("a.csv", lambda path: FRAME.to_csv(path, index=False)),
    ("a.tsv.gz", lambda path: FRAME.to_csv(path, index=False, sep="\t", compression="gzip")),
    ("a.parquet", FRAME.to_parquet),
    ("a.feather", FRAME.to_feather),
    ("a.jsonl", lambda path: FRAME.to_json(path, orient="records", lines=True)),
    ("a.json", lambda path: FRAME.to_json(path, orient="records")),
    ("a.csv", lambda path: FRAME.rename(columns={"product_id": "id"}).to_csv(path, index=False, encoding="utf-16")),
])  # fmt: skip
def test_titles_come_from_a_table_of_items(tmp_path, orders, name, save):
    save(tmp_path / name)
    table = read(orders, items=tmp_path / name, item_title="label")
    assert dict(zip(table.item_ids.tolist(), table.item_titles.tolist(), strict=True)) == {**TITLES, 77: ""}


def test_a_column_of_titles_is_found_by_its_name(tmp_path, orders):
    FRAME.rename(columns={"label": "product_name"}).to_csv(tmp_path / "a.csv", index=False)
    assert read(orders, items=tmp_path / "a.csv").item_titles.tolist() == [*TITLES.values(), ""]


def test_titles_of_string_ids_with_zeros(tmp_path):
    orders = write(tmp_path / "orders.csv", "user,article_id\na,0108\na,0109\nb,0108\n")
    items = write(tmp_path / "items.json", json.dumps([{"article_id": "0108", "prod_name": "Shirt"}]))
    assert read(orders, items=items).item_titles.tolist() == ["Shirt", ""]


@pytest.mark.parametrize("content, title, message", [
    ("product_id,name\n1,a\n", None, "expected titles of the items of the interactions, for example 10, got other ids"),
    ("product_id,name\n10,a\n", "label", "expected a column 'label', got the columns product_id, name. Fix: pass the"),
    ("code,name\n10,a\n", None, "expected a column of item ids, got the columns code, name. Fix: rename the column"),
    ("product_id,name\n10,a,b\n", None, "line 2: expected 2 columns, as in the header, got 3"),
])  # fmt: skip
def test_a_table_without_titles_is_an_error(tmp_path, orders, content, title, message):
    with pytest.raises(DataError, match=message):
        read(orders, items=write(tmp_path / "a.csv", content), item_title=title)


def test_titles_need_a_file(tmp_path, orders):
    with pytest.raises(DataError, match="expected `items`, the file of the titles, got only `item_title`"):
        read(orders, item_title="name")
    with pytest.raises(DataError, match="expected a path or the name of a data set"):
        read(orders, items=tmp_path / "none.csv")
