"""Ids of users and items: vocabularies of distinct ids, and positions of ids in a vocabulary.

A vocabulary is an ascending array of distinct ids, int64 or str. The ids -1 and "" are reserved for padding.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np

from kerasrec.data.text import as_integers, is_text
from kerasrec.types import Array, IntArray

BLOCK = 1 << 18
"""Number of rows that are processed at once, where temporary arrays would need much memory."""

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


def factorize(ids: Any, name: str, from_text: bool = False) -> tuple[Array, IntArray]:
    """Separates ids into a vocabulary and positions in it, by hashing, which is faster than sorting.

    Spaces around string ids are removed.

    Args:
        ids: `(n,)` integers, strings or UUIDs, as a list, an array of numpy or pyarrow, or a series.
        name: name of the argument, for the error message.
        from_text: whether string ids are converted to integers if that loses nothing; see `as_integers`.

    Returns:
        The vocabulary `(n_distinct,)`, and the position `(n,)` int32 of each id.

    Raises:
        ValueError: An id is missing, is -1 or blank, contains a line break, or is not a string or a 64-bit
            integer; the types are mixed; or a few ids are so long that all ids together need gigabytes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, distinct = _encoded(as_id_column(ids, name))
    if is_text(distinct.type):
        trimmed = pc.dictionary_encode(pc.utf8_trim_whitespace(distinct))
        if len(trimmed.dictionary) < len(distinct):  # some ids differ in spaces only
            codes = trimmed.indices.to_numpy(zero_copy_only=False)[codes]
        distinct = as_integers(trimmed.dictionary) if from_text else trimmed.dictionary
    is_missing = np.append(distinct.is_null().to_numpy(zero_copy_only=False), True)[codes]  # -1 is the last one
    if is_missing.any():
        raise ValueError(
            f"expected an id in `{name}` at position {int(np.argmax(is_missing))}, got a missing value "
            f"({int(is_missing.sum()):,} in all). Fix: drop these interactions"
        )
    del is_missing
    if pa.types.is_integer(distinct.type):
        vocabulary = distinct.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
        padding = vocabulary == -1
    else:
        _check_strings(distinct, name)
        vocabulary = distinct.to_numpy(zero_copy_only=False).astype(np.str_)
        padding = vocabulary == ""
    if padding.any():
        raise ValueError(
            f"expected ids other than -1 and '', which are reserved for padding, got {vocabulary[padding][0].item()!r} "
            f"in `{name}`. Fix: rename that id"
        )
    ascending = np.argsort(vocabulary, kind="stable")
    rank = np.empty(len(vocabulary), np.int32)
    rank[ascending] = np.arange(len(vocabulary), dtype=np.int32)
    for start in range(0, len(codes), BLOCK):  # a copy of all codes would double the memory
        codes[start : start + BLOCK] = rank[codes[start : start + BLOCK]]
    return vocabulary[ascending], codes


def _encoded(column: Any) -> tuple[IntArray, Any]:
    """Returns the position `(n,)` int32 of each id among the distinct ids, -1 for a missing one, and these ids.

    Args:
        column: chunked array of pyarrow, dictionary-encoded or not.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    is_encoded = pa.types.is_dictionary(column.type)
    encoded = column if is_encoded else pc.dictionary_encode(column)
    encoded = encoded.unify_dictionaries()
    codes = np.empty(len(encoded), np.int32)
    start = 0
    for chunk in encoded.iterchunks():
        indices = chunk.indices.fill_null(-1) if chunk.null_count else chunk.indices
        codes[start : start + len(chunk)] = indices.to_numpy(zero_copy_only=False)
        start += len(chunk)
    distinct = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], encoded.type.value_type)
    if is_encoded:  # rows may have been removed, and categories of pandas may be unused
        is_used = np.zeros(len(distinct) + 1, bool)
        is_used[codes] = True
        new_codes = np.append(np.cumsum(is_used[:-1], dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
        codes, distinct = new_codes[codes], distinct.filter(pa.array(is_used[:-1]))
    return codes, distinct


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


def uuids_as_text(values: Any) -> Any:
    """Converts a column that begins with a UUID, because pyarrow reads UUIDs only since version 24."""
    if not isinstance(next(iter(values), None), UUID):
        return values
    return [str(value) if isinstance(value, UUID) else value for value in values]


def as_id_column(ids: Any, name: str) -> Any:
    """Converts ids to a `pyarrow.ChunkedArray` of int64 or strings, dictionary-encoded or not.

    Raises:
        ValueError: The types are mixed; or an id is not a string, a UUID or a 64-bit integer.
    """
    import pyarrow as pa

    column = ids
    if not isinstance(ids, (pa.Array, pa.ChunkedArray)):
        # numpy would convert NaN in a list of strings to the string "nan".
        array = ids if isinstance(ids, (list, tuple)) else np.asarray(ids)
        array = uuids_as_text(array)
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
        values = column.type.value_type
        if is_text(values) or pa.types.is_int64(values):
            return column.cast(pa.dictionary(pa.int32(), values))
        column = column.cast(column.type.value_type)
    kind = column.type
    if isinstance(kind, pa.UuidType):
        return pa.chunked_array([pa.array([None if i is None else str(i) for i in column.to_pylist()], pa.string())])
    if pa.types.is_binary(kind):
        return column.cast(pa.string())
    if any(is_type(kind) for is_type in (pa.types.is_string_view, pa.types.is_binary_view, pa.types.is_large_binary)):
        return column.cast(pa.large_string())
    if is_text(kind):
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
