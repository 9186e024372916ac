import numpy as np

from kerasrec.data import Interactions
from kerasrec.data.row_counts import RowCounts
from kerasrec.data.rows import rows_of_columns


def test_every_row_is_kept_merged_or_dropped():
    table = Interactions(
        **rows_of_columns({"user": [1, 1, 2, 1], "item": [5] * 4}, dropped={"empty": 2, "missing user": 1})
    )
    assert table.row_counts == RowCounts(kept=2, merged=2, dropped={"empty": 2, "missing user": 1})
    assert table.row_counts.read == 7
    assert str(table.row_counts) == (
        "7 rows read = 2 kept + 2 merged as duplicates + 3 dropped (2 empty, 1 missing user)"
    )


def test_rows_without_loss_are_printed_in_short():
    assert str(RowCounts(kept=1_200, dropped={"empty": 0})) == "1,200 rows read = 1,200 kept"


def test_a_part_of_a_table_has_no_row_counts():
    table = Interactions.from_arrays([1, 2, 2], [5, 6, 6], times=[3, 2, 1])
    assert table.in_time_order().likes().row_counts.merged == 1
    assert table.select(np.array([True, False])).row_counts is None
    assert table.take_users([0]).row_counts is None
