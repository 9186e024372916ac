"""Features of items or users from a table in any format."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.readers.tables import NamedTable, open_table
from kerasrec.data.synonyms import USUAL_NAMES
from kerasrec.data.text import NUMBER
from kerasrec.types import Array, FloatArray

LOG = logging.getLogger(__name__)

TOKEN_SEPARATOR = "|"

MAX_TOKENS = 500
"""A column of text with more distinct tokens, such as titles, is not a feature."""


def table_features(
    file: SourceFile, ids: Array, of: str, id_name: str = "", columns: Sequence[str] | None = None
) -> tuple[FloatArray, list[str]]:
    """Reads features: one for each token of the columns of text, and one for each column of numbers.

    A field of text can contain several tokens between "|". Numbers are scaled to mean 0 and variance 1. Missing
    numbers, and the numbers of ids without a row, are 0.

    Args:
        file: the table, with one row for each id.
        ids: `(n,)` ids of the rows of the result.
        of: `"items"` or `"users"`.
        id_name: name of the column of ids in the interactions. The table may also have another usual name, or "id".
        columns: names of the columns to read. If omitted, all, except for text with more than 500 distinct tokens.

    Returns:
        float32 `(n, n_features)`, and the names of the features.

    Raises:
        DataError: A column does not exist, or no id has features.
    """
    table = open_table(file)
    key = _id_position(table, of, id_name)
    positions = [position for position in range(len(table.header)) if position != key]
    if columns is not None:
        positions = [_position(table, name) for name in columns]
    id_column, *fields = (column.to_pylist() for column in table.columns([key, *positions]))
    rows = {str(i).strip(): row for row, i in enumerate(id_column)}
    chosen = np.array([rows.get(str(i), -1) for i in ids.tolist()])
    if not (chosen >= 0).any():
        raise DataError(
            f"{file}: expected rows of the {of} of the interactions, for example {ids[0]}, got other ids. "
            "Fix: check that both files have the same ids"
        )
    blocks, names, skipped = [], [], []
    for position, column in zip(positions, fields, strict=True):
        name = table.header[position]
        texts = ["" if row < 0 or column[row] is None else column[row] for row in chosen]
        features = _features(name, texts, MAX_TOKENS if columns is None else math.inf)
        if features is None:
            skipped.append(name)
            continue
        blocks.append(features[0])
        names += features[1]
    if not names:
        raise DataError(f"{file}: expected columns of features, got none. Fix: pass the names of the columns")
    LOG.info(
        "%s: %s features of %s of %s %s%s", file, len(names), int((chosen >= 0).sum()), len(ids), of,
        f"; too many distinct values: {', '.join(skipped)}" if skipped else "",
    )  # fmt: skip
    return np.concatenate(blocks, axis=1), names


def ids_of_features(file: SourceFile, of: str, id_name: str = "") -> list[str]:
    """The ids in a table of features, as text; the arguments are those of `table_features`.

    Raises:
        DataError: The table has no column of ids.
    """
    table = open_table(file)
    (ids,) = table.columns([_id_position(table, of, id_name)])
    return [text for i in ids.to_pylist() if i is not None and (text := str(i).strip())]


def _id_position(table: NamedTable, of: str, id_name: str) -> int:
    key = table.position([id_name], [*USUAL_NAMES[of.removesuffix("s")].split(), "id"])
    if key is None:
        raise DataError(
            f"{table.file}: expected a column of ids of {of}, got the columns {', '.join(table.header)}. Fix: rename "
            f"the column of ids to '{of.removesuffix('s')}_id'"
        )
    return key


def _position(table: NamedTable, name: str) -> int:
    position = table.position([name])
    if position is None:
        raise DataError(
            f"{table.file}: expected a column {name!r}, got the columns {', '.join(table.header)}. "
            "Fix: pass the names of existing columns"
        )
    return position


def _features(name: str, fields: Sequence[Any], max_tokens: float) -> tuple[FloatArray, list[str]] | None:
    """Returns the features of one column, or None if it has more than `max_tokens` distinct tokens."""
    texts = [str(field).strip() for field in fields]
    if all(not text or NUMBER.fullmatch(text) for text in texts) and len(set(texts)) > 2:
        numbers = np.array([float(text) if text else np.nan for text in texts])
        deviation = np.nanstd(numbers) or 1.0
        return np.nan_to_num((numbers - np.nanmean(numbers)) / deviation).astype(np.float32)[:, None], [name]
    tokens = [[token.strip() for token in text.split(TOKEN_SEPARATOR) if token.strip()] for text in texts]
    names = sorted({token for row in tokens for token in row})
    if len(names) > max_tokens:
        return None
    columns = {token: column for column, token in enumerate(names)}
    features = np.zeros((len(texts), len(names)), np.float32)
    for row, row_tokens in enumerate(tokens):
        features[row, [columns[token] for token in row_tokens]] = 1.0
    return features, [f"{name} {token}" for token in names]
