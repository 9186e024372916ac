"""Sources of data: a name is resolved to a path, and a file can be on disk or in a zip archive."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from kerasrec.data.errors import DataError, EncodingError
from kerasrec.data.readers.decoding import CHUNK_BYTES, Utf8Stream, uncompressed, utf16_of

HEAD_BYTES = 1 << 16


def find_path(data: str | Path) -> Path | None:
    """Returns the file or folder that `data` names, or `None` for a data set of TensorFlow Datasets.

    Args:
        data: a path, or a name in the folder `$KERASREC_DATA`.

    Raises:
        DataError: There is no such file or folder.
    """
    path = Path(data).expanduser()
    folder = os.environ.get("KERASREC_DATA")
    candidates = dict.fromkeys([path, Path(folder) / path] if folder else [path])  # equal if `path` is absolute
    for candidate in candidates:
        if candidate.exists():
            return candidate
    if path.parts[:1] == ("movielens",):
        return None
    missing = " and ".join(map(str, candidates)) + ("" if folder else " ($KERASREC_DATA is not set)")
    names = ", ".join(sorted(os.listdir(folder))) if folder and Path(folder).is_dir() else ""
    raise DataError(
        f"expected a path or the name of a data set, got {str(data)!r}; nothing exists at {missing}. Fix: pass a path, "
        + (f"a name in $KERASREC_DATA ({names}), " if names else "")
        + "'generated', or a data set of TensorFlow Datasets, for example 'movielens/latest-small-ratings'"
    )


@dataclass(frozen=True)
class SourceFile:
    """A file on disk or in a zip archive, which can be opened repeatedly.

    Attributes:
        path: the file or the archive.
        member: name of the file in the archive, or "".
        encoding: encoding of text. If it is not UTF-8, `open` converts the content.
    """

    path: Path
    member: str = ""
    encoding: str = "utf-8"

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file's name in lower case, in an archive with its folders."""
        return (self.member or self.path.name).lower()

    def open(self) -> IO[bytes]:
        """Opens the uncompressed content, text as UTF-8."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                stream = uncompressed(archive.open(self.member))
        else:
            stream = uncompressed(self.path.open("rb"), self.path)
        if self.encoding == "utf-8":
            return stream
        return cast(IO[bytes], io.BufferedReader(Utf8Stream(stream, self.encoding), CHUNK_BYTES))

    def start(self) -> bytes:
        """Returns the first bytes of the uncompressed content."""
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    def head_text(self) -> str:
        """Returns the first characters, without leading spaces and without a byte order mark."""
        return self.start().decode("utf-8-sig", errors="replace").lstrip()

    def with_encoding(self, encoding: str | None) -> SourceFile:
        """Returns the file with an encoding, or with the one that its first bytes show."""
        return replace(self, encoding=encoding or utf16_of(self.start()) or "utf-8")

    def as_windows_text(self) -> SourceFile | None:
        """Returns the file with the encoding cp1252, or `None` if a line is UTF-8 and not ASCII, or not cp1252."""
        with self.open() as stream:
            for line in stream:
                if not line.isascii() and (_is_encoded(line, "utf-8") or not _is_encoded(line, "cp1252")):
                    return None
        return replace(self, encoding="cp1252")

    def lines(self, encoding: str = "utf-8") -> Iterator[str]:
        r"""Yields the lines as text, with their line ends: `\n`, `\r` or `\r\n`.

        Raises:
            EncodingError: A line is not UTF-8.
        """
        number = 0
        with self.open() as stream:
            for line in stream:
                try:
                    text = line.decode(encoding)
                    # The line ends of old Macs
                    lines = re.split(r"(?<=\r)(?!\n|$)", text) if b"\r" in line[:-2] else [text]
                    number += len(lines)
                    yield from lines
                except UnicodeDecodeError as error:
                    number += 1
                    raise EncodingError(
                        f"{self}, line {number}: expected UTF-8, got byte 0x{line[error.start]:02x}. "
                        "Fix: correct the line, or pass the `encoding` of the file"
                    ) from None

    def head(self) -> list[str]:
        """Returns the first lines, without their line ends. At least one of them is not blank.

        Raises:
            DataError: The file is empty or binary.
        """
        sample = self.start()
        if b"\0" in sample:
            raise DataError(
                f"{self}: expected text, got binary content. Fix: convert it, or pass the `encoding` of the text"
            )
        # Not `splitlines`, which also splits at form feeds and other characters that occur in titles.
        lines = re.split("\r\n|\r|\n", sample.decode("utf-8-sig", errors="replace"))
        if len(sample) == HEAD_BYTES and len(lines) > 1:
            lines.pop()  # it may be incomplete
        if not any(map(str.strip, lines)):
            raise DataError(f"{self}: expected interactions, got an empty file. Fix: check how the file was written")
        return lines


def _is_encoded(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
