"""Files of recommendations, written from a stream of tables."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kerasrec.files import atomic_file, atomic_folder
from kerasrec.inference.recommendations import decoded

ROWS_AT_ONCE = 1 << 20
"""Rows that are written at once, and rows of a row group of Parquet."""

GROUPS_PER_FILE = 8
"""Row groups in each file of a folder."""

SUFFIXES = (".parquet", ".csv", ".jsonl", "")


def check_format(path: str | os.PathLike[str]) -> None:
    """Checks the suffix of a file of recommendations.

    Raises:
        ValueError: the suffix is unknown.
        FileExistsError: `path` has no suffix and exists, so it cannot become a new folder.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"expected a file that ends in .parquet, .csv or .jsonl, or a new folder, got {path}")
    if not path.suffix and path.exists():
        raise FileExistsError(f"expected a new folder, got {path}, which exists. Fix: choose another name")


def write_recommendations(tables: Iterable[pa.Table], path: str | os.PathLike[str]) -> int:
    """Writes a stream of recommendations. The file or folder is complete or does not exist.

    Args:
        tables: what `recommend_batches` yields.
        path: a file that ends in `.parquet`, `.csv` or `.jsonl`, which is replaced if it exists; or, without a suffix,
            a new folder of Parquet files. The columns are those of `tables`.

    Returns:
        The number of rows.

    Raises:
        ValueError: the suffix is unknown.
        FileExistsError: the folder exists.

    Example:
        >>> import pyarrow.parquet
        >>> from kerasrec import EASE, generate
        >>> from kerasrec.inference import recommend_batches, write_recommendations
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = EASE(table.n_items, reg=10.0)
        >>> _ = model.fit(table, verbose=0)
        >>> file = getfixture("tmp_path") / "lists.parquet"
        >>> write_recommendations(recommend_batches(model, table, k=5), file)
        500
        >>> pyarrow.parquet.read_table(file).column_names
        ['user_id', 'rank', 'item_id', 'score']
    """
    check_format(path)
    path = Path(path)
    groups = _grouped(tables)
    if path.suffix:
        with atomic_file(path) as file:
            return _write_groups(groups, file, path.suffix)
    n_rows, number = 0, 0
    with atomic_folder(path) as folder:
        for first in groups:
            with (folder / f"part-{number:05d}.parquet").open("wb") as file:
                n_rows += _write_groups(_chain(first, islice(groups, GROUPS_PER_FILE - 1)), file, ".parquet")
            number += 1
    return n_rows


def _chain(first: pa.Table, others: Iterable[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from others


def _grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about `ROWS_AT_ONCE` rows, with plain ids; at least one table."""
    waiting: list[pa.Table] = []
    n_waiting, is_first = 0, True
    for table in tables:
        waiting.append(decoded(table))
        n_waiting += len(table)
        if n_waiting >= ROWS_AT_ONCE:
            yield pa.concat_tables(waiting)
            waiting, n_waiting, is_first = [], 0, False
    if is_first and not waiting:
        raise ValueError("`tables`: expected at least one table, from which the columns follow, got none")
    if waiting and (n_waiting or is_first):
        yield pa.concat_tables(waiting)


def _write_groups(groups: Iterable[pa.Table], file: IO[bytes], suffix: str) -> int:
    iterator = iter(groups)
    first = next(iterator)
    n_rows = 0
    with _writer(file, suffix, first.schema) as write:
        for group in _chain(first, iterator):
            write(group)
            n_rows += len(group)
    return n_rows


@contextmanager
def _writer(file: IO[bytes], suffix: str, schema: pa.Schema) -> Iterator[Any]:
    """A function that appends a table to the file."""
    if suffix == ".jsonl":
        yield lambda table: _write_json_lines(table, file)
        return
    if suffix == ".csv":
        from pyarrow.csv import CSVWriter

        with CSVWriter(file, schema) as writer:
            yield writer.write_table
        return
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(file, schema) as writer:
        yield lambda table: writer.write_table(table, ROWS_AT_ONCE)


def _write_json_lines(table: pa.Table, file: IO[bytes]) -> None:
    """Writes one JSON object per row, by Arrow's functions of strings: a loop in Python takes as long as the scores."""
    parts: list[Any] = []
    for name, column in zip(table.column_names, table.itercolumns(), strict=True):
        parts += [f'{", " if parts else "{"}"{name}": ', _as_json(column)]
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    for chunk in lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]:
        _, offsets, characters = chunk.buffers()
        ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        if len(chunk):
            file.write(memoryview(characters)[ends[0] : ends[-1]])


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return pc.cast(column, pa.string())
    encoded = column.combine_chunks().dictionary_encode()
    values = pa.array([json.dumps(value, ensure_ascii=False) for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([values.take(encoded.indices)])
