"""Roles of columns (user, item, value, time), which names or numbers determine."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any

from kerasrec.data.arrays import as_arrow
from kerasrec.data.errors import DataError
from kerasrec.data.ids import uuids_as_text
from kerasrec.data.row_rules import RULE, RowRules
from kerasrec.data.synonyms import USUAL_NAMES, usual_columns

LOG = logging.getLogger(__name__)
"""Logs, at level INFO, which columns of a table are read and which are not."""

ROLES = ("user", "item", "value", "time")
"""What a column can hold, in the order of the columns of a table without a header."""

REQUIRED = ("user", "item")


def find_columns(
    source: object,
    header: Sequence[str],
    names: Mapping[str, str],
    rules: RowRules | None = None,
    blank: Container[int] = (),
) -> dict[str, int]:
    """Returns role → position of its column. The roles "value" and "time" are optional.

    Args:
        source: the file or frame, for messages.
        header: names of all columns.
        names: role → name or number (from 1) of its column. For other roles, the first usual name in `header` counts.
        rules: rules that read further columns. Their keys in the result are `RULE` + name.
        blank: positions of columns without any content, which are not chosen by their name.

    Raises:
        DataError: A column does not exist, has no unique name, or has two roles.
    """
    rules = rules or RowRules()
    columns: dict[str, int] = {}
    unknown: dict[str, str] = {}
    missing: list[str] = []
    others: dict[str, list[str]] = {}
    for role in ROLES:
        if role == "value" and rules.event_weights:
            continue
        if role in names:
            position = position_of(names[role], header)
            if position is None:
                unknown[role] = names[role]
            else:
                columns[role] = position
        else:
            usual = [position for position in usual_columns(role, header) if position not in blank]
            if usual:
                columns[role] = usual[0]
                others[role] = [header[position] for position in usual[1:]]
            elif role in REQUIRED:
                missing.append(role)
    for name in rules.columns:
        position = position_of(name, header)
        if position is None:
            unknown["where" if name in rules.where else "event_weights"] = name
        else:
            columns[RULE + name] = position
    if unknown or missing:
        raise DataError(f"{source}: {_missing_columns(header, unknown, missing)}")
    for column in columns.values():
        if header.count(header[column]) > 1:
            raise DataError(
                f"{source}: expected one column {header[column]!r}, got {header.count(header[column])}. "
                "Fix: rename all but one"
            )
    roles = [role for role in columns if role in ROLES]
    for one, other in itertools.combinations(roles, 2):
        if columns[one] == columns[other]:
            raise DataError(
                f"{source}: expected different columns as `{one}` and `{other}`, got {header[columns[one]]!r} as both. "
                "Fix: pass another name"
            )
    _log_choice(source, header, columns, others)
    return columns


def position_of(name: str, header: Sequence[str]) -> int | None:
    """Returns the position of the column with a name, or with a number from 1; `None` if there is none."""
    if name in header:
        return header.index(name)
    return int(name) - 1 if name.isdecimal() and 1 <= int(name) <= len(header) else None


def _missing_columns(header: Sequence[str], unknown: Mapping[str, str], missing: Sequence[str]) -> str:
    """Returns the message about all columns that do not exist."""
    expected = [f"a column {name!r} (`{role}`)" for role, name in unknown.items()]
    if missing:
        examples = "; ".join(", ".join(USUAL_NAMES[role].split()[:3]) for role in missing)
        expected.append(
            f"a column of {' and a column of '.join(f'{role} ids' for role in missing)} with a usual name ({examples})"
        )
    fix = "pass the name of one of them" + "".join(f"{' and' * bool(n)} as `{role}`" for n, role in enumerate(missing))
    return f"expected {' and '.join(expected)}, got the columns {', '.join(header)}. Fix: {fix}"


def _log_choice(
    source: object, header: Sequence[str], columns: Mapping[str, int], others: Mapping[str, Sequence[str]]
) -> None:
    """Logs which columns are read, which other ones have a usual name, and how to choose those."""
    read = ", ".join(f"{role} is column {header[column]!r}" for role, column in columns.items() if role in ROLES)
    chosen = set(columns.values())
    ignored = [name for column, name in enumerate(header) if column not in chosen]
    LOG.info("%s: %s%s", source, read, f"; not read: {', '.join(ignored)}" if ignored else "")
    for role, names in others.items():
        alternatives = [name for name in names if name in ignored]
        if alternatives:
            listed = ", ".join(alternatives)
            LOG.info("%s: other columns of %ss: %s; `%s` selects one of them", source, role, listed, role)
    events = [header[column] for column in usual_columns("event", header) if column not in chosen]
    if events:
        LOG.info("%s: all values of %r are read; `where` and `event_weights` choose or weigh them", source, events[0])


def frame_columns(frame: Any, names: Mapping[str, str], rules: RowRules) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns role → pyarrow column and role → name of the column, for a data frame.

    Args:
        frame: of pandas, a table of pyarrow, a (lazy) frame of Polars, or of any library whose frames have columns
            by name.
        names: role → name of its column, as in `find_columns`.
        rules: rules that read further columns.

    Raises:
        DataError: `frame` is not a data frame; or a column does not exist, or mixes types.
    """
    import pyarrow as pa

    is_lazy = hasattr(frame, "collect_schema") and hasattr(frame, "collect")  # of Polars
    if not (is_lazy or hasattr(frame, "columns")):
        raise DataError(
            f"expected a data frame, got {type(frame).__name__}. Fix: pass arrays to `Interactions.from_arrays`"
        )
    labels = frame.collect_schema().names() if is_lazy else list(getattr(frame, "column_names", frame.columns))
    header = [str(label) for label in labels]
    positions = find_columns("the frame", header, names, rules)
    if is_lazy:
        frame = frame.select([labels[position] for position in dict.fromkeys(positions.values())]).collect()
    all_names = {role: header[position] for role, position in positions.items()}
    columns = {}
    for role, position in positions.items():
        try:
            column = frame[labels[position]]
            if hasattr(column, "to_arrow"):
                column = column.to_arrow()
            columns[role] = (
                column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([as_arrow(uuids_as_text(column))])
            )
        except (pa.ArrowException, OverflowError):
            raise DataError(
                f"the frame, column {header[position]} ({role}): expected one type of at most 64 bits, got a mixture "
                "of types or larger numbers. Fix: convert the column"
            ) from None
    return columns, all_names
