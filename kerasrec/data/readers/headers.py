"""The first line of a text table: names of columns, or the first interaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from kerasrec.data.columns import REQUIRED, position_of
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.synonyms import has_usual_name
from kerasrec.data.text import MISSING, NUMBER
from kerasrec.data.times import TimeFormat, usual_unit

UNIX_TIME = re.compile(r"\d{9,19}(\.\d*)?")

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?")


class Header(NamedTuple):
    """The names of the columns of a text table.

    Attributes:
        names: name of each column; numbers from 1 if the table has no header.
        is_first_row: whether the first row contains these names.
        is_certain: whether the first row cannot be an interaction.
    """

    names: list[str]
    is_first_row: bool
    is_certain: bool = True


def header_of(first: Sequence[str], samples: Sequence[Sequence[str]], options: ReadOptions) -> Header:
    """Determines whether the first row contains names.

    Args:
        first: fields of the first row.
        samples: fields of the rows below.
        options: `header`, and names of columns.
    """
    numbers = Header([str(number) for number in range(1, len(first) + 1)], False)
    if options.header is not None:
        return Header(list(first), True) if options.header else numbers
    named = [name for name in [*options.columns.values(), *options.rules.columns] if not name.isdecimal()]
    if any(name in first for name in named) or has_usual_name(first, REQUIRED):
        return Header(list(first), True)
    if any(NUMBER.fullmatch(field) or ISO_DATE.fullmatch(field) for field in first if field):
        return numbers
    rows = [[field.strip() for field in row] for row in samples]
    columns = [{row[position] for row in rows if len(row) > position} for position in range(len(first))]
    if any(field and field in column for field, column in zip(first, columns, strict=True)):
        return numbers  # a name does not occur in its own column
    is_certain = bool(named) or not options.columns or any(NUMBER.fullmatch(field) for row in rows[:1] for field in row)
    return Header(list(first), True, is_certain)


def roles_by_position(samples: Sequence[Sequence[str]], width: int, options: ReadOptions) -> dict[str, int]:
    """Returns role → position of its column, for a table without a header.

    The first two columns are users and items. The content of the others decides: the first column of times and the
    first column of other numbers are the times and the values. If no column contains usual times, the second column of
    numbers does. Options may name columns by their number.

    Args:
        samples: fields of the first rows.
        width: number of columns.
        options: numbers of columns.
    """
    chosen = {role: position_of(name, [""] * width) for role, name in options.columns.items()}
    positions = {role: position for role, position in chosen.items() if position is not None}
    free = [position for position in range(width) if position not in positions.values()]
    for role in REQUIRED:
        if role not in positions and free:
            positions[role] = free.pop(0)
    columns = {position: [row[position].strip() for row in samples if len(row) > position] for position in free}
    fields = {position: [field for field in column if field not in MISSING] for position, column in columns.items()}
    times = [position for position in free if _most(fields[position], partial(_is_time, times=options.times))]
    numbers = [position for position in free if position not in times and _most(fields[position], NUMBER.fullmatch)]
    if "value" not in positions and not options.rules.event_weights and numbers:
        positions["value"] = numbers.pop(0)
    if "time" not in positions and (times or (numbers and width == len(numbers) + len(positions))):
        positions["time"] = (times or numbers)[0]
    return positions


def _most(fields: Sequence[str], condition: Callable[[str], object]) -> bool:
    """Returns whether most fields fulfil a condition: a few wrong ones do not change the roles, but are errors."""
    return bool(fields) and sum(map(bool, map(condition, fields))) >= len(fields) / 2


def _is_time(field: str, times: TimeFormat) -> bool:
    """Returns whether a field is a Unix time of a usual year, or a date."""
    if times.date_format is not None:
        return times.fault(field) is None
    if UNIX_TIME.fullmatch(field):
        return usual_unit(np.array([float(field)])) is not None
    return ISO_DATE.fullmatch(field) is not None
