"""What identifies the data of a run."""

import numpy as np
import pytest

from kerasrec import Interactions
from kerasrec.runs.data_state import file_states, table_digest

COLUMNS = {"users": [1, 1, 2], "items": ["a", "b", "a"], "values": [5, 4, 3], "times": [10, 20, 30]}


def digest(titles=None, **changes):
    return table_digest(Interactions.from_arrays(**{**COLUMNS, **changes}, titles=titles))


def test_equal_tables_have_equal_digests():
    assert digest() == digest(users=np.array([1, 1, 2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"users": [1, 1, 3]},
        {"users": ["1", "1", "2"]},
        {"items": ["a", "c", "a"]},
        {"items": ["b", "a", "a"]},
        {"values": [5, 4, 2]},
        {"times": [10, 21, 30]},
        {"times": None},
        {"titles": {"a": "Alpha"}},
    ],
)
def test_every_change_of_a_table_changes_its_digest(changes):
    assert digest(**changes) != digest()


def test_files_are_known_for_a_file_a_folder_and_a_name(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path))
    (tmp_path / "shop" / "parts").mkdir(parents=True)
    (tmp_path / "shop" / "parts" / "1.csv").write_text("user,item\n")
    stat = (tmp_path / "shop" / "parts" / "1.csv").stat()
    state = [10, stat.st_mtime_ns]
    assert file_states(str(tmp_path / "shop" / "parts" / "1.csv")) == {"1.csv": state}
    assert file_states("shop") == file_states(str(tmp_path / "shop")) == {"shop/parts/1.csv": state}


@pytest.mark.parametrize("data", ["generated", "movielens/100k-ratings", "a name that only the caller can read"])
def test_no_files_are_known_for_other_data(data):
    assert file_states(data) is None
