"""Files in the layouts of many sites: the columns, the meaning of values, and the account of every row."""

import bz2
import gzip
import io
import lzma

import pandas as pd
import pyarrow as pa
import pytest
from kerasrec_testing.corpus import LAYOUTS, SECONDS

from kerasrec.data import read

HEADS = {b"\xff\xfe": "utf-16", b"\xef\xbb": "utf-8-sig"}
"""First bytes → encoding."""


def rows_of_pandas(path, layout):
    """Number of rows that pandas reads; None for lists, matrices, folders and archives."""
    if not layout.columns or path.is_dir() or path.suffix == ".zip":
        return None
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix == ".feather":
        frame = pd.read_feather(path)
    elif ".json" in path.name:
        frame = pd.read_json(path, lines=not layout.name.endswith("array"))
    else:
        content = decompressed(path.read_bytes())
        encoding = HEADS.get(content[:2], "cp1252" if layout.name == "cp1252" else "utf-8")
        text = content.decode(encoding)
        separator = "::" if "::" in text else max(",;\t|", key=text.splitlines()[0].count)
        header = None if set(layout.columns.values()) <= set("123456789") else 0
        frame = pd.read_csv(io.StringIO(text), sep=separator, header=header, engine="python")
    if "items" in frame:
        return int(frame["items"].map(len).clip(lower=1).sum())
    return len(frame)


def decompressed(content):
    for magic, decompress in ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress), (b"\xfd7zXZ", lzma.decompress)):
        if content.startswith(magic):
            return decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    return content


def test_the_corpus_is_large_and_has_distinct_names():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS) >= 60


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_layout_is_read(tmp_path, layout):
    path = layout.write(tmp_path)
    table = read(path, **layout.options)
    assert table.column_names == layout.columns
    assert str(table.value_kind).startswith(layout.kind)
    counts = table.row_counts
    assert rows_of_pandas(path, layout) in (None, counts.read - counts.dropped.get("empty", 0), counts.read)
    assert (counts.read, counts.kept, len(table)) == (layout.n_rows, layout.n_kept, layout.n_kept)
    assert counts.read == counts.kept + counts.merged + counts.n_dropped
    if layout.times:
        assert sorted(table.times.tolist()) == SECONDS
