"""Folders with several tables."""

import pytest
from kerasrec_testing.tables import entries, write

from kerasrec.data import DataError, read

ORDERS = "order_id,user_id,created_at\n1,7,2001-09-09\n2,8,2001-09-10\n"


def test_tables_are_joined_by_a_shared_column_of_ids(tmp_path, caplog):
    write(tmp_path / "orders.csv", ORDERS)
    write(tmp_path / "lines.csv", "order_id,product_id,quantity\n2,30,1\n1,30,2\n1,10,1\n9,10,1\n")
    write(tmp_path / "products.csv", "product_id,product_name\n10,Jam\n30,Tea\n")
    with caplog.at_level("INFO", "kerasrec"):
        table = read(tmp_path)
    assert entries(table) == [(7, 30, 2, 999_993_600), (7, 10, 1, 999_993_600), (8, 30, 1, 1_000_080_000)]
    assert table.item_titles.tolist() == ["Jam", "Tea"]
    assert str(table.row_counts) == "4 rows read = 3 kept + 1 dropped (1 order_id not in orders.csv)"
    assert "lines.csv joined with orders.csv by order_id" in caplog.text


def test_a_join_with_repeated_keys_is_an_error(tmp_path):
    write(tmp_path / "orders.csv", ORDERS + "1,9,2001-09-11\n")
    write(tmp_path / "lines.csv", "order_id,product_id\n1,30\n")
    with pytest.raises(DataError, match=r"orders\.csv: expected each order_id once, got some repeatedly"):
        read(tmp_path)


def test_tables_that_share_several_columns_are_not_joined(tmp_path):
    write(tmp_path / "orders.csv", "order_id,shop_id,user_id\n1,1,7\n")
    write(tmp_path / "lines.csv", "order_id,shop_id,product_id\n1,1,30\n")
    with pytest.raises(DataError, match=r"or a single table, got lines\.csv, orders\.csv"):
        read(tmp_path)
