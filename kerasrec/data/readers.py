"""From files to `Interactions`: MovieLens archives, tables (CSV, TSV, Parquet) and lists of items a user."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerasrec.data.columns import INTEGER, MISSING, NUMBER, TimeFormat, arrays, fault, places, problem
from kerasrec.data.errors import DataError
from kerasrec.data.generated import generate
from kerasrec.data.interactions import Interactions
from kerasrec.types import IntArray

SEPARATORS = ",\t;|"
DECIMALS = (".", ",")
LAYOUTS = ("user-items", "count-items")
SNIFFED = 1 << 16

# What `read` takes for an archive's ratings, and where that archive keeps the titles.
MOVIELENS = {"ratings.dat": "movies.dat", "u.data": "u.item", "ratings.csv": "movies.csv"}
PARTS = ("train.txt", "valid.txt", "test.txt")
PARQUET = (".parquet", ".pq")
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", *PARQUET, ".txt", ".dat", ".data")


def read(
    data: str | Path,
    *,
    user: str | None = None,
    item: str | None = None,
    value: str | None = None,
    time: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    layout: str | None = None,
    time_unit: str = "s",
    date_format: str | None = None,
) -> Interactions:
    """Reads interactions from a file, a folder, an archive or a name.

    Understood are MovieLens folders and zips (`ratings.dat`, `u.data`, `ratings.csv`, with the
    items' titles), CSV, TSV and Parquet tables with a header, headerless tables of `user item
    [value [time]]`, and lists with one user a line, `user item item …` or `count item item …`.
    Of a (user, item) pair that occurs again the last in time is kept, or the last of the file.
    Blanks around the fields of a text file are left out, and so are lines of nothing but separators.

    Args:
        data: in this order: `"generated"` (`kerasrec.data.generate()`), a path, a name in the
            folder `$KERASREC_DATA`, or a data set of TensorFlow Datasets, as in
            `"movielens/latest-small-ratings"`.
        user: name of the column of user ids; guessed from usual names where absent, like the others.
        item: name of the column of item ids.
        value: name of the column of ratings or counts; every value is 1 without such a column.
        time: name of the column of times: numbers, or dates.
        separator: the character between columns; guessed from the first line where absent.
        decimal: what stands before the decimals of a value, `"."` or `","`; guessed from the first lines where absent.
        layout: of lists: `"user-items"` or `"count-items"`, where line n from 0 is user n. Where
            absent, it is the latter if each line's first number counts the others.
        time_unit: of times that are numbers: `"s"`, `"ms"`, `"us"` or `"ns"` since 1970.
        date_format: of times that are dates, if they are not written as ISO has it: `"%d/%m/%Y %H:%M"`, as for
            `datetime.strptime`. Dates without a zone are UTC.

    Returns:
        The interactions, each user's in the order of the file.

    Raises:
        DataError: nothing has that name, or its content is bad.

    Example:
        >>> from kerasrec.data import read
        >>> read("generated").n_users
        2000
    """
    times = TimeFormat(time_unit, date_format)
    if layout not in (None, *LAYOUTS):
        raise DataError(f"`layout` must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    if separator is not None and len(separator) != 1:
        raise DataError(f"`separator` must be one character, not {separator!r}")
    if decimal not in (None, *DECIMALS):
        raise DataError(f"`decimal` must be '.' or ',', not {decimal!r}")
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(
            f"`data` must be a path or a name, not {type(data).__name__}: data frames go to `Interactions.from_frame`"
        )
    if data == "generated":
        return generate()
    path = find(data)
    if path is None:
        from kerasrec.data.tfds import read_tfds

        return read_tfds(str(data))
    named = {"user": user, "item": item, "value": value, "time": time}
    form = _Form({role: name for role, name in named.items() if name is not None}, separator, decimal, layout, times)
    try:
        if path.is_dir():
            return _read_folder(path, {p.name: _File(p) for p in sorted(path.iterdir()) if p.is_file()}, form)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX/")]
            return _read_folder(path, {m.rpartition("/")[2]: _File(path, m) for m in members}, form)
        return _read_file(_File(path), form)
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, RuntimeError) as error:  # the last: encrypted
        raise DataError(f"{path} cannot be unpacked ({error}): fetch it again, or unpack it yourself") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}): check its permissions") from None


@dataclass(frozen=True)
class _Form:
    """What the caller said about the form of the data."""

    names: Mapping[str, str]
    separator: str | None
    decimal: str | None
    layout: str | None
    times: TimeFormat


@dataclass(frozen=True)
class _File:
    """A file on disk or inside a zip, which can be opened again and again."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        return (self.member or self.path.name).lower()

    def open(self) -> IO[bytes]:
        """The content, unpacked."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                return archive.open(self.member)
        return gzip.open(self.path) if self.name.endswith(".gz") else self.path.open("rb")  # type: ignore[return-value]

    def lines(self, encoding: str = "utf-8") -> Iterator[str]:
        """The lines as text, with their ends."""
        with self.open() as stream:
            for number, line in enumerate(stream, 1):
                try:
                    yield line.decode(encoding)
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{self}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8, so the file is probably "
                        "Latin-1: convert it (iconv -f latin1 -t utf-8)"
                    ) from None

    def head(self) -> list[str]:
        """The first lines, without their ends; at least one of them is not blank."""
        with self.open() as stream:
            sample = stream.read(SNIFFED)
        if sample[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in sample:
            raise DataError(f"{self} is UTF-16 or no text at all: convert it to UTF-8 (iconv -f utf-16 -t utf-8)")
        # Not `splitlines`, which also cuts at form feeds and other characters that stand inside a title.
        lines = re.split("\r\n|\r|\n", sample.decode("utf-8-sig", errors="replace"))
        if len(sample) == SNIFFED and len(lines) > 1:
            lines.pop()  # the sample may end in the middle of it
        if not any(map(str.strip, lines)):
            raise DataError(f"{self} is empty: there is nothing to read")
        return lines


def find(data: str | Path) -> Path | None:
    """The file or folder that `data` names, or `None` where it names a set of TensorFlow Datasets."""
    path = Path(data).expanduser()
    folder = os.environ.get("KERASREC_DATA")
    places = dict.fromkeys([path, Path(folder) / path] if folder else [path])  # the same twice if `path` is absolute
    for place in places:
        if place.exists():
            return place
    if path.parts[:1] == ("movielens",):
        return None
    looked = " and ".join(map(str, places)) + ("" if folder else " ($KERASREC_DATA is not set)")
    names = ", ".join(sorted(os.listdir(folder))) if folder and Path(folder).is_dir() else ""
    raise DataError(
        f"no data {str(data)!r}: looked for {looked}; what works is a path"
        + (f", a name in $KERASREC_DATA ({names})" if names else "")
        + ", 'generated', or a set of TensorFlow Datasets such as 'movielens/latest-small-ratings'"
    )


def _read_folder(path: Path, files: Mapping[str, _File], form: _Form) -> Interactions:
    files = {name: file for name, file in files.items() if not name.startswith("._")}  # what macOS says about a file
    for ratings, titles in MOVIELENS.items():
        if ratings in files:
            return _read_file(files[ratings], form, _titles(files[titles]) if titles in files else None)
    if PARTS[0] in files:
        return _read_lists([files[part] for part in PARTS if part in files], form.layout)
    if "users.dat" in files:
        return _read_lists([files["users.dat"]], form.layout)
    tables = [file for name, file in files.items() if name.endswith(TABLES) and not name.startswith("README")]
    if len(tables) == 1:
        return _read_file(tables[0], form)
    if tables and all(file.name.endswith(PARQUET) for file in tables):
        return _read_parquet(path, tables, form)
    raise DataError(
        f"{path} holds nothing known: looked for {', '.join((*MOVIELENS, PARTS[0], 'users.dat'))} or one single table, "
        f"found {', '.join(sorted(files)) or 'no files'}: give the path of a file"
    )


def _titles(file: _File) -> dict[Any, str]:
    """Item id → title from a MovieLens catalogue: the first two columns."""
    if file.name.endswith(".csv"):
        rows = _numbered_rows(file.lines("utf-8-sig"), ",", skip=1)
    else:
        separator = "::" if file.name.endswith(".dat") else "|"
        lines = enumerate((line.rstrip("\r\n") for line in file.lines("latin-1")), 1)
        rows = ((number, line.split(separator)) for number, line in lines if line.strip())
    titles: dict[Any, str] = {}
    for number, row in rows:
        if len(row) < 2:
            raise DataError(f"{file}, line {number}: an item's id and its title are due, not {row[0][:40]!r}: mend it")
        item, title = row[0].strip(), row[1].strip()
        titles[int(item) if INTEGER.fullmatch(item) else item] = title
    return titles


def _read_file(file: _File, form: _Form, titles: dict[Any, str] | None = None) -> Interactions:
    if file.name.endswith(PARQUET):
        return _read_parquet(file, [file], form)
    head = file.head()
    first = next(line for line in head if line.strip())
    numbers_and_spaces = re.fullmatch(r"[\d ]+", first.strip()) is not None
    if form.layout and form.names:
        raise DataError(
            f"`layout` is of lists, which have no columns: leave `{next(iter(form.names))}` or `layout` out"
        )
    if form.layout or (numbers_and_spaces and not form.separator and not form.names):
        if not form.layout:
            _refuse_a_table(file)
        return _read_lists([file], form.layout)
    return _Table.sniff(file, head, form).read(titles)


# ---- tables ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """A text file of columns: what its first lines tell about it.

    Attributes:
        file: the file.
        separator: what stands between columns.
        skip: how many lines come before the first interaction.
        width: how many columns there are.
        at: role (user, item, value, time) → position of its column.
        names: role → the column's name.
        types: role → how the first lines look: int, str or float.
        times: how times are written.
        decimal: what stands before the decimals of a value.
    """

    file: _File
    separator: str
    skip: int
    width: int
    at: Mapping[str, int]
    names: Mapping[str, str]
    types: Mapping[str, str]
    times: TimeFormat
    decimal: str

    @classmethod
    def sniff(cls, file: _File, head: list[str], form: _Form) -> _Table:
        start = next(i for i, line in enumerate(head) if line.strip())
        told = re.fullmatch(r"sep=(.)", head[start])  # a line for Excel, before the header
        if told:
            start += 1
            separator = form.separator or told[1]
        else:
            separator = form.separator or ("::" if "::" in head[start] else max(SEPARATORS, key=head[start].count))
        numbered = list(_numbered_rows(head[start:], separator))
        if not numbered:
            raise DataError(f"{file} is empty but for its separators: there is nothing to read")
        start += numbered[0][0] - 1
        rows = [row for _, row in numbered]
        header = [name.strip() for name in rows[0]]
        if len(header) == 1:
            raise DataError(
                f"{file}, line {start + 1}: no {separator!r} in {header[0][:80]!r}: "
                "say what separates columns (`separator`)"
            )
        if all(NUMBER.fullmatch(name) for name in header) and not form.names:
            if len(header) > 4:
                raise DataError(
                    f"{file}, line {start + 1}: {len(header)} numbers and no column names: add a header line, "
                    "or give the `layout` of a list"
                )
            at = {role: column for column, role in enumerate(("user", "item", "value", "time")[: len(header)])}
            names = {role: str(column + 1) for role, column in at.items()}
        else:
            at = places(file, header, form.names)
            names = {role: header[column] for role, column in at.items()}
            start, rows = start + 1, rows[1:]
        if not rows:
            raise DataError(f"{file} has a header and no interactions below it: there is nothing to read")
        fields = {role: [row[c] for row in rows if len(row) > c] for role, c in at.items()}
        types = {role: _type(role, sample) for role, sample in fields.items()}
        if "time" in types and form.times.date_format is not None:
            types["time"] = "str"
        decimal = form.decimal or _decimal(file, names, fields.get("value", ()))
        return cls(file, separator, start, len(header), at, names, types, form.times, decimal)

    def read(self, titles: dict[Any, str] | None) -> Interactions:
        try:
            try:
                return self.attempt(titles)
            except ValueError:
                # Spreadsheets leave lines of separators behind the data; looking for them always would cost too much.
                return self.attempt(titles, bare_lines=False)
        except ValueError as error:
            raise self.fault() or DataError(f"{self.file}: {error}") from None

    def attempt(self, titles: dict[Any, str] | None, bare_lines: bool = True) -> Interactions:
        """The interactions, read with or without the lines of nothing but separators.

        Raises:
            ValueError: something in them is bad.
        """
        return Interactions.from_arrays(**arrays(self.parse(bare_lines), self.times), titles=titles)

    def parse(self, bare_lines: bool) -> dict[str, Any]:
        """Role → column as a pyarrow array; ids as integers where that loses nothing."""
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv as pa_csv

        # As integers, pyarrow would take 0042 and 0x2A for 42.
        types = {role: pa.float64() if kind == "float" else pa.string() for role, kind in self.types.items()}
        wide = self.separator == "::"  # every second column is the empty one between two colons
        columns = [str(c) for c in range(2 * self.width - 1 if wide else self.width)]
        name = {role: str(2 * c if wide else c) for role, c in self.at.items()}
        with self.file.open() as stream:
            table = pa_csv.read_csv(
                stream if bare_lines else self.without_bare_lines(stream),
                pa_csv.ReadOptions(column_names=columns, skip_rows=self.skip, block_size=1 << 22),
                pa_csv.ParseOptions(delimiter=self.separator[0], quote_char=False if wide else '"'),
                pa_csv.ConvertOptions(
                    column_types={c: pa.null() for c in columns[1::2] if wide}
                    | {name[role]: kind for role, kind in types.items()},
                    include_columns=columns if wide else list(name.values()),
                    null_values=MISSING,
                    decimal_point=self.decimal,
                ),
            )
        found = {role: table[column] for role, column in name.items()}
        for role, kind in types.items():
            if kind == pa.string():  # around numbers pyarrow itself leaves out blanks
                found[role] = pc.utf8_trim_whitespace(found[role])
        return {**found, "user": _as_integers(found["user"]), "item": _as_integers(found["item"])}

    def without_bare_lines(self, stream: IO[bytes]) -> IO[bytes]:
        """The content less those lines of nothing but separators that come after the header."""
        lines = enumerate(stream)
        nothing = self.separator.encode() + b'"\r\n'
        kept = io.BytesIO()
        kept.writelines(line for number, line in lines if number < self.skip or line.strip(nothing))
        kept.seek(0)
        return kept

    def fault(self) -> DataError | None:
        """The first line that is at fault, found by reading the slow and careful way."""
        integers = {role for role, kind in self.types.items() if kind == "int"}
        try:
            for line, row in _numbered_rows(self.file.lines("utf-8-sig"), self.separator, self.skip):
                if len(row) != self.width:
                    return DataError(
                        f"{self.file}, line {line}: {len(row)} columns where the first line has {self.width}: "
                        "mend the line, or quote what holds a separator"
                    )
                fields = {role: row[c] for role, c in self.at.items()}
                told = problem(fields, self.names, self.times, integers, self.decimal)
                if told:
                    return DataError(f"{self.file}, line {line}, {told}")
        except csv.Error as error:
            return DataError(f"{self.file}: {error}: mend the quotes")
        return None


def _numbered_rows(lines: Iterable[str], separator: str, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Each line that holds more than separators, cut at them, and its number from 1."""
    if separator == "::":
        cut = ((number, line.rstrip("\r\n").split("::")) for number, line in enumerate(lines, 1))
    else:
        reader = csv.reader(lines, delimiter=separator)
        cut = ((reader.line_num, row) for row in reader)
    return ((number, row) for number, row in cut if number > skip and any(row))


def _type(role: str, sample: Sequence[str]) -> str:
    """How the first fields of a column look."""
    sample = [field for field in map(str.strip, sample) if field not in MISSING]
    if role in ("user", "item"):
        return "int" if all(map(INTEGER.fullmatch, sample)) else "str"
    return "float" if role == "value" or all(map(NUMBER.fullmatch, sample)) else "str"


def _decimal(file: _File, names: Mapping[str, str], values: Sequence[str]) -> str:
    """What stands before the decimals of the first values.

    Raises:
        DataError: it may as well stand between thousands.
    """
    commas = [value.strip() for value in values if re.fullmatch(r"\s*-?\d+(,\d+)+\s*", value)]
    thousands = [value for value in commas if re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+", value)]
    if thousands and len(thousands) == len(commas):
        raise DataError(
            f"{file}, column {names['value']} (value): {thousands[0]!r} may have decimals or be a thousand and more: "
            "say decimal=',' if it has decimals, or else write it without the comma"
        )
    return "," if commas else "."


def _as_integers(ids: Any) -> Any:
    """A pyarrow column of strings as int64 where that loses nothing; there, what is missing becomes null.

    That holds for 1.0, 2.0 and so on as well, which is how pandas writes integers that it has as floats.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.is_in(ids, pa.array(MISSING))

    def all_are(pattern: str) -> bool:
        return bool(pc.all(pc.or_(missing, pc.match_substring_regex(ids, f"^({pattern})$"))).as_py())

    if all_are(rf"({INTEGER.pattern})\.0"):
        ids = pc.if_else(missing, ids, pc.utf8_slice_codeunits(ids, 0, -2))
    elif not all_are(INTEGER.pattern):
        return ids
    try:
        return pc.if_else(missing, None, ids).cast(pa.int64())
    except pa.ArrowInvalid:  # more than 64 bits
        return ids


def _read_parquet(where: object, files: Sequence[_File], form: _Form) -> Interactions:
    """One table, of one file or of the parts in which many programs write it."""
    import pyarrow as pa
    from pyarrow import parquet

    tables: list[Any] = []
    names: dict[str, str] = {}
    for file in files:
        with file.open() as stream:
            try:
                source = parquet.ParquetFile(stream)
                header = source.schema_arrow.names
                names = names or {role: header[column] for role, column in places(file, header, form.names).items()}
                tables.append(source.read(columns=list(names.values())))
            except pa.ArrowException as error:
                raise DataError(
                    f"{file} is no Parquet file, or a damaged one ({error}): fetch or write it again"
                ) from None
        if tables[-1].schema.types != tables[0].schema.types or tables[-1].column_names != tables[0].column_names:
            raise DataError(f"{file} has other columns than {files[0]}: parts of one table have the same")
    table = pa.concat_tables(tables)
    if not len(table):
        raise DataError(f"{where} has columns and no interactions: there is nothing to read")
    columns = {role: table[name] for role, name in names.items()}
    try:
        return Interactions.from_arrays(**arrays(columns, form.times))
    except ValueError as error:
        raise fault(where, columns, names, form.times, error) from None


# ---- lists ----------------------------------------------------------------------------------


def _read_lists(files: Sequence[_File], layout: str | None) -> Interactions:
    """One user a line; the lines of one user in several files are joined in the order of the files."""
    parts = [_numbers(file) for file in files]
    if layout is None:
        layout = LAYOUTS[not any(len(_miscounted(*part)) for part in parts)]
    users, items = [], []
    for file, (numbers, lengths) in zip(files, parts, strict=True):
        first = np.zeros(len(numbers), bool)
        first[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        if layout == "count-items":
            wrong = _miscounted(numbers, lengths)
            if len(wrong):
                raise DataError(
                    f"{file}, line {wrong[0] + 1}: the first number is not how many others follow: mend it, "
                    "or say layout='user-items'"
                )
            who: IntArray = np.arange(len(lengths))
        else:
            lengths = lengths[lengths > 0]
            who = numbers[first]
        users.append(np.repeat(who, lengths - 1))
        items.append(numbers[~first])
    if not any(map(len, items)):
        raise DataError(f"{files[0]} lists users and no items: there is nothing to read")
    return Interactions.from_arrays(np.concatenate(users), np.concatenate(items))


def _refuse_a_table(file: _File) -> None:
    """Three or four numbers on every line, and users who come back on later lines, are no list of items."""
    rows = [line.split() for line in file.head() if line.strip()]
    widths, users = {len(row) for row in rows}, [row[0] for row in rows]
    if len(rows) > 1 and widths in ({3}, {4}) and len(set(users)) < len(users):
        raise DataError(
            f"{file} has {widths.pop()} numbers on every line and user {max(users, key=users.count)} on several: if it "
            "is a table of user, item, value, time, say separator=' '; if it lists items, say layout='user-items'"
        )


def _numbers(file: _File) -> tuple[IntArray, IntArray]:
    """All numbers of a file, one after another, and how many each line has."""
    file.head()
    rows = [line.split() for line in file.lines("utf-8-sig")]
    while not rows[-1]:
        rows.pop()
    fields = [field for row in rows for field in row]
    if all(map(str.isdecimal, fields)):
        try:
            return np.array(fields, np.int64), np.array([len(row) for row in rows])
        except OverflowError:
            raise DataError(f"{file} holds an id of more than 64 bits: rename it") from None
    line, field = next((n, field) for n, row in enumerate(rows, 1) for field in row if not field.isdecimal())
    raise DataError(
        f"{file}, line {line}: {field[:40]!r} is not a number from 0: a list has one user a line, `user item item …` "
        "or `count item item …`"
    )


def _miscounted(numbers: IntArray, lengths: IntArray) -> IntArray:
    """The lines, from 0, whose first number does not count the others."""
    first = np.minimum(np.cumsum(lengths) - lengths, len(numbers) - 1)
    return np.flatnonzero((lengths == 0) | (numbers[first] != lengths - 1))
