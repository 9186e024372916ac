"""Folders and archives with several tables: interactions beside titles, or interactions in two tables to join."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kerasrec.data.columns import ROLES, find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.arrow import interactions_of
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.readers.tables import NamedTable, open_table
from kerasrec.data.readers.titles import add_titles
from kerasrec.data.synonyms import USUAL_NAMES, plain, usual_columns

LOG = logging.getLogger(__name__)


def read_tables(
    path: object, files: Sequence[SourceFile], options: ReadOptions, read_file: Callable[[SourceFile], Interactions]
) -> Interactions | None:
    """Reads interactions from several tables.

    One table with users and items is read. Otherwise, a table with items and a table with users are joined by the
    only other column whose name they share. Titles come from another table with items.

    Args:
        path: the folder, for messages.
        files: the tables.
        options: names of columns and rules.
        read_file: reads interactions from one file.

    Returns:
        The interactions, or `None` if it is not clear which tables contain them.
    """
    tables = [open_table(file) for file in files]
    complete = [table for table in tables if _has(table, "user", options) and _has(table, "item", options)]
    if len(complete) > 1:
        return None
    if complete:
        used = complete
        interactions = read_file(complete[0].file)
    else:
        joined = _tables_to_join(tables, options)
        if joined is None:
            return None
        *parts, users, key = joined
        used = [*parts, users]
        interactions = _join(path, parts, users, key, options)
    for table in tables:
        if interactions.item_titles is None and table not in used and _has_titles(table, interactions):
            interactions = add_titles(interactions, table.file)
            used = [*used, table]
    ignored = [table.file.name for table in tables if table not in used]
    LOG.info("%s: read %s%s", path, _names(used), f"; not read: {', '.join(ignored)}" if ignored else "")
    return interactions


def _names(tables: Sequence[NamedTable]) -> str:
    return ", ".join(table.file.name for table in tables)


def _has(table: NamedTable, role: str, options: ReadOptions) -> bool:
    name = options.columns.get(role)
    return name in table.header if name else bool(usual_columns(role, table.header))


def _has_titles(table: NamedTable, interactions: Interactions) -> bool:
    item = interactions.column_names.get("item", "")
    return (
        table.position([item]) is not None
        and table.position((), USUAL_NAMES["title"].split()) is not None
        and not usual_columns("user", table.header)
    )


def _tables_to_join(tables: Sequence[NamedTable], options: ReadOptions) -> tuple[Any, ...] | None:
    """Returns the tables with items, the table with users, and the name of the column that they share."""
    for users in tables:
        if not _has(users, "user", options):
            continue
        user_names = {plain(name) for name in users.header}
        parts: dict[str, list[NamedTable]] = {}
        for items in tables:
            if items is not users and _has(items, "item", options):
                shared = [name for name in items.header if plain(name) in user_names and plain(name).endswith("id")]
                if len(shared) == 1:
                    parts.setdefault(shared[0], []).append(items)
        if len(parts) == 1:
            ((key, items_tables),) = parts.items()
            if all(table.header == items_tables[0].header for table in items_tables):
                return (*items_tables, users, key)
    return None


def _join(path: object, parts: Sequence[NamedTable], users: NamedTable, key: str, options: ReadOptions) -> Interactions:
    """Joins tables with items to a table with users, which has one row for each value of the shared column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = parts[0].header
    header = [*own, *(name for name in users.header if plain(name) != plain(key))]
    positions = find_columns(path, header, options.columns, options.rules)
    names = {role: header[position] for role, position in positions.items()}
    key_position, user_key = own.index(key), users.position([key])
    assert user_key is not None  # noqa: S101
    wanted = [*dict.fromkeys(name for name in names.values() if name in own)]
    part_columns = [part.columns([key_position, *(own.index(name) for name in wanted)]) for part in parts]
    keys, *others = (
        pa.chunked_array([c for column in columns for c in column.chunks])
        for columns in zip(*part_columns, strict=True)
    )
    from_users = [name for name in dict.fromkeys(names.values()) if name not in own]
    user_keys, *user_columns = users.columns([user_key, *(users.header.index(name) for name in from_users)])
    if pc.count_distinct(user_keys).as_py() < len(user_keys):
        raise DataError(
            f"{users.file}: expected each {key} once, got some repeatedly. Fix: join the tables yourself and pass the "
            "result"
        )
    rows = pc.index_in(keys, user_keys.combine_chunks())
    is_known = pc.is_valid(rows)
    rows = rows.filter(is_known)
    columns = {name: column.filter(is_known) for name, column in zip(wanted, others, strict=True)}
    columns |= {name: column.take(rows) for name, column in zip(from_users, user_columns, strict=True)}
    n_unknown = len(keys) - len(rows)
    LOG.info("%s: %s joined with %s by %s", path, _names(parts), users.file.name, key)
    dropped = {f"{key} not in {users.file.name}": n_unknown} if n_unknown else {}
    by_role = {role: columns[name] for role, name in names.items() if role in ROLES or name in columns}
    return interactions_of(path, by_role, names, options, dropped, from_text=parts[0].content is None)
