"""Ids of users and items: vocabularies of distinct ids, and positions of ids in a vocabulary.

A vocabulary is an ascending array of distinct ids, int64 or str. The ids -1 and "" are reserved for padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasrec.types import Array, IntArray


def lookup(vocabulary: Array, ids: Array) -> IntArray:
    """Returns the position of each id in the vocabulary, -1 for an unknown id.

    Args:
        vocabulary: `(n,)` distinct ids, ascending.
        ids: `(m,)` ids, integers or strings. If `vocabulary` has the other type, all ids are unknown.

    Returns:
        `(m,)` int64.
    """
    vocabulary, ids = np.asarray(vocabulary), np.asarray(ids)
    if len(vocabulary) == 0 or has_strings(vocabulary) != has_strings(ids):
        return np.full(len(ids), -1, np.int64)
    positions = np.minimum(np.searchsorted(vocabulary, ids), len(vocabulary) - 1)
    return np.where(vocabulary[positions] == ids, positions, -1)


def has_strings(ids: Array) -> bool:
    """Returns whether the ids are strings; otherwise they are integers."""
    return ids.dtype.kind in "US"


def factorize(ids: Any, name: str) -> tuple[Array, IntArray]:
    """Separates ids into a vocabulary and positions in it, by hashing, which is faster than sorting.

    Args:
        ids: `(n,)` integers or strings, as a list, an array of numpy or pyarrow, or a pandas series.
        name: name of the argument, for the error message.

    Returns:
        The vocabulary `(n_distinct,)`, and the position `(n,)` int32 of each id.

    Raises:
        ValueError: An id is missing, is -1 or blank, or is not a string or a 64-bit integer; or the types are mixed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _as_id_column(ids, name)
    if column.null_count:
        position = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(
            f"expected an id in `{name}` at position {position}, got a missing value ({column.null_count:,} in all). "
            "Fix: drop these interactions"
        )
    encoded = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    integers = pa.types.is_integer(column.type)
    distinct = encoded.dictionary.to_numpy(zero_copy_only=False).astype(np.int64 if integers else np.str_)
    padding = distinct == -1 if integers else np.char.strip(distinct) == ""
    if padding.any():
        raise ValueError(
            f"expected ids other than -1 and '', which are reserved for padding, got {distinct[padding][0].item()!r} "
            f"in `{name}`. Fix: rename that id"
        )
    ascending = np.argsort(distinct, kind="stable")
    rank = np.empty(len(distinct), np.int32)
    rank[ascending] = np.arange(len(distinct), dtype=np.int32)
    return distinct[ascending], rank[encoded.indices.to_numpy()]


def _as_id_column(ids: Any, name: str) -> Any:
    """Converts ids to a `pyarrow.ChunkedArray` of int64 or strings, or of any type with nulls."""
    import pyarrow as pa

    column = ids
    if not isinstance(ids, (pa.Array, pa.ChunkedArray)):
        # numpy would convert NaN in a list of strings to the string "nan".
        array = ids if isinstance(ids, (list, tuple)) else np.asarray(ids)
        try:
            column = pa.array(array if len(array) else np.array([], np.int64), from_pandas=True)
        except pa.ArrowException:
            raise ValueError(
                f"expected ids of one type in `{name}`, got a mixture of types. Fix: convert all ids to strings"
            ) from None
        except OverflowError:
            largest = max((int(i) for i in array if isinstance(i, (int, np.integer))), key=abs)
            raise ValueError(
                f"expected 64-bit integers in `{name}`, got {largest}. Fix: convert the ids to strings"
            ) from None
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or column.null_count:
        return column
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        try:  # pandas converts integers to floats if another entry of the column is missing
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"expected 64-bit integers in `{name}`, got another number ({error}). Fix: convert the ids to strings"
            ) from None
    raise ValueError(f"expected integers or strings in `{name}`, got {column.type}. Fix: convert the ids")
