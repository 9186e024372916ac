"""Tables whose rows are Python objects: sheets of Excel, SQLite files and databases with a URL of SQLAlchemy."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.arrow import read_nested
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.source import SourceFile
from kerasrec.extras import install_command

LOG = logging.getLogger(__name__)

EXCEL_SUFFIXES = (".xlsx", ".xlsm")

SQLITE_MAGIC = b"SQLite format 3\0"
"""First bytes of a SQLite file."""

BLOCK = 1 << 16
"""Number of rows that are fetched at once."""


def read_excel(file: SourceFile, options: ReadOptions) -> Interactions:
    """Reads the first sheet of an Excel file that has rows. Other sheets are logged.

    Raises:
        DataError: openpyxl is not installed, the file is damaged, or its content is invalid.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise DataError(
            f"{file}: expected openpyxl, which reads Excel files, got an import error ({error}). "
            f"Fix: {install_command('excel')}"
        ) from None
    with file.open() as stream, warnings.catch_warnings(action="ignore"):  # of unsupported styles
        try:
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        except (
            zipfile.BadZipFile,
            KeyError,
            ValueError,
            OSError,
            openpyxl.utils.exceptions.InvalidFileException,
        ) as error:
            raise DataError(
                f"{file}: expected an Excel file, got damaged or other content ({error}). Fix: save it again as .xlsx"
            ) from None
        try:
            sheets = [sheet for sheet in workbook.worksheets if sheet.max_row is None or sheet.max_row > 1]
            if not sheets:
                raise DataError(f"{file}: expected a sheet with rows, got none. Fix: check how the file was written")
            if sheets[1:]:
                LOG.warning(
                    "%s: sheet %r is read, not %s; save another sheet as a file of its own", file, sheets[0].title,
                    ", ".join(repr(sheet.title) for sheet in sheets[1:]),
                )  # fmt: skip
            rows = sheets[0].iter_rows(values_only=True)
            header = ["" if name is None else str(name).strip() for name in next(rows)]
            n_empty = 0

            def filled_rows() -> Iterator[Sequence[Any]]:
                nonlocal n_empty
                for row in rows:
                    if any(field is not None and str(field).strip() for field in row):
                        yield row
                    else:
                        n_empty += 1

            table = table_of_rows(file, header, filled_rows())
        finally:
            workbook.close()
    return read_nested(file, table, options, {"empty": n_empty})


def read_sqlite(path: Path, options: ReadOptions) -> Interactions:
    """Reads a query, or the only table, of a SQLite file.

    Raises:
        DataError: The file is damaged, the query fails, or it is omitted and there are several tables.
    """
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            query = options.query
            if query is None:
                names = [name for (name,) in connection.execute(
                    "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'"
                )]  # fmt: skip
                query = f'select * from "{_only(path, names)}"'
            cursor = connection.execute(query)
            header = [column[0] for column in cursor.description or ()]
            table = table_of_rows(path, header, cursor)
        except sqlite3.Error as error:
            raise _query_error(path, error) from None
    return read_nested(path, table, options)


def read_sql(url: str, options: ReadOptions) -> Interactions:
    """Reads a query, or the only table, of a database.

    Args:
        url: URL of SQLAlchemy, for example `postgresql://user@host/shop`.
        options: the query, names of columns and rules.

    Raises:
        DataError: SQLAlchemy or the driver is not installed, the URL is invalid, the query fails, or it is omitted and
            there are several tables.
    """
    try:
        import sqlalchemy
    except ImportError as error:
        raise DataError(
            f"expected SQLAlchemy, which reads databases, got an import error ({error}). Fix: {install_command('sql')}"
        ) from None
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).is_file():
        raise DataError(f"expected a SQLite file, got {file!r}, which does not exist. Fix: pass the path of a file")
    source = url.partition("://")[0] + " database"  # the URL can contain a password
    try:
        engine = sqlalchemy.create_engine(url)
        query = options.query
        if query is None:
            name = _only(source, sqlalchemy.inspect(engine).get_table_names())
            query = f"select * from {engine.dialect.identifier_preparer.quote(name)}"
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(sqlalchemy.text(query))
            table = table_of_rows(source, list(result.keys()), result)
        engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise _query_error(source, error) from None
    return read_nested(source, table, options)


def _only(source: object, names: Sequence[str]) -> str:
    """Returns the only name.

    Raises:
        DataError: There are several, or none.
    """
    if len(names) != 1:
        raise DataError(
            f"{source}: expected a `query`, or a database with one table, got the tables {', '.join(names) or 'none'}. "
            "Fix: pass a `query`, for example 'select user_id, item_id from orders'"
        )
    return names[0]


def _query_error(source: object, error: Exception) -> DataError:
    message = " ".join(str(error).split("\n(Background")[0].split())
    return DataError(f"{source}: expected a query that succeeds, got an error ({message}). Fix: correct the `query`")


def table_of_rows(source: object, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Returns the rows as a table of pyarrow. A column that mixes text and numbers becomes text.

    Raises:
        DataError: A column has values of a type that is neither text nor a number nor a date.
    """
    import pyarrow as pa

    fields: list[list[Any]] = [[] for _ in header]
    for row in rows:
        for column, field in zip(fields, row, strict=False):
            column.append(field)
    arrays = []
    for name, column in zip(header, fields, strict=True):
        try:
            arrays.append(pa.array(column))
        except (pa.ArrowException, OverflowError):
            try:
                arrays.append(pa.array([None if field is None else str(field) for field in column], pa.string()))
            except (pa.ArrowException, UnicodeError) as error:
                raise DataError(
                    f"{source}, column {name}: expected text, numbers or dates, got an error ({error}). Fix: convert it"
                ) from None
    return pa.Table.from_arrays(arrays, names=list(header))
