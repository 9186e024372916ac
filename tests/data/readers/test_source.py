import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from kerasrec_testing.tables import ratings_text, write

from kerasrec.data import DataError, read


def zstd_compress(content):
    return pa.compress(content, "zstd", asbytes=True)


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


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.bz2", "x.csv.xz", "x.csv.zst", "x.csv"])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd_compress])
def test_compressed_files_are_read_whatever_their_name(tmp_path, compress, name):
    text = ratings_text() + "".join(f"{n},{n % 70},3,1000000000\n" for n in range(100, 50_000))
    (tmp_path / name).write_bytes(compress(text.encode()))
    table = read(tmp_path / name)
    assert table.row_counts.read == len(table) == 3 + 49_900
    assert read(tmp_path) == table, "the only table of a folder"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("n", [3, 50_000])
def test_the_encoding_is_detected(tmp_path, caplog, encoding, n):
    text = "user,item,rating\n" + "".join(f"u{u},café {u % 7},4\n" for u in range(n))
    table = read(write(tmp_path / "x.csv", text, encoding))
    assert table.item_ids.tolist() == [f"café {i}" for i in range(min(n, 7))]
    assert table.row_counts.read == n
    assert any("read as cp1252" in message for message in caplog.messages) == (encoding == "cp1252")


def test_an_encoding_can_be_stated(tmp_path):
    path = write(tmp_path / "x.csv", "user,item\na,čaj\nb,x\n", "cp1250")
    assert read(path, encoding="cp1250").item_ids.tolist() == ["x", "čaj"]
    with pytest.raises(DataError, match=r"x\.csv: expected ascii text, got other content .* pass another `encoding`"):
        read(write(tmp_path / "x.csv", "user,item\na,\xff\xff\n", "latin-1"), encoding="ascii")
    with pytest.raises(DataError, match="expected the name of an encoding, .* as `encoding`, got 'utf-9'"):
        read(path, encoding="utf-9")


def test_damaged_utf_8_is_not_taken_for_another_encoding(tmp_path):
    content = "user,item\na,café\nb,café\n".encode()
    (tmp_path / "x.csv").write_bytes(content[:-4] + b"\xe9" + content[-2:])
    with pytest.raises(
        DataError, match=r"x\.csv, line 3: expected UTF-8, got byte 0x.*pass the `encoding` of the file"
    ):
        read(tmp_path / "x.csv")


def test_binary_content_is_an_error(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"user,item\n1,\0\n")
    with pytest.raises(DataError, match=r"x\.csv: expected text, got binary content\. Fix: "):
        read(tmp_path / "x.csv")


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
