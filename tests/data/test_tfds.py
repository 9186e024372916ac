import socket
import sys

import pytest

from kerasrec.data import DataError, read


@pytest.fixture(autouse=True)
def no_prepared_data_and_no_network(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))

    def fail(*_, **__):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.mark.realdata
def test_an_archive_is_prepared_and_read(data_dir, monkeypatch):
    monkeypatch.setenv("KERASREC_DATA", str(data_dir))
    table = read("movielens/latest-small-ratings")
    original = read("ml-latest-small").in_time_order()
    assert (table.matrix != original.matrix).nnz == 0
    assert table.user_ids.tolist() == original.user_ids.tolist()
    assert table.item_ids.tolist() == original.item_ids.tolist()
    assert table.item_titles.tolist() == original.item_titles.tolist()
    assert table.times.tolist() == original.times.tolist()


def test_a_download_without_network_is_an_error(monkeypatch):
    monkeypatch.delenv("KERASREC_DATA", raising=False)
    monkeypatch.setattr("kerasrec.data.tfds.getproxies", dict)
    message = r"expected a connection to .*, got an error \(no network in tests\)\. Fix: .* copy ml-latest-small\.zip"
    with pytest.raises(DataError, match=message):
        read("movielens/latest-small-ratings")


def test_unknown_data_sets_and_data_sets_without_ratings_are_errors():
    message = "expected the name of .*, got 'movielens/new'. Fix: choose one of .*movielens/latest-small-ratings"
    with pytest.raises(DataError, match=message):
        read("movielens/new")
    with pytest.raises(DataError, match="movielens/100k-movies: expected a data set with ratings, got one without"):
        read("movielens/100k-movies")


def test_a_damaged_archive_is_an_error(monkeypatch, tmp_path):
    manual = tmp_path / "room" / "tfds" / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "ml-latest-small.zip").write_bytes(b"no archive")
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path / "room"))
    with pytest.raises(DataError, match="movielens/latest-small-ratings: expected a complete download, got an error"):
        read("movielens/latest-small-ratings")


def test_a_missing_tensorflow_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(DataError, match=": expected TensorFlow Datasets, got an import error .* Fix: pip install"):
        read("movielens/latest-small-ratings")
