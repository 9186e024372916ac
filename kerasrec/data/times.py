"""Times of interactions: numbers since 1970, dates, and dates as text, converted to seconds since 1970."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.text import NUMBER
from kerasrec.types import Array, IntArray

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of times that are numbers, and how many of them make a second."""

YEARS = (1970, 2100)
EARLIEST, LATEST = (int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()) for year in YEARS)
"""Times outside this range are errors: usually the unit is wrong."""


@dataclass(frozen=True)
class TimeFormat:
    """The notation of times in the input.

    Attributes:
        unit: unit of times that are numbers, since 1970: `"s"`, `"ms"`, `"us"` or `"ns"`.
        date_format: format of dates as text, as for `datetime.strptime`. If omitted, ISO dates.

    Raises:
        DataError: `unit` or `date_format` is invalid.
    """

    unit: str = "s"
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
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
            moment = datetime.fromisoformat(date.replace("Z", "+00:00"))
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
        times = np.asarray(column if numbers and self.date_format is None else self._timestamps(column))
        if times.dtype.kind != "M" and self.unit == "s" and _are_dates(times):
            raise ValueError(
                f"expected seconds since 1970, got {times[0]:.0f}, which looks like a date. "
                "Fix: pass date_format='%Y%m%d'"
            )
        with np.errstate(invalid="ignore"):  # infinite times are reported below
            if times.dtype.kind == "M":
                seconds = times.astype("datetime64[s]").astype(np.int64)
            else:
                seconds = times // UNITS[self.unit]
        if not ((seconds >= EARLIEST) & (seconds < LATEST)).all():
            raise ValueError(
                f"expected times between the years {YEARS[0]} and {YEARS[1]}, got a missing time or another year. "
                "Fix: correct the times"
            )
        return seconds.astype(np.int64)

    def _timestamps(self, column: Any) -> Any:
        """Converts a pyarrow column of dates, or of dates as text or as numbers, to timestamps."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            return column.cast(pa.timestamp("ns"))
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            column = column.cast(pa.int64())  # 20010203
        elif not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise ValueError(f"expected numbers, dates or text as times, got {column.type}. Fix: convert the column")
        elif self.date_format is None:
            for zone in (None, "UTC"):
                with contextlib.suppress(pa.ArrowInvalid):
                    return column.cast(pa.timestamp("ns", zone))
        # pyarrow cannot parse the dates. Few of them are distinct as a rule, so Python parses each of those once.
        encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        seconds = [int(self.parse(date).timestamp()) for date in encoded.dictionary.to_pylist()]
        return pa.array(seconds, pa.timestamp("s")).take(encoded.indices)

    def fault(self, field: str) -> str | None:
        """Returns the error message for a time as text, or `None` if the time is valid."""
        is_number = self.date_format is None and NUMBER.fullmatch(field) is not None
        if is_number:
            seconds = float(field) / UNITS[self.unit]
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
                    f"expected a number ({self.unit} since 1970) or an ISO date (2001-02-03 04:05:06), got {field!r}. "
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


def _are_dates(numbers: Array) -> bool:
    """Returns whether all numbers are dates such as 20010203. As seconds, they would all be in August 1970."""
    if not len(numbers) or not ((numbers >= 19_700_101) & (numbers <= 21_001_231)).all():
        return False
    months, days = np.divmod(numbers.astype(np.int64) % 10_000, 100)
    return bool(((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all())
