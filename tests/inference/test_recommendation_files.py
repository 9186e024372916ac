"""Files of recommendations."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from kerasrec import EASE, Interactions
from kerasrec.inference import recommend_batches, recommendation_files, write_recommendations
from kerasrec.inference.recommendations import decoded


@pytest.fixture(scope="module")
def table():
    """Ids that need quotes in CSV and JSON."""
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((60, 12)) < 0.4)
    names = np.array(['a "b"', "c,d", "é\\n", "line\u2028", *"efghijkl"])
    return Interactions.from_arrays(np.char.add("user ", users.astype(str)), names[items])


@pytest.fixture(scope="module")
def tables(table):
    model = EASE(table.n_items, reg=5.0)
    model.fit(table, verbose=0)
    return list(recommend_batches(model, table, k=4, batch_size=16))


def test_each_format_has_all_rows(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(recommendation_files, "ROWS_AT_ONCE", 100)
    monkeypatch.setattr(recommendation_files, "GROUPS_PER_FILE", 1)
    expected = pa.concat_tables([decoded(part) for part in tables])
    for name in ("lists.parquet", "lists.csv", "lists.jsonl", "folder"):
        assert write_recommendations(iter(tables), tmp_path / name) == len(expected)
    assert pa.parquet.read_table(tmp_path / "lists.parquet").equals(expected)
    rows = expected.to_pylist()
    assert [json.loads(line) for line in (tmp_path / "lists.jsonl").read_text().split("\n")[:-1]] == [
        {**row, "score": pytest.approx(row["score"], rel=1e-6)} for row in rows
    ]
    from_csv = pa.csv.read_csv(tmp_path / "lists.csv").to_pylist()
    assert [(r["user_id"], r["rank"], r["item_id"]) for r in from_csv] == [
        (r["user_id"], r["rank"], r["item_id"]) for r in rows
    ]
    parts = sorted((tmp_path / "folder").iterdir())
    assert len(parts) == 2
    assert pa.concat_tables([pa.parquet.read_table(part) for part in parts]).equals(expected)


def test_an_error_half_way_leaves_nothing(tables, tmp_path):
    def broken():
        yield tables[0]
        raise OSError(28, "No space left on device")

    for name in ("lists.parquet", "lists.csv", "lists.jsonl", "folder"):
        with pytest.raises(OSError, match="No space left"):
            write_recommendations(broken(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_and_a_folder_is_not(tables, tmp_path):
    (tmp_path / "lists.csv").write_text("old")
    write_recommendations(iter(tables), tmp_path / "lists.csv")
    assert "user_id" in (tmp_path / "lists.csv").read_text()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="Fix: choose another name"):
        write_recommendations(iter(tables), tmp_path / "folder")
    with pytest.raises(ValueError, match=r"\.parquet, \.csv or \.jsonl"):
        write_recommendations(iter(tables), tmp_path / "lists.xlsx")


@pytest.mark.parametrize("name", ["lists.csv", "folder"])
def test_no_tables_are_an_error(tmp_path, name):
    with pytest.raises(ValueError, match="`tables`: expected at least one table"):
        write_recommendations(iter([]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_no_users_give_an_empty_file(table, tmp_path):
    model = EASE(table.n_items, reg=5.0)
    model.fit(table, verbose=0)
    assert write_recommendations(recommend_batches(model, table, 4, users=[]), tmp_path / "lists.parquet") == 0
    assert pa.parquet.read_table(tmp_path / "lists.parquet").column_names == ["user_id", "rank", "item_id", "score"]
