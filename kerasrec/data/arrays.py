"""Checked and read-only numpy arrays."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np

from kerasrec.types import Array, BoolArray, IntArray


def read_only(array: Any, dtype: Any = None) -> Array:
    """Returns a read-only view of `array`, converted to `dtype`."""
    view = np.asarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def check_parallel(name: str, reference: Sized, **arrays: Sized | None) -> None:
    """Checks that the arrays which are not `None` have as many entries as the argument called `name`.

    Raises:
        ValueError: An array has another length.
    """
    for argument, array in arrays.items():
        if array is not None and len(array) != len(reference):
            raise ValueError(
                f"expected `{argument}` with {len(reference):,} entries, one for each of `{name}`, "
                f"got {len(array):,}. Fix: make them parallel"
            )


def as_arrow(column: Any) -> Any:
    """Converts a column to an array of pyarrow, in which NaN is missing. Times with a zone become times in UTC."""
    import pyarrow as pa

    if getattr(getattr(column, "dtype", None), "tz", None) is not None:
        # pyarrow reads `values`, which pandas 3.1 deprecates for times with a zone.
        column = getattr(column, "dt", column).tz_convert(None)
    return pa.array(column, from_pandas=True)


def as_finite(numbers: Any, name: str, dtype: Any) -> Array:
    """Converts numbers, or numpy dates as seconds since 1970, to `dtype` without overflow.

    Args:
        numbers: `(n,)` numbers or dates.
        name: name of the argument, for the error message.
        dtype: a float or integer type of numpy.

    Returns:
        `(n,)` of type `dtype`.

    Raises:
        ValueError: An entry is not a number, is not finite, or is outside the range of `dtype`.
    """
    array = np.asarray(numbers)
    if array.dtype.kind == "M":
        array = np.where(np.isnat(array), np.nan, array.astype("datetime64[s]").astype(np.float64))
    if array.dtype.kind not in "iufb":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):  # OverflowError: an integer beyond the range of float64
            raise ValueError(
                f"expected numbers of at most 64 bits in `{name}`, got {array.dtype}. Fix: convert the numbers"
            ) from None
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is reported below
        converted = array.astype(dtype)
    bad = ~np.isfinite(array) | ~np.isfinite(converted)
    if converted.dtype.kind == "i":  # integers wrap around instead of becoming infinite
        if array.dtype.kind == "f":
            bad |= np.abs(array.astype(np.float64)) >= 2.0**63
        else:
            bad |= (converted < 0) & (array > 0)
    if bad.any():
        position = int(np.argmax(bad))
        raise ValueError(
            f"expected finite numbers within the range of {converted.dtype} in `{name}`, got {array[position]} at "
            f"position {position}. Fix: correct that interaction or drop it"
        )
    return converted


def as_ascending(ids: Any) -> Array:
    """Converts the ids of a catalogue to an array.

    Raises:
        ValueError: The ids are not ascending, or an id is repeated.
    """
    array = np.asarray(ids)
    if array.ndim != 1 or (array[1:] <= array[:-1]).any():
        raise ValueError(
            "expected ascending, distinct `item_ids`, got another order or repeated ids. "
            "Fix: pass numpy.unique(item_ids)"
        )
    return array


def as_rows(rows: Any, n_rows: int) -> IntArray:
    """Converts row numbers to int64.

    Raises:
        ValueError: The numbers are not integers, or a row does not exist.
    """
    array = np.asarray(rows)
    if len(array) and (array.dtype.kind not in "iu" or array.ndim != 1):
        raise ValueError(
            f"expected row numbers, got {array.dtype} of shape {array.shape}. Fix: `numpy.flatnonzero(mask)` for a mask"
        )
    if len(array) and not 0 <= array.min() <= array.max() < n_rows:
        raise ValueError(f"expected row numbers of 0 to {n_rows - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


def as_mask(mask: Any, n: int) -> BoolArray:
    """Checks a mask of interactions.

    Raises:
        ValueError: It is not one boolean for each interaction.
    """
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != (n,):
        raise ValueError(f"expected `mask` of type bool and shape ({n},), got {array.dtype} of shape {array.shape}")
    return array
