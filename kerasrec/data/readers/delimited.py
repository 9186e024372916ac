"""Delimited text: CSV, TSV, and the "::" of MovieLens 1M, with or without a header.

pyarrow reads the file. If it fails or may have lost rows, a slow reader finds the line at fault, for the error message.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from kerasrec.data.columns import ROLES, find_columns
from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.readers.counting import CountingStream
from kerasrec.data.readers.headers import Header, header_of, roles_by_position
from kerasrec.data.readers.inference import decimal_separator, field_type, most_frequent_separator, without_types
from kerasrec.data.readers.options import ReadOptions
from kerasrec.data.readers.rows import numbered_rows
from kerasrec.data.readers.source import SourceFile
from kerasrec.data.readers.text_table import TextTable
from kerasrec.data.row_rules import RULE
from kerasrec.data.rows import rows_of_columns
from kerasrec.data.synonyms import has_usual_name
from kerasrec.data.text import MISSING, NUMBER, rows_where

LOG = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 22

LARGEST_BLOCK_BYTES = 1 << 30
"""A row must fit into a block. Rows of more than `BLOCK_BYTES` are rare."""


class DelimitedFile(TextTable):
    """A text file of columns, with the format that its first lines have."""

    @classmethod
    def sniff(cls, file: SourceFile, head: list[str], options: ReadOptions) -> DelimitedFile:
        """Infers the format of a file from its first lines, where the options do not state it.

        Raises:
            DataError: There are no interactions, no columns for users and items, or no unique separators.
        """
        skip = next(i for i, line in enumerate(head) if line.strip())
        excel_line = re.fullmatch(r"sep=(.)", head[skip])  # Excel reads it
        if excel_line:
            skip += 1
            separator = options.separator or excel_line[1]
        else:
            separator = options.separator or most_frequent_separator(head[skip])
        quote = options.quote if options.quote is not None and separator != "::" else '"' * (separator != "::")
        lines = (f"{line}\n" for line in head)
        rows = [row for row in numbered_rows(lines, separator, quote, skip, strict=False) if not row.is_empty]
        if not rows:
            raise DataError(f"{file}: expected interactions, got only separators. Fix: check how the file was written")
        skip = rows[0].first - 1
        first, samples = without_types([name.strip() for name in rows[0].fields]), [row.fields for row in rows]
        if len(first) == 1:
            raise DataError(
                f"{file}, line {skip + 1}: expected columns separated by {separator!r}, got {first[0][:80]!r}. "
                "Fix: pass the `separator`"
            )
        header = header_of(first, samples[1:], options)
        if header.is_first_row:
            if not header.is_certain:
                LOG.warning(
                    "%s: line %d is read as names of columns (%s); `header` reads it as an interaction",
                    file,
                    skip + 1,
                    ", ".join(first),
                )
            skip, samples = rows[0].last, samples[1:]
            positions = _columns_by_name(file, header, samples, options, line=rows[0].first)
        else:
            positions = _columns_by_position(file, header, samples, options, line=skip + 1)
        names = {role: header.names[position] for role, position in positions.items()}
        if not samples:
            raise DataError(
                f"{file}: expected interactions below the header, got none. Fix: check how the file was written"
            )
        fields = {role: [row[p] for row in samples if len(row) > p] for role, p in positions.items()}
        types = {role: field_type(role, column) for role, column in fields.items()}
        types |= {role: "str" for role in types if role.startswith(RULE)}
        if "time" in types and options.times.date_format is not None:
            types["time"] = "str"
        decimal = options.decimal or decimal_separator(file, names.get("value", ""), fields.get("value", ()))
        is_quoted = bool(quote) and any(quote in line for line in head[skip:])
        return cls(
            file,
            separator,
            skip,
            len(first),
            positions,
            names,
            types,
            options.times,
            options.rules,
            decimal,
            quote,
            is_quoted,
        )

    def read(self, titles: dict[Any, str] | None) -> Interactions:
        """Reads the interactions.

        Args:
            titles: item id → title.

        Raises:
            DataError: A line is invalid.
        """
        try:
            columns, n_empty = self._columns()
            columns, dropped = self.rules.apply(columns, from_text=True)
            return Interactions(
                **rows_of_columns(
                    columns,
                    times=self.times,
                    duplicates=self.rules.merging,
                    names=self.rules.names_of_roles(self.names),
                    titles=titles,
                    dropped={"empty": n_empty, **dropped},
                    from_text=True,
                )
            )
        except UnicodeDecodeError:
            raise
        except DataError as error:
            raise error if str(error).startswith(str(self.file)) else DataError(f"{self.file}: {error}") from None
        except ValueError as error:
            raise self.error() or DataError(self.message(error)) from None

    def _columns(self) -> tuple[dict[str, Any], int]:
        """Returns role → pyarrow column, and the number of empty rows."""
        import pyarrow.compute as pc

        columns, n_misshapen = self._parse()
        is_empty = self._empty_rows(columns)
        if is_empty is None:
            return columns, n_misshapen
        columns = {role: column.filter(pc.invert(is_empty)) for role, column in columns.items()}
        return columns, n_misshapen + is_empty.true_count

    def _parse(self) -> tuple[dict[str, Any], int]:
        """Returns role → pyarrow column, and the number of empty rows with another width, which are left out.

        Raises:
            DataError: A line is invalid, or a quoted field has swallowed rows.
        """
        import pyarrow as pa

        for has_quotes in (True,) if self.is_quoted else (False, True):
            with self._content() as stream:
                try:
                    columns = self.parse(stream, has_quotes, BLOCK_BYTES)
                except (ValueError, pa.ArrowException):
                    if stream.n_quotes and not has_quotes:
                        continue  # of which this attempt knew nothing
                    self._check_rows()
                    content, n_misshapen = self._without_misshapen_rows()
                    block_bytes = min(max(BLOCK_BYTES, len(content)), LARGEST_BLOCK_BYTES)
                    try:
                        return self.parse(io.BytesIO(content), bool(self.quote), block_bytes), n_misshapen
                    except pa.ArrowException as error:
                        raise DataError(self.message(error)) from None
            if has_quotes or not stream.n_quotes:
                break
        # Fewer rows than lines: some lines are blank, or a quoted field contains line breaks, or a quote is missing.
        if stream.n_quotes % 2 or (stream.n_quotes and len(columns["user"]) != stream.n_lines):
            self._check_rows()
        return columns, 0

    def _check_rows(self) -> None:
        """Checks each row with the slow reader.

        Raises:
            DataError: A row is invalid.
        """
        first_fault = self.error()
        if first_fault:
            raise first_fault

    def _without_misshapen_rows(self) -> tuple[bytes, int]:
        """Returns the content without empty rows of another width, which spreadsheets write, and their number."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator[0], quotechar=self.quote or '"', lineterminator="\n")
        n_misshapen = 0
        for row in self.rows():
            if len(row.fields) != self.width and row.is_empty:
                n_misshapen += any(row.fields) or len(row.fields) > 1
            elif self.quote:
                writer.writerow(row.fields)
            else:
                text.write(self.separator.join(row.fields) + "\n")
        return text.getvalue().encode(), n_misshapen

    def _content(self) -> CountingStream:
        """Opens the file at the first interaction."""
        # In Latin-1, each byte is a character.
        n_bytes = sum(len(line) for line in islice(self.file.lines("latin-1"), self.skip))
        stream = self.file.open()
        stream.read(n_bytes)
        return CountingStream(stream, self.quote)

    def parse(self, stream: Any, has_quotes: bool, block_bytes: int) -> dict[str, Any]:
        """Returns role → pyarrow column of a stream of rows without a header.

        Args:
            stream: a binary file of rows.
            has_quotes: whether `quote` has a meaning.
            block_bytes: the size of the blocks that are parsed at once.

        Raises:
            pyarrow.ArrowException: A row is invalid.
        """
        import pyarrow as pa
        from pyarrow import csv as pa_csv

        # pyarrow would convert 0042 and 0x2A to the integer 42, so it reads ids as strings.
        # A dictionary has each distinct id once, so later steps are fast.
        texts = pa.dictionary(pa.int32(), pa.string())
        numbers = {"float": pa.float64(), "bool": pa.bool_()}
        types = {role: numbers.get(kind, texts) for role, kind in self.types.items()}
        # pyarrow separates at one character, so "::" has an empty column in the middle.
        step = len(self.separator)
        labels = [str(n) for n in range(step * (self.width - 1) + 1)]
        label = {role: str(step * position) for role, position in self.positions.items()}
        # A rule can read the column of a role, whose type then counts.
        column_types = {label[role]: types[role] for role in sorted(types, key=lambda role: not role.startswith(RULE))}
        if step == 2:
            column_types |= dict.fromkeys(labels[1::2], pa.null())  # a field between the colons is an error
        table = pa_csv.read_csv(
            stream,
            pa_csv.ReadOptions(column_names=labels, block_size=block_bytes),
            pa_csv.ParseOptions(
                delimiter=self.separator[0],
                quote_char=self.quote if has_quotes else False,
                newlines_in_values=has_quotes,
            ),
            pa_csv.ConvertOptions(
                column_types=column_types,
                include_columns=list(dict.fromkeys(label.values())) if step == 1 else labels,
                null_values=MISSING,
                decimal_point=self.decimal,
            ),
        )
        return {role: table[name] for role, name in label.items()}

    def _empty_rows(self, columns: Mapping[str, Any]) -> Any:
        """Returns a mask of the rows that contain only separators, or `None` if there are none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        is_candidate = rows_where(columns["user"], lambda ids: pc.equal(pc.utf8_trim_whitespace(ids), ""))
        if not pc.any(is_candidate).as_py():
            return None
        # Columns that were not read may contain text.
        rows = (row for row in self.rows() if len(row.fields) == self.width)
        is_empty = pa.array([row.is_empty for row in rows])
        return is_empty if len(is_empty) == len(is_candidate) and is_empty.true_count else None


def _columns_by_name(
    file: SourceFile, header: Header, samples: Sequence[Sequence[str]], options: ReadOptions, line: int
) -> dict[str, int]:
    """Returns role → position in a table with a header in this line."""
    width = len(header.names)
    blank = [p for p in range(width) if not any("".join(row[p : p + 1]).strip() for row in samples)]
    try:
        return find_columns(file, header.names, options.columns, options.rules, blank if samples else ())
    except DataError as error:
        if has_usual_name(header.names, ROLES) or options.header:
            raise
        raise DataError(f"{error}, or `header` if line {line} is an interaction") from None


def _columns_by_position(
    file: SourceFile, header: Header, samples: Sequence[Sequence[str]], options: ReadOptions, line: int
) -> dict[str, int]:
    """Returns role → position in a table without a header, whose interactions begin in this line."""
    first = [field.strip() for field in samples[0]]
    if len(first) > len(ROLES) and not options.columns and all(map(NUMBER.fullmatch, first)):
        raise DataError(
            f"{file}, line {line}: expected names of columns, or at most {len(ROLES)} numbers "
            f"({', '.join(ROLES)}), got {len(first)} numbers. Fix: add a header line, pass the numbers of the "
            "columns, or the `layout` of a list"
        )
    chosen = roles_by_position(samples, len(first), options)
    numbers = {role: str(position + 1) for role, position in chosen.items()}
    return find_columns(file, header.names, {**numbers, **options.columns}, options.rules)
