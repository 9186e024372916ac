"""Sources of data: a name is resolved to a path, and a file can be on disk or in a zip archive."""

from __future__ import annotations

import gzip
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kerasrec.data.errors import DataError

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
    """

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file's name in lower case, in an archive with its folders."""
        return (self.member or self.path.name).lower()

    def open(self) -> IO[bytes]:
        """Opens the uncompressed content."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                return archive.open(self.member)
        return gzip.open(self.path) if self.name.endswith(".gz") else self.path.open("rb")  # type: ignore[return-value]

    def lines(self, encoding: str = "utf-8") -> Iterator[str]:
        r"""Yields the lines as text, with their line ends: `\n`, `\r` or `\r\n`.

        Raises:
            DataError: A line is not UTF-8.
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
                    raise DataError(
                        f"{self}, line {number}: expected UTF-8, got byte 0x{line[error.start]:02x}. Fix: convert the "
                        "file, which is probably Latin-1 (iconv -f latin1 -t utf-8)"
                    ) from None

    def head(self) -> list[str]:
        """Returns the first lines, without their line ends. At least one of them is not blank.

        Raises:
            DataError: The file is empty, or is not text in UTF-8 or a similar encoding.
        """
        with self.open() as stream:
            sample = stream.read(HEAD_BYTES)
        if sample[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in sample:
            raise DataError(
                f"{self}: expected UTF-8 text, got UTF-16 or binary content. "
                "Fix: convert the file (iconv -f utf-16 -t utf-8)"
            )
        # Not `splitlines`, which also splits at form feeds and other characters that occur in titles.
        lines = re.split("\r\n|\r|\n", sample.decode("utf-8-sig", errors="replace"))
        if len(sample) == HEAD_BYTES and len(lines) > 1:
            lines.pop()  # it may be incomplete
        if not any(map(str.strip, lines)):
            raise DataError(f"{self}: expected interactions, got an empty file. Fix: check how the file was written")
        return lines
