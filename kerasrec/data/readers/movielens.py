"""Archives of MovieLens: which file holds the ratings, and the titles of the items."""

from __future__ import annotations

from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.readers.rows import numbered_rows
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.text import parse_id

RATINGS_AND_TITLES = {"ratings.dat": "movies.dat", "u.data": "u.item", "ratings.csv": "movies.csv"}
"""File of the ratings → file of the items, in MovieLens 1M and 10M, 100K, and 20M, 25M, 32M and latest."""


def read_titles(file: SourceFile) -> dict[Any, str]:
    """Returns item id → title: the first two columns of the file of the items.

    Raises:
        DataError: A line has fewer than two columns, or is not in the encoding of that release.
    """
    if file.name.endswith(".csv"):
        rows = ((row.first, row.fields) for row in numbered_rows(file.lines("utf-8-sig"), ",", skip=1))
    else:
        separator = "::" if file.name.endswith(".dat") else "|"
        lines = enumerate((line.rstrip("\r\n") for line in file.lines("latin-1")), 1)
        rows = ((number, line.split(separator)) for number, line in lines if line.strip())
    titles: dict[Any, str] = {}
    for number, row in rows:
        if len(row) < 2:
            raise DataError(
                f"{file}, line {number}: expected an item id and a title, got {row[0][:40]!r}. Fix: correct the line"
            )
        titles[parse_id(row[0].strip())] = row[1].strip()
    return titles
