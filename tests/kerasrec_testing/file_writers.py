"""Functions that return a writer: it writes a small file into a folder and returns the path to read."""

import json
import zipfile

import pyarrow as pa
from pyarrow import feather, parquet


def text(name, header, rows, separator=",", encoding="utf-8", quoted=False, compress=bytes):
    """A delimited file; an empty header means none."""

    def write(folder):
        lines = [header.split(",")] * bool(header) + [list(map(str, row)) for row in rows]
        mark = '"' if quoted else ""
        content = "\n".join(separator.join(f"{mark}{f}{mark}" for f in line) for line in lines) + "\n"
        (folder / name).write_bytes(compress(content.encode(encoding)))
        return folder / name

    return write


def records(name, rows, as_array=False, compress=bytes):
    """A file of JSON objects."""

    def write(folder):
        content = json.dumps(rows) if as_array else "\n".join(map(json.dumps, rows))
        (folder / name).write_bytes(compress(content.encode()))
        return folder / name

    return write


def frame(name, columns):
    """A Parquet or Feather file."""

    def write(folder):
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        (feather.write_feather if name.endswith("feather") else parquet.write_table)(table, folder / name)
        return folder / name

    return write


def several(*writers, zipped=False):
    """A folder or an archive of files."""

    def write(folder):
        (folder / "data").mkdir()
        for writer in writers:
            writer(folder / "data")
        if not zipped:
            return folder / "data"
        with zipfile.ZipFile(folder / "data.zip", "w") as archive:
            for path in sorted((folder / "data").iterdir()):
                archive.write(path, f"export/{path.name}")
        return folder / "data.zip"

    return write


def zstd(content):
    return pa.compress(content, "zstd", asbytes=True)
