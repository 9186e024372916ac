"""Side information: features of users and items besides their interactions, in the order of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from kerasrec.data.errors import DataError
from kerasrec.data.features import ids_of_features, table_features
from kerasrec.data.ids import has_strings
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.source import SourceFile, find_path
from kerasrec.types import Array, FloatArray

_FILES = {"items": "movies.dat", "users": "users.dat"}
_N_FIELDS = {"items": 3, "users": 5}
"""Fields of a line: `id::title::genres`, or `id::gender::age::occupation::zip code`."""


def multi_hot(ids: Array, tokens: Mapping[Any, Sequence[str]]) -> tuple[FloatArray, list[str]]:
    """Returns one feature for each token: 1 for the ids that have it, otherwise 0.

    Args:
        ids: `(n,)` ids of the rows: `table.item_ids` or `table.user_ids`.
        tokens: id → its tokens, for example genres. Other ids have no tokens.

    Returns:
        float32 `(n, n_tokens)`, and the tokens in ascending order.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data import multi_hot
        >>> multi_hot(np.array([7, 9, 11]), {7: ["Comedy"], 9: ["Comedy", "Drama"]})
        (array([[1., 0.],
               [1., 1.],
               [0., 0.]], dtype=float32), ['Comedy', 'Drama'])
    """
    names = sorted({token for i in ids.tolist() for token in tokens.get(i, ())})
    columns = {name: column for column, name in enumerate(names)}
    features = np.zeros((len(ids), len(names)), np.float32)
    for row, i in enumerate(ids.tolist()):
        features[row, [columns[token] for token in tokens.get(i, ())]] = 1.0
    return features, names


def catalogue_with_features(data: str | Path, table: Interactions) -> Array:
    r"""The item ids of a table and those that only its features have: new items, without any interaction.

    Args:
        data: the features of items, as for `side_information`.
        table: the table.

    Returns:
        Ids of the type of `table.item_ids`, ascending: an argument of `Interactions.with_catalogue`.

    Raises:
        DataError: The file does not exist, or an id has another type than those of the table.

    Example:
        >>> import pathlib, tempfile
        >>> from kerasrec import Interactions
        >>> from kerasrec.data.side import catalogue_with_features
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "items.csv"
        >>> _ = path.write_text("item,genres\n7,Drama|War\n8,Comedy\n")
        >>> catalogue_with_features(path, Interactions.from_arrays([1, 1, 2], [7, 9, 9])).tolist()
        [7, 8, 9]
    """
    path = find_path(data)
    if path is not None and path.is_file():
        ids = ids_of_features(SourceFile(path), "items", table.column_names.get("item", ""))
    else:
        ids = [str(i) for i in _tokens(data, "items")]
    if not has_strings(table.item_ids):
        try:
            return np.union1d(table.item_ids, np.array([int(i) for i in ids], np.int64))
        except ValueError:
            raise DataError(
                f"{data}: expected integers as ids of items, as in the interactions, got other ids. "
                "Fix: check that both files have the same ids"
            ) from None
    return np.union1d(table.item_ids, np.array(ids))


def side_information(
    data: str | Path, table: Interactions, of: str = "items", columns: Sequence[str] | None = None
) -> tuple[FloatArray, list[str]]:
    r"""Reads features of items or users: of a table in any format, or of MovieLens 1M.

    A table has one row for each item or user. Its column of ids has the name of the column in the interactions, another
    usual name, or "id". Each token of the other columns of text, between "|", is a feature: 1 or 0. Each column of
    numbers is a feature, scaled to mean 0 and variance 1. MovieLens 1M has genres of items; gender, age group and
    occupation of users.

    Args:
        data: the file of the table, or the folder of MovieLens 1M; or a name in the folder `$KERASREC_DATA`.
        table: the table whose columns or rows the features describe.
        of: `"items"` or `"users"`.
        columns: columns of the table to read. If omitted, all, except for text with more than 500 distinct tokens.

    Returns:
        float32 `(n_items, n_features)` or `(n_users, n_features)`, and the names of the features.

    Raises:
        ValueError: `of` is neither `"items"` nor `"users"`.
        DataError: The file or a column does not exist, or a line is invalid.

    Example:
        >>> import pathlib, tempfile
        >>> from kerasrec import Interactions
        >>> from kerasrec.data import side_information
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "items.csv"
        >>> _ = path.write_text("item,genres\n7,Drama|War\n9,Drama\n")
        >>> side_information(path, Interactions.from_arrays([1, 1, 2], [7, 9, 9]))
        (array([[1., 1.],
               [1., 0.]], dtype=float32), ['genres Drama', 'genres War'])
    """
    if of not in _FILES:
        raise ValueError(f"expected `of` to be 'items' or 'users', got {of!r}. Fix: pass one of them")
    path = find_path(data)
    ids = table.item_ids if of == "items" else table.user_ids
    if path is not None and path.is_file():
        id_name = table.column_names.get(of.removesuffix("s"), "")
        return table_features(SourceFile(path), ids, of, id_name, columns)
    return multi_hot(ids, _tokens(data, of))


def _tokens(data: str | Path, of: str) -> dict[Any, list[str]]:
    """The features in the folder of MovieLens 1M: id → its tokens."""
    folder = find_path(data)
    file = None if folder is None else folder / _FILES[of]
    if file is None or not file.is_file():
        raise DataError(
            f"{data}: expected a folder with {_FILES[of]}, got none. Fix: pass the folder of MovieLens 1M, or a file"
        )
    tokens: dict[Any, list[str]] = {}
    for number, line in enumerate(file.read_text("latin-1").rstrip("\n").split("\n"), 1):
        fields = line.split("::")
        if len(fields) != _N_FIELDS[of] or not fields[0].isdecimal():
            raise DataError(
                f"{file}, line {number}: expected an integer id and {_N_FIELDS[of] - 1} other fields between '::', got "
                f"{line[:60]!r}. Fix: correct the line or download the file again"
            )
        user_features = zip(("gender", "age", "occupation"), fields[1:4], strict=False)
        tokens[int(fields[0])] = (
            fields[2].split("|") if of == "items" else [f"{name} {value}" for name, value in user_features]
        )
    return tokens


def checked_side(side: Any, n_rows: int, of: str) -> FloatArray:
    """Returns features as float32.

    Args:
        side: the features, an array or a sparse matrix of scipy.
        n_rows: number of items or users.
        of: `"items"` or `"users"`.

    Raises:
        ValueError: `side` is not a matrix of finite numbers with `n_rows` rows and at least one column.
    """
    fix = "Fix: `side_information(file, train)`"
    try:
        array: FloatArray = np.asarray(side.toarray() if sp.issparse(side) else side, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`side`: expected a matrix of numbers ({error}). {fix}") from None
    if array.ndim != 2 or len(array) != n_rows or not array.shape[1]:
        raise ValueError(
            f"`side`: expected a matrix with {n_rows:,} rows, one per {of.removesuffix('s')} of the table, got "
            f"{array.shape}. {fix}"
        )
    if not np.isfinite(array).all():
        raise ValueError("`side`: expected finite numbers, got NaN or infinite ones. Fix: replace them by 0")
    return array
