"""The entry point `read`: finds the data and chooses the reader of its format."""

from __future__ import annotations

import gzip
import logging
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasrec.data.errors import DataError, EncodingError
from kerasrec.data.generated import generate
from kerasrec.data.interactions import Interactions
from kerasrec.data.packed_folder import is_packed, open_packed
from kerasrec.data.readers import arrow, json_records, npz, parquet, records
from kerasrec.data.readers.delimited import DelimitedFile
from kerasrec.data.readers.folders import read_tables
from kerasrec.data.readers.lists import check_is_list, read_lists
from kerasrec.data.readers.movielens import RATINGS_AND_TITLES, read_titles
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile, find_path
from kerasrec.data.readers.titles import add_titles

LOG = logging.getLogger(__name__)

SPLIT_LISTS = ("train.txt", "valid.txt", "test.txt")
"""Files of one data set, published as lists in time order."""

LISTS = "users.dat"
"""The file of lists in CiteULike."""

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", ".inter", ".rating", *json_records.SUFFIXES)
COMPRESSION_SUFFIXES = ("", ".gz", ".bz2", ".xz", ".zst")
TABLE_SUFFIXES = (
    *(f"{text}{end}" for text in TEXT_SUFFIXES for end in COMPRESSION_SUFFIXES),
    *parquet.SUFFIXES,
    *arrow.SUFFIXES,
    *records.EXCEL_SUFFIXES,
    npz.SUFFIX,
)


def read(
    data: str | Path,
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    value: str | int | None = None,
    time: str | int | None = None,
    header: bool | None = None,
    separator: str | None = None,
    quote: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    layout: str | None = None,
    time_unit: str | None = None,
    date_format: str | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
    event_weights: Mapping[str, Mapping[str, float]] | None = None,
    duplicates: str | None = None,
    drop_missing: bool = False,
    query: str | None = None,
    items: str | Path | None = None,
    item_title: str | None = None,
) -> Interactions:
    """Reads interactions from a file, a folder, an archive or a named data set.

    Formats:

    - MovieLens folders and zips (`ratings.dat`, `u.data` or `ratings.csv`), with the items' titles
    - CSV, TSV, Parquet and Feather tables with a header, and the atomic files of RecBole
    - JSON, one object per line or an array of objects; `user.id` names a nested field
    - Excel files (extra `excel`), SQLite files, and databases with a URL of SQLAlchemy (extra `sql`)
    - sparse matrices that `scipy.sparse.save_npz` wrote
    - a folder with one table of interactions and tables of items or users, or with two tables that share one column
      of ids, for example the orders and the products of the orders
    - text tables without a header: `user item [value [time]]`
    - lists with one user in each line: `user item item …` or `count item item …`
    - folders that `kerasrec.data.pack` wrote, which are opened without being read into memory. The options below were
      applied when the data were packed; others are refused.

    Text can be compressed (gzip, bzip2, xz, Zstandard).

    If a (user, item) pair is repeated, the table keeps the latest interaction, or the last one in the
    file if there are no times. `duplicates` determines its value. Spaces around
    the fields of a text file are ignored, and so are lines that contain only separators.

    Args:
        data: the first of these that exists: `"generated"` (`kerasrec.data.generate()`), a path, a
            name in the folder `$KERASREC_DATA`, a data set of TensorFlow Datasets, for example
            `"movielens/latest-small-ratings"`.
        user: name or number (from 1) of the column of user ids. If omitted, the first column with a usual name; also
            for the others.
        item: name or number of the column of item ids.
        value: name or number of the column of ratings or counts. Without such a column, every value is 1.
        time: name or number of the column of times: numbers or dates.
        header: whether the first line of a text table contains the names of the columns. If omitted, it does if it
            contains a usual name, or if it contains no number and no value of the lines below.
        separator: the character between columns. If omitted, it is inferred from the first line.
        quote: the character around fields that contain separators or line breaks; `""` if quotes are
            ordinary characters. If omitted, `'"'`.
        encoding: encoding of a text file, as in Python: `"cp1252"`. If omitted, it is UTF-8 or UTF-16, which
            the content shows, or else cp1252, which is logged as a warning.
        decimal: the decimal separator of values, `"."` or `","`. If omitted, it is inferred from the first lines.
        layout: layout of lists: `"user-items"`, or `"count-items"`, in which line n, from 0, belongs to
            user n. If omitted, it is `"count-items"` if the first number of every line is the number of the others.
        time_unit: unit of times that are numbers: `"s"`, `"ms"`, `"us"` or `"ns"` since 1970. If omitted, the unit in
            which all times are in the years 1990 to 2050, otherwise seconds.
        date_format: format of dates, as for `datetime.strptime`: `"%d/%m/%Y %H:%M"`. If omitted, ISO. A
            date without a zone is UTC.
        where: column → accepted values: `{"event": ["purchase"]}`. `row_counts` counts the other rows.
        event_weights: column → event → value of its rows: `{"event": {"view": 1, "purchase": 10}}`. Rows with other
            events are dropped.
        duplicates: value of a repeated (user, item) pair: that of the `"last"` interaction, the `"sum"`, the
            `"count"` of interactions, or the `"max"`. If omitted, the sum of counts and of event weights, and the last
            of other values.
        drop_missing: whether to drop the rows in which a field is missing, for example orders of guests
            without a user id. `row_counts` counts them. Otherwise, a missing field is an error.
        query: query of a database. If omitted, the database must have one table.
        items: a table of items in any of these formats, whose titles the result has.
        item_title: name of the column of titles in that table. If omitted, the first column with a usual name.

    Returns:
        The interactions. Those of each user are in the order of the file.

    Raises:
        DataError: The data does not exist, an option is invalid, or the content is invalid.

    Example:
        >>> from kerasrec.data import read
        >>> read("generated").n_users
        2000
    """
    arguments = {name: argument for name, argument in locals().items() if name != "data" and argument is not None}
    packed = _packed_folder(data)
    if packed is not None:
        given = {name: argument for name, argument in arguments.items() if argument or name != "drop_missing"}
        return open_packed(packed, read_options=given)
    options = ReadOptions.from_arguments(arguments)
    table = _read(data, options)
    if items is not None:
        return add_titles(table, items, item_title)
    if item_title is not None:
        raise DataError("expected `items`, the file of the titles, got only `item_title`. Fix: pass both")
    return table


