"""Side information: features of users and items besides their interactions, in the order of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.source import find_path
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


def side_information(data: str | Path, table: Interactions, of: str = "items") -> tuple[FloatArray, list[str]]:
    """Reads the features of MovieLens 1M: genres of items; gender, age group and occupation of users.

    Args:
        data: the folder, or its name in the folder `$KERASREC_DATA`, as for `kerasrec.read`.
        table: the table whose columns or rows the features describe.
        of: `"items"` or `"users"`.

    Returns:
        float32 `(n_items, n_features)` or `(n_users, n_features)`, and the names of the features.

    Raises:
        ValueError: `of` is neither `"items"` nor `"users"`.
        DataError: The folder has no such file, or a line is invalid.
    """
    if of not in _FILES:
        raise ValueError(f"expected `of` to be 'items' or 'users', got {of!r}. Fix: pass one of them")
    folder = find_path(data)
    file = None if folder is None else folder / _FILES[of]
    if file is None or not file.is_file():
        raise DataError(f"{data}: expected a folder with {_FILES[of]}, got none. Fix: pass the folder of MovieLens 1M")
    tokens: dict[Any, list[str]] = {}
    for number, line in enumerate(file.read_text("latin-1").splitlines(), 1):
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
    return multi_hot(table.item_ids if of == "items" else table.user_ids, tokens)
