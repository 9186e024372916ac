"""Titles of items, from a table of items in any format."""

from __future__ import annotations

import logging
from pathlib import Path

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.movielens import RATINGS_AND_TITLES, read_titles
from kerasrec.data.readers.source import SourceFile, find_path
from kerasrec.data.readers.tables import NamedTable, open_table
from kerasrec.data.synonyms import USUAL_NAMES

LOG = logging.getLogger(__name__)


def add_titles(table: Interactions, items: str | Path | SourceFile, title: str | None = None) -> Interactions:
    """Returns the table with the titles in a table of items.

    Args:
        table: the interactions.
        items: the file with one row for each item. Its column of ids has the name of the column of items in the
            interactions, another usual name, or "id".
        title: name of the column of titles. If omitted, the first usual name.

    Raises:
        DataError: The file or one of its columns does not exist, or no item has a title.
    """
    file = items if isinstance(items, SourceFile) else _file(items)
    if file.name.rpartition("/")[2] in RATINGS_AND_TITLES.values():
        titles = read_titles(file)
    else:
        titles = titles_of(open_table(file), table.column_names.get("item", ""), title)
    titled = table.with_titles(titles)
    assert titled.item_titles is not None  # noqa: S101
    n_titled = int((titled.item_titles != "").sum())
    if not n_titled:
        raise DataError(
            f"{file}: expected titles of the items of the interactions, for example {table.item_ids[0]}, got other "
            "ids. Fix: check that both files have the same ids"
        )
    LOG.info("%s: titles of %s of %s items", file, f"{n_titled:,}", f"{table.n_items:,}")
    return titled


def titles_of(items: NamedTable, item_name: str, title: str | None) -> dict[str, str]:
    """Returns item id, as text → title.

    Raises:
        DataError: A column does not exist.
    """
    key = items.position([item_name], [*USUAL_NAMES["item"].split(), "id"])
    position = items.position([title] if title else [], () if title else USUAL_NAMES["title"].split())
    if key is None or position is None:
        missing = "a column of item ids" if key is None else f"a column {title!r}" if title else "a column of titles"
        raise DataError(
            f"{items.file}: expected {missing}, got the columns {', '.join(items.header)}. Fix: "
            + (
                "rename the column of ids to 'item_id'"
                if key is None
                else "pass the name of one of them as `item_title`"
            )
        )
    ids, titles = (column.to_pylist() for column in items.columns([key, position]))
    pairs = zip(ids, titles, strict=True)
    return {str(item).strip(): str(text).strip() for item, text in pairs if item is not None and text is not None}


def _file(items: str | Path) -> SourceFile:
    path = find_path(items)
    if path is None or not path.is_file():
        raise DataError(f"{items}: expected a file of items, got a folder or nothing. Fix: pass the path of a file")
    return SourceFile(path)
