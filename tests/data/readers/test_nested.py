"""Structures, lists of records, and lists of keys with values."""

import json

import pyarrow as pa
import pytest
from kerasrec_testing.tables import entries, ordered_pairs, write
from pyarrow import feather, parquet

from kerasrec.data import DataError, read

ORDERS = [
    {"user": {"id": "ann"}, "lines": [{"sku": {"code": "t"}, "qty": 2}, {"sku": {"code": "j"}, "qty": 1}]},
    {"user": {"id": "bob"}, "lines": []},
    {"user": {"id": "cid"}, "lines": [{"sku": {"code": "t"}, "qty": 1}]},
]  # fmt: skip


def test_each_record_of_a_list_is_a_row(tmp_path):
    table = read(write(tmp_path / "x.json", json.dumps(ORDERS)), item="lines.sku.code", value="lines.qty")
    assert ordered_pairs(table) == [("ann", "t"), ("ann", "j"), ("cid", "t")]
    assert str(table.row_counts) == "4 rows read = 3 kept + 1 dropped (1 without lines)"


def test_columns_of_several_lists_are_an_error(tmp_path):
    rows = [{"user": 1, "a": [{"item_id": 1}], "b": [{"qty": 1}]}]
    with pytest.raises(DataError, match=r"expected columns of one list, got a\.item_id, b\.qty"):
        read(write(tmp_path / "x.json", json.dumps(rows)))


def test_keys_with_values_are_columns(tmp_path):
    rows = [
        {"user": n, "params": [{"key": "item_id", "value": {"s": f"i{n}", "n": None}}, {"key": "n", "value": {"n": n}}]}
        for n in (1, 2)
    ]
    rows.append({"user": 3, "params": [{"key": "n", "value": {"n": 3}}]})
    path = write(tmp_path / "x.json", json.dumps(rows))
    assert ordered_pairs(read(path, drop_missing=True)) == [(1, "i1"), (2, "i2")]
    with pytest.raises(DataError, match=r"row 3, column params\.item_id \(item\): expected an id, got a missing one"):
        read(path)
    assert ordered_pairs(read(path, item="params.n")) == [(1, "1"), (2, "2"), (3, "3")]


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.feather"])
def test_a_list_of_items_gives_a_row_for_each_item(tmp_path, name):
    """Lists of values and times beside it are parallel."""
    columns = {"user": [1, 2, 3], "item": [["a", "b"], ["a"], []], "rating": [[5, 3], [4], []], "at": [7, 8, 9]}
    write_as(tmp_path / name, pa.table(columns))
    table = read(tmp_path / name, time="at")
    assert entries(table) == [(1, "a", 5, 7), (1, "b", 3, 7), (2, "a", 4, 8)]
    assert str(table.row_counts) == "4 rows read = 3 kept + 1 dropped (1 without item)"
    write_as(tmp_path / name, pa.table({**columns, "rating": [[5], [4], []]}))
    with pytest.raises(DataError, match="expected lists of equal lengths in each row of item, rating, got others"):
        read(tmp_path / name)


def write_as(path, table):
    """Writes a table in the format of its suffix."""
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, table.to_pylist())))
    else:
        (feather.write_feather if path.suffix == ".feather" else parquet.write_table)(table, path)
