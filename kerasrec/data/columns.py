"""What the columns of a table of interactions mean, wherever they come from, and what can be wrong in them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.types import Array, IntArray

LOG = logging.getLogger(__name__)
"""Told, at level INFO, which columns of a file were read and which were not."""

USUAL_NAMES = {
    "user": "user userid uid customer customerid visitorid reviewerid memberid sessionid",
    "item": "item itemid iid movie movieid product productid parentasin asin articleid bookid isbn songid artistid",
    "value": "rating ratings userrating value score stars overall weight count playcount plays",
    "time": "timestamp time datetime date unixreviewtime createdat",
}
"""Names of columns, without case, spaces, `_` and `-`, by what they mean; the first that occurs is taken."""

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
YEARS = (1970, 2100)
EARLIEST, LATEST = (int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()) for year in YEARS)

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
INTEGER = re.compile(r"0|-?[1-9]\d*")  # "007" is a string: as a number it would lose its zeros
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none"]  # where a number is due


@dataclass(frozen=True)
class TimeFormat:
    """How times are written.

    Attributes:
        unit: of times that are numbers, since 1970.
        date_format: of times that are dates, as `datetime.strptime` has it; ISO dates where absent.

    Raises:
        DataError: there is no such unit or format.
    """

    unit: str = "s"
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DataError(f"`time_unit` must be one of {', '.join(UNITS)}, not {self.unit!r}")
        if self.date_format is not None:
            now = datetime.now(timezone.utc)
            try:
                self.moment(now.strftime(self.date_format))
            except ValueError as error:
                raise DataError(
                    f"`date_format` must say how dates are written, as '%d/%m/%Y %H:%M' does, not "
                    f"{self.date_format!r} ({error})"
                ) from None

    def moment(self, date: str) -> datetime:
        """A date as a time, of UTC where it has no zone.

        Raises:
            ValueError: it is not written so.
        """
        date = date.strip()
        if self.date_format is None:
            moment = datetime.fromisoformat(date.replace("Z", "+00:00"))
        else:
            moment = datetime.strptime(date, self.date_format)
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)

    def timestamps(self, dates: Any) -> Any:
        """A pyarrow column of dates as one of timestamps.

        Raises:
            ValueError: it holds something else.
        """
        import pyarrow as pa

        if pa.types.is_dictionary(dates.type):
            dates = dates.cast(dates.type.value_type)
        if pa.types.is_timestamp(dates.type) or pa.types.is_date(dates.type):
            return dates.cast(pa.timestamp("ns"))
        if pa.types.is_integer(dates.type) or pa.types.is_floating(dates.type):
            dates = dates.cast(pa.int64())
        elif not (pa.types.is_string(dates.type) or pa.types.is_large_string(dates.type)):
            raise ValueError(f"a column of type {dates.type} tells no time: make it numbers, dates or text")
        elif self.date_format is None:
            for zone in (None, "UTC"):
                with contextlib.suppress(pa.ArrowInvalid):
                    return dates.cast(pa.timestamp("ns", zone))
        encoded = dates.cast(pa.string()).combine_chunks().dictionary_encode()
        seconds = [int(self.moment(date).timestamp()) for date in encoded.dictionary.to_pylist()]
        return pa.array(seconds, pa.timestamp("s")).take(encoded.indices)


def places(where: object, header: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    """Role → position of its column: the named one, or else the first with a usual name.

    Args:
        where: the file, for complaints.
        header: the columns' names.
        given: role → name, where it was told.

    Raises:
        DataError: there is no such column.
    """
    at = {}
    plain = [re.sub(r"[\s_-]", "", name).lower() for name in header]
    for role, usual in USUAL_NAMES.items():
        if role in given:
            if given[role] not in header:
                raise DataError(
                    f"{where} has no column {given[role]!r} (`{role}`); its columns are {', '.join(header)}"
                )
            at[role] = header.index(given[role])
            continue
        found = [plain.index(name) for name in usual.split() if name in plain]
        if found:
            at[role] = found[0]
        elif role in ("user", "item"):
            raise DataError(
                f"{where} has no column of {role}s that can be told by its name (as in "
                f"{', '.join(usual.split()[:3])}); its columns are {', '.join(header)}: name one (`{role}`)"
            )
    for column in at.values():
        if header.count(header[column]) > 1:
            raise DataError(f"{where} has several columns {header[column]!r}: rename all but one")
    for one, other in itertools.combinations(at, 2):
        if at[one] == at[other]:
            raise DataError(f"{where}: column {header[at[one]]!r} cannot be both `{one}` and `{other}`: name another")
    taken = ", ".join(f"{role} is column {header[column]!r}" for role, column in at.items())
    others = [name for column, name in enumerate(header) if column not in at.values()]
    LOG.info("%s: %s%s", where, taken, f"; not read: {', '.join(others)}" if others else "")
    return at


def of_frame(frame: Any, given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The columns of a data frame that are taken: role → pyarrow column, and role → its name.

    Args:
        frame: of pandas, or anything with columns by name.
        given: role → name, where it was told.

    Raises:
        DataError: there is no such column, or it is of no one kind.
    """
    import pyarrow as pa

    if not hasattr(frame, "columns"):
        raise DataError(f"a data frame is due, not {type(frame).__name__}: arrays go to `Interactions.from_arrays`")
    labels = list(frame.columns)
    header = [str(label) for label in labels]
    at = places("the frame", header, given)
    names = {role: header[column] for role, column in at.items()}
    columns = {}
    for role, name in names.items():
        try:
            columns[role] = pa.chunked_array([pa.array(frame[labels[at[role]]], from_pandas=True)])
        except (pa.ArrowException, OverflowError):
            raise DataError(
                f"the frame, column {name} ({role}): it mixes numbers, strings or other things, or they are too large: "
                "use one kind"
            ) from None
    return columns, names


