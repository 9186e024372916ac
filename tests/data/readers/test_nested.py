"""Structures, lists of records, and lists of keys with values."""

import json

import pytest
from kerasrec_testing.tables import ordered_pairs, write

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