def _packed_folder(data: str | Path) -> Path | None:
    """Returns the packed folder that a path or name denotes, or `None` for other data."""
    if not isinstance(data, (str, os.PathLike)) or data == "generated" or "://" in str(data):
        return None
    path = find_path(data)
    return path if path is not None and path.is_dir() and is_packed(path) else None


def _read(data: str | Path, options: ReadOptions) -> Interactions:
    """Reads the data that a path or name denotes."""
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(
            f"expected a path or a name as `data`, got {type(data).__name__}. "
            "Fix: pass data frames to `Interactions.from_frame`"
        )
    if data == "generated":
        return generate()
    if re.match(r"[a-z][\w+]*://", str(data)):
        return records.read_sql(str(data), options)
    path = find_path(data)
    if path is None:
        from kerasrec.data.tfds import read_tfds  # TensorFlow Datasets is not needed for other data

        return read_tfds(str(data))
    try:
        if path.is_dir():
            return _read_folder(path, {p.name: SourceFile(p) for p in sorted(path.iterdir()) if p.is_file()}, options)
        if path.suffix == ".zip":
            return _read_folder(path, _zip_members(path), options)
        return _read_file(SourceFile(path), options)
    # zipfile raises RuntimeError if an archive is encrypted.
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise DataError(
            f"{path}: expected a complete archive, got an error ({error}). Fix: download it again, or unpack it"
        ) from None
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable file, got an error ({error.strerror or error}). Fix: check its permissions"
        ) from None


