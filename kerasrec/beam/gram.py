"""XᵀX of a packed folder, on Apache Beam: what closed-form models need of data that do not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kerasrec.beam.files import import_beam
from kerasrec.data.csr import row_blocks
from kerasrec.data.packed_folder import open_packed
from kerasrec.files import atomic_file, new_memmap
from kerasrec.types import FloatArray

MAX_ITEMS = 50_000
"""The matrix of more items needs over 10 GB."""

BLOCK_ITEMS = 1024
"""Rows of the matrix that one task computes. Each task reads the whole folder."""

BLOCK_ENTRIES = 1 << 23
"""Interactions of a block of users that a task multiplies at once."""


def write_gram_matrix(
    packed: str | Path, path: str | Path, *, beam_options: Sequence[str] = (), block_items: int = BLOCK_ITEMS
) -> FloatArray:
    """Writes XᵀX of the likes in a packed folder: how many users have both of two items, float32 `(n_items, n_items)`.

    Each task computes some rows of the matrix from the whole folder, so that no sums pass between workers and the
    result does not depend on their number. A task needs memory for `2 * block_items * n_items` float32 numbers. All
    workers must reach the folder and the file under the same paths.

    Args:
        packed: the packed folder. Its values do not matter.
        path: target file of `numpy.load`. It is complete, or it does not exist.
        beam_options: options of the pipeline.
        block_items: number of rows of a task.

    Returns:
        The matrix, read-only and mapped from the file.

    Raises:
        ImportError: Apache Beam is not installed.
        DataError: `packed` is not a packed folder.
        ValueError: The folder has more than 50,000 items.

    Example:
        A model from the matrix, on a machine that has room for two such matrices:

            gram = write_gram_matrix("packed", "gram.npy", beam_options=["--runner=DirectRunner"])
            model = EASE(len(gram), reg=500.0).fit_gram(gram, read("packed").item_ids)
    """
    beam = import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    n_items = open_packed(packed).n_items
    if n_items > MAX_ITEMS:
        raise ValueError(
            f"expected at most {MAX_ITEMS:,} items, got {n_items:,}, whose matrix needs "
            f"{4 * n_items**2 / 1e9:,.0f} GB. Fix: prepare the data with a larger `min_users`, or use ELSA"
        )
    blocks = [(start, min(start + block_items, n_items)) for start in range(0, n_items, block_items)]
    with atomic_file(path) as file:
        new_memmap(Path(file.name), np.float32, (n_items, n_items))  # of zeros; each task maps it and writes its rows
        with beam.Pipeline(options=PipelineOptions(list(beam_options))) as pipeline:
            _ = (
                pipeline
                | "blocks" >> beam.Create(blocks)
                | "spread blocks" >> beam.Reshuffle()
                | "products" >> beam.Map(_write_rows, str(Path(packed).resolve()), str(Path(file.name).resolve()))
            )
    matrix: FloatArray = np.load(path, mmap_mode="r")
    return matrix


def _write_rows(block: tuple[int, int], packed: str, path: str) -> None:
    target = np.load(path, mmap_mode="r+")
    target[slice(*block)] = gram_rows(packed, *block)
    target.flush()


def gram_rows(packed: str | Path, start: int, end: int) -> FloatArray:
    """Returns the rows `start` to `end` of XᵀX, float32 `(end - start, n_items)`."""
    table = open_packed(packed)
    rows = np.zeros((end - start, table.n_items), np.float32)
    for first, last in row_blocks(table.indptr, BLOCK_ENTRIES):
        part = slice(int(table.indptr[first]), int(table.indptr[last]))
        items = np.asarray(table.arrays.items[part])
        indptr = table.indptr[first : last + 1] - part.start
        users: Any = sp.csr_array((np.ones(len(items), np.float32), items, indptr), (last - first, table.n_items))
        rows += (users.tocsc()[:, start:end].T @ users).toarray()
    return rows
