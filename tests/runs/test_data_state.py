"""What identifies the files of a run."""

import pytest

from kerasrec.runs.data_state import features_digest, file_states


def test_the_content_of_files_with_features_decides(tmp_path):
    (tmp_path / "a.csv").write_text("item,genre\n1,x\n")
    digest = features_digest([str(tmp_path / "a.csv"), None])
    (tmp_path / "a.csv").touch()
    assert features_digest([None, str(tmp_path / "a.csv")]) == digest == features_digest([str(tmp_path)])
    (tmp_path / "a.csv").write_text("item,genre\n1,y\n")
    assert features_digest([str(tmp_path / "a.csv"), None]) != digest
    assert features_digest([None, None]) is None


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