def _zip_members(path: Path) -> dict[str, SourceFile]:
    """Returns name without folders → file, for the files in a zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    return {name.rpartition("/")[2]: SourceFile(path, name) for name in members}


def _read_folder(path: Path, files: Mapping[str, SourceFile], options: ReadOptions) -> Interactions:
    """Reads the files of a folder or archive that form one data set."""
    files = {name: file for name, file in files.items() if not name.startswith("._")}  # macOS stores attributes there
    for ratings, titles in RATINGS_AND_TITLES.items():
        if ratings in files:
            file = files.get(titles)
            encoding = options.encoding if titles.endswith(".csv") else None  # older releases have one of their own
            return _read_file(
                files[ratings], options, None if file is None else read_titles(file.with_encoding(encoding))
            )
    if SPLIT_LISTS[0] in files:
        return read_lists([files[name] for name in SPLIT_LISTS if name in files], options.layout)
    if LISTS in files:
        return read_lists([files[LISTS]], options.layout)
    tables = [file for name, file in files.items() if name.endswith(TABLE_SUFFIXES) and not name.startswith("README")]
    # A description of the data in JSON often lies beside a table.
    tables = [file for file in tables if not file.name.endswith(json_records.SUFFIXES)] or tables
    if len(tables) == 1:
        return _read_file(tables[0], options)
    if tables and all(file.name.endswith(parquet.SUFFIXES) for file in tables):
        return parquet.read_parquet(path, tables, options)
    if tables:
        interactions = read_tables(path, tables, options, lambda file: _read_file(file, options))
        if interactions is not None:
            return interactions
    raise DataError(
        f"{path}: expected {', '.join((*RATINGS_AND_TITLES, SPLIT_LISTS[0], LISTS))} or a single table, got "
        f"{', '.join(sorted(files)) or 'no files'}. Fix: pass the path of a file"
    )


def _read_file(file: SourceFile, options: ReadOptions, titles: dict[Any, str] | None = None) -> Interactions:
    """Reads a file in a binary format or as text."""
    start = file.start()
    if start.startswith(records.SQLITE_MAGIC) and not file.member:
        return records.read_sqlite(file.path, options)
    if options.query is not None:
        raise DataError(f"{file}: expected a database for `query`, got another file. Fix: omit it")
    if file.name.endswith(records.EXCEL_SUFFIXES):
        return records.read_excel(file, options)
    if file.name.endswith(parquet.SUFFIXES) or start.startswith(parquet.MAGIC):
        return parquet.read_parquet(file, [file], options)
    if file.name.endswith(arrow.SUFFIXES) or start.startswith(arrow.MAGIC):
        return arrow.read_feather(file, options)
    if file.name.endswith(npz.SUFFIX):
        return npz.read_npz(file)
    file = file.with_encoding(options.encoding)
    try:
        return _read_text(file, options, titles)
    except EncodingError:
        windows_file = None if options.encoding or file.encoding != "utf-8" else file.as_windows_text()
        if windows_file is None:
            raise
        LOG.warning("%s: read as cp1252, because it is not UTF-8; pass the `encoding` if it is another one", file)
        return _read_text(windows_file, options, titles)
    except UnicodeError as error:
        raise EncodingError(
            f"{file}: expected {file.encoding} text, got other content ({error.__class__.__name__}). "
            "Fix: pass another `encoding`"
        ) from None


def _read_text(file: SourceFile, options: ReadOptions, titles: dict[Any, str] | None) -> Interactions:
    """Reads a text file as JSON, as lists or as a delimited table."""
    head = file.head()
    if re.match(r"{|\[\s*{", file.head_text()):
        return json_records.read_json(file, options)
    first_line = next(line for line in head if line.strip())
    only_integers = re.fullmatch(r"[\d ]+", first_line.strip()) is not None
    if options.layout:
        return read_lists([file], options.layout)
    if only_integers and not options.separator and not options.columns and options.header is None:
        check_is_list(file)
        return read_lists([file], None)
    return DelimitedFile.sniff(file, head, options).read(titles)
