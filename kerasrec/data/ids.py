"""Ids of users and items: vocabularies of distinct ids, and positions of ids in a vocabulary.

A vocabulary is an ascending array of distinct ids, int64 or str. The ids -1 and "" are reserved for padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasrec.types import Array, IntArray

UNPRINTABLE = r"[\x00\n\r]"
"""Characters that no id contains: line breaks separate ids in exports, and numpy drops NUL at the end of a string."""

MAX_PADDED_BYTES = 1 << 28
MAX_PADDING = 8
"""Distinct ids may take more than `MAX_PADDED_BYTES`, but not if that is more than `MAX_PADDING` times their text."""


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

    Spaces around string ids are removed.

    Args:
        ids: `(n,)` integers, strings or UUIDs, as a list, an array of numpy or pyarrow, or a series.
        name: name of the argument, for the error message.

    Returns:
        The vocabulary `(n_distinct,)`, and the position `(n,)` int32 of each id.

    Raises:
        ValueError: An id is missing, is -1 or blank, contains a line break, or is not a string or a 64-bit
            integer; the types are mixed; or a few ids are so long that all ids together need gigabytes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = as_id_column(ids, name)
    if column.null_count:
        position = int(np.argmax(column.is_null().to_numpy()))
        raise ValueError(
            f"expected an id in `{name}` at position {position}, got a missing value ({column.null_count:,} in all). "
            "Fix: drop these interactions"
        )
    encoded = pc.dictionary_encode(column).unify_dictionaries().combine_chunks()
    codes, ids_of_codes = encoded.indices.to_numpy(), encoded.dictionary
    if pa.types.is_integer(column.type):
        distinct = ids_of_codes.to_numpy(zero_copy_only=False).astype(np.int64)
        padding = distinct == -1
    else:
        trimmed = pc.dictionary_encode(pc.utf8_trim_whitespace(ids_of_codes))
        if len(trimmed.dictionary) < len(ids_of_codes):  # some ids differ in spaces only
            codes = trimmed.indices.to_numpy()[codes]
        ids_of_codes = trimmed.dictionary
        _check_strings(ids_of_codes, name)
        distinct = ids_of_codes.to_numpy(zero_copy_only=False).astype(np.str_)
        padding = distinct == ""
    if padding.any():
        raise ValueError(
            f"expected ids other than -1 and '', which are reserved for padding, got {distinct[padding][0].item()!r} "
            f"in `{name}`. Fix: rename that id"
        )
    ascending = np.argsort(distinct, kind="stable")
    rank = np.empty(len(distinct), np.int32)
    rank[ascending] = np.arange(len(distinct), dtype=np.int32)
    return distinct[ascending], rank[codes]


def _check_strings(ids: Any, name: str) -> None:
    """Checks the distinct ids of a pyarrow array of strings.

    Raises:
        ValueError: An id contains a line break or a NUL character; or some ids are much longer than others.
    """
    import pyarrow.compute as pc

    unprintable = pc.match_substring_regex(ids, UNPRINTABLE)
    if pc.any(unprintable).as_py():
        raise ValueError(
            f"expected ids without line breaks and NUL characters in `{name}`, got "
            f"{ids.filter(unprintable)[0].as_py()[:40]!r}. Fix: correct the ids, or the quotes of the file"
        )
    lengths = pc.utf8_length(ids)
    longest = pc.max(lengths).as_py() or 0
    # numpy stores every id in the width of the longest.
    n_bytes = 4 * longest * len(ids)
    if n_bytes > max(MAX_PADDED_BYTES, MAX_PADDING * 4 * pc.sum(lengths).as_py()):
        long_id = ids[pc.index(lengths, longest).as_py()].as_py()
        raise ValueError(
            f"expected ids of similar lengths in `{name}`, got {long_id[:20]!r}… of {longest:,} characters, with "
            f"which {len(ids):,} ids need {n_bytes / 1e9:.1f} GB. Fix: shorten the ids or drop that interaction"
        )


def as_id_column(ids: Any, name: str) -> Any:
    """Converts ids to a `pyarrow.ChunkedArray` of int64 or strings, or of any type with nulls.

    Raises:
        ValueError: The types are mixed; or an id is not a string, a UUID or a 64-bit integer.
    """
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
    kind = column.type
    if isinstance(kind, pa.UuidType):
        return pa.chunked_array([pa.array([None if i is None else str(i) for i in column.to_pylist()], pa.string())])
    if pa.types.is_binary(kind):
        return column.cast(pa.string())
    if any(is_type(kind) for is_type in (pa.types.is_string_view, pa.types.is_binary_view, pa.types.is_large_binary)):
        return column.cast(pa.large_string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    if any(is_type(kind) for is_type in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)):
        try:  # pandas converts integers to floats if another entry of the column is missing
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"expected 64-bit integers in `{name}`, got another number ({error}). Fix: convert the ids to strings"
            ) from None
    if pa.types.is_null(kind):
        return column
    raise ValueError(f"expected integers or strings in `{name}`, got {kind}. Fix: convert the ids")