def _plain(column: Any, role: str, times: TimeFormat) -> Any:
    """A column as one that numpy knows: no decimals, and dates as timestamps."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64() if role == "value" else pa.int64())
    numbers = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return times.timestamps(column) if role == "time" and not (numbers and times.date_format is None) else column


def arrays(columns: Mapping[str, Any], times: TimeFormat) -> dict[str, Any]:
    """What `Interactions.from_arrays` takes, from pyarrow columns by role.

    Raises:
        ValueError: a time is bad; the caller says where.
    """
    if times.date_format is not None and "time" not in columns:
        raise DataError("`date_format` is of no use without a column of times, and none can be told: name it (`time`)")
    found = {f"{role}s": _plain(column, role, times) for role, column in columns.items()}
    if "times" in found:
        found["times"] = _seconds(np.asarray(found["times"]), times.unit)
    return found


def _seconds(times: Array, unit: str) -> IntArray:
    if times.dtype.kind != "M" and unit == "s" and _are_days(times):
        raise ValueError(f"times such as {times[0]:.0f} look like dates: say date_format='%Y%m%d'")
    with np.errstate(invalid="ignore"):  # infinite times are refused below
        found = times.astype("datetime64[s]").astype(np.int64) if times.dtype.kind == "M" else times // UNITS[unit]
    if not ((found >= EARLIEST) & (found < LATEST)).all():
        raise ValueError(f"a time is missing or not between the years {YEARS[0]} and {YEARS[1]}: mend it")
    return found.astype(np.int64)


def _are_days(numbers: Array) -> bool:
    """Whether all are years, months and days in a row, as in 20010203; as seconds they were of one August."""
    if not len(numbers) or not ((numbers >= 19_700_101) & (numbers <= 21_001_231)).all():
        return False
    months, days = np.divmod(numbers.astype(np.int64) % 10_000, 100)
    return bool(((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all())


def fault(
    where: object, columns: Mapping[str, Any], names: Mapping[str, str], times: TimeFormat, error: ValueError
) -> DataError:
    """What is wrong with pyarrow columns: the first row at fault, found the slow and careful way, or else the error."""
    import pyarrow as pa

    integers = {role for role in ("user", "item") if not pa.types.is_string(columns[role].type)}
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    for number, row in enumerate(rows, 1):
        fields = {role: "" if field is None else str(field) for role, field in zip(columns, row, strict=True)}
        told = problem(fields, names, times, integers)
        if told:
            return DataError(f"{where}, row {number}, {told}")
    return DataError(f"{where}: {error}")


def problem(
    fields: Mapping[str, str], names: Mapping[str, str], times: TimeFormat, integers: Container[str], decimal: str = "."
) -> str | None:
    """What is wrong with the fields of one interaction, or `None`.

    Args:
        fields: role → text.
        names: role → name of the column.
        times: how they are written.
        integers: roles whose ids are integers, where "NA" is no id.
        decimal: what stands before the decimals of a value.
    """
    for role, field in fields.items():
        if not field.strip() or (role in integers and field.strip() in MISSING):
            told: str | None = f"it is missing ({field!r}): fill it in, or drop the line"
        elif role == "value":
            told = _value_problem(field, decimal)
        elif role == "time":
            told = _time_problem(field, times)
        else:
            told = "the id -1 is taken for padding: rename it" if field.strip() == "-1" else None
        if told:
            return f"column {names[role]} ({role}): {told}"
    return None


def _value_problem(field: str, decimal: str) -> str | None:
    if decimal == "," and "." in field:
        return f"{field!r} has a point and other values have a comma: mend it, or say which is meant, decimal='.'"
    try:
        value = float(field.replace(decimal, "."))
    except ValueError:
        if re.fullmatch(r"\s*-?\d+,\d+\s*", field):
            return f"{field!r} is not a number: mend it, or say decimal=',' if all values are written so"
        return f"{field!r} is not a number: mend it, or name another column (`value`)"
    if abs(value) <= float(np.finfo(np.float32).max):
        return None
    return f"{field.strip()} is not a finite 32-bit number: drop the line or give it a value"


def _time_problem(field: str, times: TimeFormat) -> str | None:
    number = times.date_format is None and NUMBER.fullmatch(field) is not None
    if number:
        seconds = float(field) / UNITS[times.unit]
    else:
        try:
            seconds = times.moment(field).timestamp()
        except ValueError:
            if times.date_format is not None:
                return f"{field!r} is no date as {times.date_format!r} has it: mend it, or the `date_format`"
            return (
                f"{field!r} is no time: expected {times.unit} since 1970, or an ISO date such as 2001-02-03 04:05:06; "
                "say how other dates are written, as in date_format='%d/%m/%Y %H:%M'"
            )
    if EARLIEST <= seconds < LATEST:
        return None
    year = np.floor(1970 + seconds / (365.2425 * 86400))
    fitting = [u for u in UNITS if number and EARLIEST < float(field) / UNITS[u] < LATEST]
    advice = f"if the unit is {fitting[0]}, say time_unit={fitting[0]!r}" if fitting else "mend it or drop the line"
    return f"{field.strip()} is the year {year:.0f}, outside {YEARS[0]} to {YEARS[1]}: {advice}"
