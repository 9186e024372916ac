"""What is known of users and items besides their interactions, as features in the order of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers import find
from kerasrec.types import Array, FloatArray


def multi_hot(ids: Array, tokens: Mapping[Any, Sequence[str]]) -> tuple[FloatArray, list[str]]:
    """One feature a token: 1 for the rows that have it.

    Args:
        ids: the rows, as `table.item_ids` or `table.user_ids`.
        tokens: id → its tokens (genres, say); ids that are absent get zeros.

    Returns:
        float32 `(len(ids), n_tokens)`, and the tokens, ascending.

    Example:
        >>> import numpy as np
        >>> from kerasrec.data import multi_hot
        >>> multi_hot(np.array([7, 9, 11]), {7: ["Comedy"], 9: ["Comedy", "Drama"]})
        (array([[1., 0.],
               [1., 1.],
               [0., 0.]], dtype=float32), ['Comedy', 'Drama'])
    """
    names = sorted({token for i in ids.tolist() for token in tokens.get(i, ())})
    column = {name: place for place, name in enumerate(names)}
    features = np.zeros((len(ids), len(names)), np.float32)
    for row, i in enumerate(ids.tolist()):
        features[row, [column[token] for token in tokens.get(i, ())]] = 1.0
    return features, names


def side_information(data: str | Path, table: Interactions, of: str = "items") -> tuple[FloatArray, list[str]]:
    """What MovieLens 1M says of its items (genres) or users (gender, age group, occupation).

    Args:
        data: the folder, or its name in the folder `$KERASREC_DATA`, as for `kerasrec.read`.
        table: whose rows or columns the features are for.
        of: `"items"` or `"users"`.

    Returns:
        float32 `(n_items, features)` or `(n_users, features)`, and the features' names.

    Raises:
        DataError: the folder has no such file, or a line of it is bad.
    """
    if of not in ("items", "users"):
        raise ValueError(f'`of` must be "items" or "users", not {of!r}')
    path = find(data)
    file = None if path is None else path / ("movies.dat" if of == "items" else "users.dat")
    if file is None or not file.is_file():
        raise DataError(f"{data} has no {file.name if file else 'files'}: side information is read from MovieLens 1M")
    tokens: dict[Any, list[str]] = {}
    for number, line in enumerate(file.read_text("latin-1").splitlines(), 1):
        fields = line.split("::")
        if len(fields) != (3 if of == "items" else 5) or not fields[0].isdecimal():
            raise DataError(f"{file}, line {number}: {line[:60]!r} is not a line of MovieLens 1M: fetch it again")
        named = zip(("gender", "age", "occupation"), fields[1:4], strict=False)
        tokens[int(fields[0])] = fields[2].split("|") if of == "items" else [f"{n} {value}" for n, value in named]
    return multi_hot(table.item_ids if of == "items" else table.user_ids, tokens)
