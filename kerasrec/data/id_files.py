"""Files of ids: a CSV file of users, or of items and their titles, beside a stored model."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from kerasrec.data.catalogue import ids_digest
from kerasrec.data.ids import has_strings
from kerasrec.data.interactions import Interactions
from kerasrec.types import Array


def read_ids(path: Path, digest: str | None = None, like: Array | None = None) -> Array:
    """Reads the first column of a CSV file with a header as ids.

    A file does not show whether its ids were numbers or text ("007"). The digest decides, if it fits.

    Args:
        path: the file.
        digest: a digest of the ids (`ids_digest`).
        like: ids of the same kind, for ids without a digest. Default: numbers, if all ids are.
    """
    texts = np.array([row[0] for row in _rows(path)])
    try:
        numbers = texts.astype(np.int64)
    except ValueError:
        return texts
    if digest in (ids_digest(texts), ids_digest(numbers)):
        return texts if digest == ids_digest(texts) else numbers
    return texts if like is not None and has_strings(like) else numbers


def read_titles(path: Path) -> Array:
    """Reads the second column of a CSV file with a header."""
    return np.array([row[1] for row in _rows(path)])


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def table_of_ids(user_ids: Array, item_ids: Array, item_titles: Array | None = None) -> Interactions:
    """A table without interactions, which identifies users and items."""
    values = np.zeros(0, np.float32)
    indptr = np.zeros(len(user_ids) + 1, np.int64)
    return Interactions(indptr, values.astype(np.int32), values, None, user_ids, item_ids, item_titles)
