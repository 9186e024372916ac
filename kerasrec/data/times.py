"""Times of interactions: numbers since 1970, dates, and dates as text, converted to seconds since 1970."""

from __future__ import annotations

import contextlib
import logging
import math
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np

from kerasrec.data.arrays import as_arrow, as_finite
from kerasrec.data.errors import DataError
from kerasrec.data.ids import BLOCK
from kerasrec.data.text import NUMBER, is_text
from kerasrec.types import Array, IntArray

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of times that are numbers, and how many of them make a second."""

YEARS = (1900, 2100)
EARLIEST, LATEST = (int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()) for year in YEARS)
"""Times outside this range are errors: usually the unit is wrong."""

USUAL_YEARS = (1990, 2050)
"""Times outside this range are logged as a warning."""

USUAL_EARLIEST, USUAL_LATEST = (int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()) for year in USUAL_YEARS)

USUAL_FORMATS = (
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %Z"),
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%b %d, %Y", "%B %d, %Y"),
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
)
"""Formats of dates as text, besides ISO, that need no `date_format`: no date has two of them."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeFormat:
    """The notation of times in the input.

    Attributes:
        unit: unit of times that are numbers, since 1970: `"s"`, `"ms"`, `"us"` or `"ns"`. If omitted, seconds, or
            the unit in which all times are in usual years.
        date_format: format of dates as text, as for `datetime.strptime`. If omitted, ISO dates.

    Raises:
        DataError: `unit` or `date_format` is invalid.
    """

    unit: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in (None, *UNITS):
            raise DataError(
                f"expected `time_unit` to be one of {', '.join(UNITS)}, got {self.unit!r}. Fix: choose the unit of "
                "times that are numbers; dates have no unit"
            )
        if self.date_format is not None:
            try:
                self.parse(datetime.now(timezone.utc).strftime(self.date_format))
            except ValueError as error:
                raise DataError(
                    f"expected a format of dates, for example '%d/%m/%Y %H:%M', as `date_format`, got "
                    f"{self.date_format!r} ({error}). Fix: use the codes of Python's `datetime.strptime`"
                ) from None

    def parse(self, date: str) -> datetime:
        """Parses a date. A date without a zone is UTC.

        Raises:
            ValueError: `date` has another format.
        """
        date = date.strip()
        if self.date_format is None:
            moment = _parse_usual(date)
        else:
            moment = datetime.strptime(date, self.date_format)
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)

    def seconds(self, column: Any) -> IntArray:
        """Converts a pyarrow column of numbers, dates or text to seconds since 1970, `(n,)` int64.

        Raises:
            ValueError: A time is missing, has another format, or is outside the range of years.
        """
        import pyarrow as pa

        numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if pa.types.is_decimal(column.type):
            column, numbers = column.cast(pa.float64()), True
        times = np.asarray(column if numbers and self.date_format is None else self._timestamps(column))
        if times.dtype.kind == "M":
            seconds: IntArray = times.astype("datetime64[s]").astype(np.int64)
        else:
            seconds = self.seconds_of_numbers(times)
        check_years(seconds)
        return seconds

    def seconds_of_numbers(self, times: Array) -> IntArray:
        """Converts numbers to seconds since 1970, `(n,)` int64. The result is `times` itself if nothing changes.

        Raises:
            ValueError: A time is missing, not finite, or a date such as 20010203.
        """
        unit = self.unit or usual_unit(times) or "s"
        if unit == "s":
            check_not_dates(times)
        if times.dtype.kind == "f":
            seconds = np.empty(len(times), np.int64)
            for start in range(0, len(times), BLOCK):
                part = np.floor(times[start : start + BLOCK] / UNITS[unit])
                seconds[start : start + BLOCK] = as_finite(part, "times", np.int64)
            return seconds
        if times.dtype != np.int64:
            times = as_finite(times, "times", np.int64)
        return times if unit == "s" else times // UNITS[unit]

    def _timestamps(self, column: Any) -> Any:
        """Converts a pyarrow column of dates, or of dates as text or as numbers, to timestamps."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            return column.cast(pa.timestamp("ns"))
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            column = column.cast(pa.int64())  # 20010203
        elif pa.types.is_string_view(column.type):
            column = column.cast(pa.large_string())
        if not (pa.types.is_integer(column.type) or is_text(column.type)):
            raise ValueError(f"expected numbers, dates or text as times, got {column.type}. Fix: convert the column")
        if is_text(column.type) and self.date_format is None:
            for zone in (None, "UTC"):
                with contextlib.suppress(pa.ArrowInvalid):
                    return column.cast(pa.timestamp("ns", zone))
        # pyarrow cannot parse the dates. Few of them are distinct as a rule, so Python parses each of those once.
        encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        try:
            seconds = [math.floor(self.parse(date).timestamp()) for date in encoded.dictionary.to_pylist()]
        except ValueError as error:
            raise ValueError(
                f"expected times in one notation, got numbers and dates, or others ({error}). Fix: convert the column"
            ) from None
        return pa.array(seconds, pa.timestamp("s")).take(encoded.indices)

    def likely_formats(self, field: str) -> list[TimeFormat]:
        """Returns this format with each unit that an error can refer to: the one of a valid time, and seconds.

        Args:
            field: the first time of the source, as text.
        """
        if self.unit is not None or not NUMBER.fullmatch(field):
            return [self]
        unit = usual_unit(np.array([float(field)]))
        return [replace(self, unit=unit) for unit in dict.fromkeys((unit or "s", "s"))]

    def fault(self, field: str) -> str | None:
        """Returns the error message for a time as text, or `None` if the time is valid."""
        is_number = self.date_format is None and NUMBER.fullmatch(field) is not None
        if is_number:
            seconds = float(field) / UNITS[self.unit or "s"]
        else:
            try:
                seconds = self.parse(field).timestamp()
            except ValueError:
                if self.date_format is not None:
                    return (
                        f"expected a date in the format {self.date_format!r}, got {field!r}. "
                        "Fix: correct the date or `date_format`"
                    )
                return (
                    f"expected a number ({self.unit or 's'} since 1970) or an ISO date (2001-02-03 04:05:06), got "
                    f"{field!r}. "
                    "Fix: pass the format of other dates, for example date_format='%d/%m/%Y %H:%M'"
                )
        if EARLIEST <= seconds < LATEST:
            return None
        year = np.floor(1970 + seconds / (365.2425 * 86400))
        units = [u for u in UNITS if is_number and EARLIEST < float(field) / UNITS[u] < LATEST]
        fix = f"pass time_unit={units[0]!r} if that is the unit" if units else "correct the time or drop the line"
        return (
            f"expected a time between the years {YEARS[0]} and {YEARS[1]}, got {field.strip()}, which is in the year "
            f"{year:.0f}. Fix: {fix}"
        )


def _parse_usual(date: str) -> datetime:
    """Parses an ISO date, or a date in one of the usual formats."""
    try:
        return datetime.fromisoformat(date.replace("Z", "+00:00"))
    except ValueError:
        for usual_format in USUAL_FORMATS:
            with contextlib.suppress(ValueError):
                return datetime.strptime(date, usual_format)
        raise


def usual_unit(times: Array) -> str | None:
    """Returns the unit in which all times, numbers since 1970, are in usual years; `None` if there is none."""
    if len(times):
        first, last = float(times.min()), float(times.max())
        for unit, per_second in UNITS.items():
            if USUAL_EARLIEST <= first / per_second and last / per_second < USUAL_LATEST:
                return unit
    return None


def as_seconds(times: Any, time_format: TimeFormat | None = None) -> IntArray:
    """Converts times to seconds since 1970, `(n,)` int64.

    Unusual years are logged as a warning.

    Args:
        times: `(n,)` numbers, dates, or dates as text: an array of numpy or pyarrow, a series, or a list.
        time_format: their notation.

    Raises:
        ValueError: A time is missing, not a time, or outside the range of years.
    """
    import pyarrow as pa

    time_format = time_format or TimeFormat()
    array = times if isinstance(times, (pa.Array, pa.ChunkedArray)) else np.asarray(times)
    if isinstance(array, np.ndarray) and array.dtype.kind in "iufb" and time_format.date_format is None:
        seconds = time_format.seconds_of_numbers(array)
    elif isinstance(array, np.ndarray) and array.dtype.kind == "M":
        seconds = as_finite(array, "times", np.int64)
    else:
        seconds = time_format.seconds(_chunked(times, array))
    check_years(seconds)
    if len(seconds):
        first, last = (int(year) for year in 1970 + np.array([seconds.min(), seconds.max()]) // (365.2425 * 86400))
        if first < USUAL_YEARS[0] or last > USUAL_YEARS[1]:
            LOG.warning("the times are from the years %d to %d; is the unit of the times right?", first, last)
    return seconds


def _chunked(times: Any, array: Any) -> Any:
    """Returns times that are dates or text as a chunked array of pyarrow.

    Raises:
        ValueError: The types are mixed, or a number has more than 64 bits.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        return array
    try:
        column = as_arrow(times if hasattr(times, "__array__") else array)
    except (pa.ArrowException, OverflowError):
        raise ValueError(
            f"expected numbers of at most 64 bits or dates in `times`, got {getattr(array, 'dtype', 'others')}. "
            "Fix: convert the times"
        ) from None
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def check_years(seconds: Array) -> None:
    """Checks that times are within the years of `YEARS`.

    Raises:
        ValueError: A time is missing or outside the range.
    """
    if len(seconds) and not (seconds.min() >= EARLIEST and seconds.max() < LATEST):
        raise ValueError(
            f"expected times between the years {YEARS[0]} and {YEARS[1]}, got a missing time or another year. "
            "Fix: correct the times"
        )


def check_not_dates(numbers: Array) -> None:
    """Checks that not all numbers are dates such as 20010203. As seconds, they would all be in August 1970.

    Raises:
        ValueError: They are.
    """
    if not len(numbers) or not (numbers.min() >= 19_700_101 and numbers.max() <= 21_001_231):
        return
    months, days = np.divmod(numbers.astype(np.int64) % 10_000, 100)
    if ((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all():
        raise ValueError(
            f"expected seconds since 1970, got {numbers[0]:.0f}, which looks like a date. "
            "Fix: pass date_format='%Y%m%d', or convert the numbers to dates"
        )
