import pandas as pd
import pytest
from kerasrec_testing.tables import ordered_pairs

from kerasrec.data import DataError, read

FRAME = pd.DataFrame({
    "user": ["a", None, "b", " ", "c", "d"], "item": ["x", "x", None, "y", "z", "w"],
    "rating": [1, 2, 3, 4, None, 5], "time": [*range(5), None],
})  # fmt: skip


@pytest.mark.parametrize("write", [
    lambda path: FRAME.to_csv(path, index=False),
    lambda path: FRAME.to_parquet(path),
    lambda path: FRAME.to_feather(path),
    lambda path: FRAME.to_json(path, orient="records", lines=True),
], ids=["csv", "parquet", "feather", "json"])  # fmt: skip
def test_rows_with_missing_fields_are_dropped_and_counted(tmp_path, write):
    write(tmp_path / "x")
    with pytest.raises(DataError, match="expected an id, got a missing one"):
        read(tmp_path / "x")
    table = read(tmp_path / "x", drop_missing=True)
    assert ordered_pairs(table) == [("a", "x")]
    assert table.row_counts.dropped == {"missing user": 2, "missing item": 1, "missing value": 1, "missing time": 1} | (
        {"empty": 0} if "empty" in table.row_counts.dropped else {}
    )
    assert table.row_counts.read == len(FRAME)


def test_missing_integers_are_dropped(tmp_path):
    pd.DataFrame({"user": [1, None, 3], "item": [7, 8, 9]}).to_csv(tmp_path / "x.csv", index=False)
    table = read(tmp_path / "x.csv", drop_missing=True)
    assert ordered_pairs(table) == [(1, 7), (3, 9)]
    assert str(table.row_counts) == "3 rows read = 2 kept + 1 dropped (1 missing user)"
