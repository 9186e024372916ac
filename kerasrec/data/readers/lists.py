"""Lists with one user in each line: `user item item …` or `count item item …`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.source import SourceFile
from kerasrec.types import IntArray


def read_lists(files: Sequence[SourceFile], layout: str | None) -> Interactions:
    """Reads lists of items. The lines of a user in several files are joined in the order of the files.

    Args:
        files: the files; later ones contain later interactions.
        layout: `"user-items"`, or `"count-items"`, in which line n, from 0, belongs to user n. If None, it is
            "count-items" if the first number of every line is the number of the others.

    Raises:
        DataError: A line is invalid, or no line has an item.
    """
    lists = [_read_numbers(file) for file in files]
    if layout is None:
        counts_first = all(not len(_miscounted_lines(*numbers_and_lengths)) for numbers_and_lengths in lists)
        layout = "count-items" if counts_first else "user-items"
    users, items = [], []
    for file, (numbers, lengths) in zip(files, lists, strict=True):
        is_first = np.zeros(len(numbers), bool)
        is_first[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        if layout == "count-items":
            _check_counts(file, numbers, lengths)
            line_users: IntArray = np.arange(len(lengths))
        else:
            lengths = lengths[lengths > 0]
            line_users = numbers[is_first]
        users.append(np.repeat(line_users, lengths - 1))
        items.append(numbers[~is_first])
    if not any(map(len, items)):
        raise DataError(
            f"{files[0]}: expected item ids after the first number of a line, got none. "
            "Fix: check how the file was written"
        )
    return Interactions.from_arrays(np.concatenate(users), np.concatenate(items))


def check_is_list(file: SourceFile) -> None:
    """Checks that a file of integers contains lists and not a table.

    A table has three or four numbers in each line, and several lines for some users.

    Raises:
        DataError: Each line has three or four numbers, and a user has several lines.
    """
    rows = [line.split() for line in file.head() if line.strip()]
    widths, users = {len(row) for row in rows}, [row[0] for row in rows]
    if len(rows) > 1 and widths in ({3}, {4}) and len(set(users)) < len(users):
        raise DataError(
            f"{file}: expected one line for each user, got {widths.pop()} numbers in every line and several lines for "
            f"user {max(users, key=users.count)}. Fix: pass separator=' ' for a table of user, item, value and time, "
            "or layout='user-items' for lists of items"
        )


def _read_numbers(file: SourceFile) -> tuple[IntArray, IntArray]:
    """Returns all numbers of a file, line after line, and how many numbers each line has."""
    file.head()  # reports an empty or binary file
    rows = [line.split() for line in file.lines("utf-8-sig")]
    while not rows[-1]:
        rows.pop()
    fields = [field for row in rows for field in row]
    if all(map(str.isdecimal, fields)):
        try:
            return np.array(fields, np.int64), np.array([len(row) for row in rows])
        except OverflowError:
            raise DataError(
                f"{file}: expected 64-bit integer ids, got a larger number. Fix: renumber the ids"
            ) from None
    line, field = next((n, field) for n, row in enumerate(rows, 1) for field in row if not field.isdecimal())
    raise DataError(
        f"{file}, line {line}: expected integers from 0 (`user item item …` or `count item item …`), got "
        f"{field[:40]!r}. Fix: correct the line, or pass `separator` if the file is a table"
    )


def _check_counts(file: SourceFile, numbers: IntArray, lengths: IntArray) -> None:
    """Checks that the first number of each line is the number of the others."""
    lines = _miscounted_lines(numbers, lengths)
    if not len(lines):
        return
    start, length = int(lengths[: lines[0]].sum()), int(lengths[lines[0]])
    count = f"{numbers[start]} before {length - 1} items" if length else "an empty line"
    raise DataError(
        f"{file}, line {lines[0] + 1}: expected the number of items and then the items, got {count}. "
        "Fix: correct the line, or pass layout='user-items'"
    )


def _miscounted_lines(numbers: IntArray, lengths: IntArray) -> IntArray:
    """Returns the lines, from 0, whose first number is not the number of the others."""
    starts = np.minimum(np.cumsum(lengths) - lengths, len(numbers) - 1)
    return np.flatnonzero((lengths == 0) | (numbers[starts] != lengths - 1))
