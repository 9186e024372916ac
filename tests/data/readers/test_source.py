import gzip
import zipfile

import numpy as np
import pytest
from kerasrec_testing.tables import RATING_ENTRIES, entries, ratings_text, write

from kerasrec.data import DataError, read


def test_names_in_the_data_folder(tmp_path, monkeypatch):
    write(tmp_path / "room" / "beauty" / "Beauty.txt", "1 4 5\n")
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path / "room"))
    assert len(read("beauty")) == 2
    message = (
        r"got 'beuty'; nothing exists at beuty and .*room/beuty\. Fix: pass a path, a name in \$KERASREC_DATA "
        r"\(beauty\), 'generated', or a data set of TensorFlow Datasets"
    )
    with pytest.raises(DataError, match=message):
        read("beuty")


def test_an_unknown_name_is_an_error():
    message = r"expected a path or .*, got 'x\.csv'; nothing exists at x\.csv \(\$KERASREC_DATA is not set\)\. Fix: "
    with pytest.raises(DataError, match=message):
        read("x.csv")


def test_gzip_files_are_uncompressed(tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(ratings_text().encode()))
    assert entries(read(tmp_path / "x.csv.gz")) == RATING_ENTRIES


@pytest.mark.parametrize("text, encoding, message", [
    (ratings_text(), "utf-16", ": expected UTF-8 text, got UTF-16 or binary content. Fix: convert the file"),
    (ratings_text(), "utf-16-le", ": expected UTF-8 text, got UTF-16 or binary content. Fix: convert the file"),
    ("user,item\na,b\nJosé,c\n", "latin-1",
     ", line 3: expected UTF-8, got byte 0xe9. Fix: convert the file, which is probably Latin-1"),
])  # fmt: skip
def test_another_encoding_is_an_error(tmp_path, text, encoding, message):
    with pytest.raises(DataError, match=r"x\.csv" + message):
        read(write(tmp_path / "x.csv", text, encoding))


def test_a_damaged_archive_is_an_error(tmp_path):
    write(tmp_path / "x.zip", "no archive")
    message = r"x\.zip: expected a complete archive, got an error \(File is not a zip file\)\. Fix: download it again"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.zip")
    rng = np.random.default_rng(0)
    text = "user,item\n" + "".join(f"{u},{i}\n" for u, i in rng.integers(0, 10**9, (50_000, 2)))
    with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", text)
    content = bytearray((tmp_path / "y.zip").read_bytes())
    content[200_000:200_100] = bytes(100)
    (tmp_path / "y.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"y\.zip: expected a complete archive"):
        read(tmp_path / "y.zip")
    (tmp_path / "z.csv.gz").write_bytes(gzip.compress(text.encode())[:-50_000])
    with pytest.raises(DataError, match=r"z\.csv\.gz: expected a complete archive"):
        read(tmp_path / "z.csv.gz")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path, monkeypatch):
    path = write(tmp_path / "x.csv", ratings_text())

    def deny(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", deny)
    with pytest.raises(DataError, match=r"x\.csv: expected a readable file, got an error \(Permission denied\)\. Fix"):
        read(path)
