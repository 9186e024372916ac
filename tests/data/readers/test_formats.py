"""Formats besides delimited text and Parquet, and the layouts of other libraries."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from kerasrec_testing.tables import RATING_ENTRIES, RATINGS, entries, ratings_text, write
from pyarrow import feather, parquet

from kerasrec.data import DataError, Interactions, read

NAMES = ("user_id", "item_id", "rating", "timestamp")
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in RATINGS]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.txt"])
@pytest.mark.parametrize("text", [
    "\n".join(map(json.dumps, RECORDS)),
    "\n\n".join(map(json.dumps, RECORDS)) + "\n",
    json.dumps(RECORDS),
    json.dumps(RECORDS, indent=2),
], ids=["lines", "blank lines", "array", "indented array"])  # fmt: skip
def test_json_objects(tmp_path, name, text):
    assert entries(read(write(tmp_path / name, text))) == RATING_ENTRIES


def test_fields_of_json_can_be_nested(tmp_path):
    records = [{"user": {"id": u}, "product": {"sku": {"code": f"s{i}"}}, "at": t} for u, i, _, t in RATINGS]
    expected = [(u, f"s{i}", 1, t) for u, i, _, t in RATING_ENTRIES]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    for path in (tmp_path / "x.jsonl.gz", write(tmp_path / "x.json", json.dumps(records))):
        assert entries(read(path, item="product.sku.code", time="at")) == expected
    message = "expected a column of item ids .*, got the columns user.id, product.sku.code, at"
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_table_is_preferred_to_json_in_the_same_folder(tmp_path):
    write(tmp_path / "x.csv", ratings_text())
    write(tmp_path / "about.json", '{"name": "x"}')
    assert entries(read(tmp_path)) == RATING_ENTRIES


@pytest.mark.parametrize("text, message", [
    ('{"user": 1, "item": 2}\n{"user": 1, "item"', r"x\.json: expected JSON objects, one per line or in one array"),
    ('[{"user": 1, "item": 2}, {"user": 1', "expected JSON objects"),
    ('[{"user": 1, "item": 2}, 3]', "expected JSON objects"),
    ('{"user": 1, "item": 2}\n{"user": "a", "item": 2}\n', "expected JSON objects, .* each field with one type"),
    ('{"user": 1, "item": 2}\n{"user": 1}\n', r"row 2, column item \(item\): expected an id, got a missing one"),
])  # fmt: skip
def test_invalid_json_is_an_error(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(write(tmp_path / "x.json", text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize("name", ["x.feather", "x.arrow", "x"])
def test_feather_files(tmp_path, compression, name):
    feather.write_feather(pd.DataFrame(RECORDS), tmp_path / name, compression=compression)
    assert entries(read(tmp_path / name)) == RATING_ENTRIES


def test_a_damaged_feather_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"x\.feather: expected a Feather file, got damaged or other content"):
        read(write(tmp_path / "x.feather", "ARROW1 and no more"))


def test_parquet_is_detected_whatever_its_name(tmp_path):
    pd.DataFrame(RECORDS).to_parquet(tmp_path / "x.bin")
    assert entries(read(tmp_path / "x.bin")) == RATING_ENTRIES


def test_parquet_parts_can_have_integers_of_different_widths(tmp_path):
    for part, width in enumerate((pa.int32(), pa.int64(), pa.uint8())):
        table = pa.table({"user": pa.array([part, part], width), "item": [1, 2]})
        parquet.write_table(table, tmp_path / f"part-{part}.parquet")
    assert read(tmp_path).user_ids.tolist() == [0, 1, 2]


def test_sparse_matrices(tmp_path):
    matrix = sp.csr_array(np.array([[0, 2.5, 0], [0, 0, 0], [1, 0, 4]]))
    sp.save_npz(tmp_path / "x.npz", matrix)
    assert read(tmp_path / "x.npz") == Interactions.from_matrix(matrix)
    np.savez(tmp_path / "y.npz", a=np.ones(3))
    with pytest.raises(DataError, match=r"y\.npz: expected a sparse matrix of users × items, got other content"):
        read(tmp_path / "y.npz")


def test_atomic_files_of_recbole(tmp_path):
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    rows = "\n".join("\t".join(map(str, row)) for row in RATINGS)
    path = write(tmp_path / "x.inter", f"{header}\n{rows}\n")
    write(tmp_path / "x.item", "item_id:token\tname:token_seq\n30\tJam\n")
    assert entries(read(path)) == entries(read(tmp_path)) == RATING_ENTRIES
    assert read(path, value="rating") == read(path)


def test_files_of_ncf_and_lightgcn(tmp_path):
    rows = "\n".join("\t".join(map(str, row)) for row in RATINGS)
    assert entries(read(write(tmp_path / "ml-1m.train.rating", rows))) == RATING_ENTRIES
    write(tmp_path / "lightgcn" / "train.txt", "0 10 11\n1 12\n")
    write(tmp_path / "lightgcn" / "test.txt", "0 13\n1 10\n")
    assert [row[:2] for row in entries(read(tmp_path / "lightgcn"))] == [(0, 10), (0, 11), (0, 13), (1, 12), (1, 10)]
