import subprocess
import sys
import zipfile

import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ratings_text, write

import kerasrec
from kerasrec.data import DataError, generate, read


def test_generated_data_have_a_name():
    assert read("generated") == generate()


def test_a_frame_is_not_a_path():
    with pytest.raises(DataError, match="expected a path or a name as `data`, got dict. Fix: pass data frames to"):
        read({"user": [1]})


def test_a_folder_without_known_files_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r": expected ratings\.dat, .* or a single table, got no files\. Fix: pass the"):
        read(tmp_path)
    for name in ("a.csv", "b.csv"):
        write(tmp_path / "two" / name, ratings_text())
    with pytest.raises(DataError, match=r"or a single table, got a\.csv, b\.csv\. Fix: pass the path of a file"):
        read(tmp_path / "two")


def test_files_that_macos_adds_are_ignored(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("mine/x.csv", ratings_text())
        for name in ("__MACOSX/mine/._x.csv", "__MACOSX/mine/x.csv", "mine/._x.csv"):
            archive.writestr(name, b"\0\5\x16\7")
    assert entries(read(tmp_path / "x.zip")) == RATING_ENTRIES
    write(tmp_path / "mine" / "x.csv", ratings_text())
    (tmp_path / "mine" / "._x.csv").write_bytes(b"\0\5\x16\7")
    assert entries(read(tmp_path / "mine")) == RATING_ENTRIES


def test_data_needs_neither_tensorflow_nor_keras(tmp_path):
    """In a process that can import neither, with an empty package in place of `kerasrec`, which imports Keras."""
    path = write(tmp_path / "x.csv", ratings_text())
    code = (
        "import sys, types\n"
        "sys.modules.update(tensorflow=None, tensorflow_datasets=None, keras=None)\n"
        "sys.modules['kerasrec'] = types.ModuleType('kerasrec')\n"
        f"sys.modules['kerasrec'].__path__ = {list(kerasrec.__path__)!r}\n"
        f"from kerasrec.data import DataError, read\nprint(len(read({str(path)!r})))\n"
        "try: read('movielens/latest-small-ratings')\nexcept DataError as error: print(error)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    count, message = process.stdout.splitlines()
    assert count == "3"
    assert message.startswith("movielens/latest-small-ratings: expected TensorFlow Datasets, got an import error")
    assert "pip install tensorflow tensorflow-datasets" in message


@pytest.mark.realdata
@pytest.mark.parametrize("name, users, items, interactions", [
    ("ml-1m", 6_040, 3_706, 1_000_209),
    ("ml-100k", 943, 1_682, 100_000),
    ("ml-latest-small", 610, 9_724, 100_836),
    ("tfds/downloads/manual/ml-latest-small.zip", 610, 9_724, 100_836),
    ("amazon-beauty", 22_363, 12_101, 198_502),
    ("citeulike-a", 5_551, 16_980, 204_986),
    ("gowalla", 29_858, 40_981, 1_027_370),
])  # fmt: skip
def test_sizes_of_published_data(data_dir, monkeypatch, name, users, items, interactions):
    monkeypatch.setenv("KERASREC_DATA", str(data_dir))
    table = read(name)
    assert (table.n_users, table.n_items, len(table)) == (users, items, interactions)
    assert table.row_counts.merged == 0
