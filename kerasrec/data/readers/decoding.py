"""Compressed and encoded content as UTF-8 bytes. The content decides, not the suffix of the file's name."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

CHUNK_BYTES = 1 << 20


def _open_zstd(file: Any) -> IO[bytes]:
    import pyarrow as pa

    source = pa.OSFile(str(file)) if isinstance(file, Path) else file
    return cast(IO[bytes], io.BufferedReader(pa.CompressedInputStream(source, "zstd"), CHUNK_BYTES))


def _open_gzip(file: Any) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file))


OPENERS: dict[bytes, Callable[[Any], IO[bytes]]] = {
    b"\x1f\x8b": _open_gzip,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": _open_zstd,
}
"""First bytes of a compressed file → function that opens the content of a path or a stream."""


def uncompressed(stream: IO[bytes], path: Path | None = None) -> IO[bytes]:
    """Returns the uncompressed content of a seekable stream (gzip, bzip2, xz or Zstandard), or the stream itself.

    Args:
        stream: the stream.
        path: its file. If given, closing the result also closes the file.
    """
    start = stream.read(6)
    stream.seek(0)
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    if opener is None:
        return stream
    if path is None:
        return opener(stream)
    stream.close()
    return opener(path)


def utf16_of(start: bytes) -> str | None:
    """Returns the name of the UTF-16 encoding that text begins with, or `None`."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    # Without a byte order mark, every second byte of English text is 0.
    pairs = start[: len(start) // 2 * 2]
    if b"\0" in pairs[1::2] and not pairs[1::2].strip(b"\0"):
        return "utf-16-le"
    if b"\0" in pairs[::2] and not pairs[::2].strip(b"\0"):
        return "utf-16-be"
    return None


class Utf8Stream(io.RawIOBase):
    """The content of a stream in another encoding, as UTF-8.

    Attributes:
        stream: the other stream.
        decoder: decodes its content.
    """

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        """Returns True, as `io.RawIOBase` demands."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the start of `buffer` and returns the number of bytes.

        Raises:
            UnicodeDecodeError: The content has another encoding.
        """
        while not self._rest:
            content = self.stream.read(CHUNK_BYTES)
            self._rest = self.decoder.decode(content, final=not content).encode()
            if not content:
                break
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n

    def close(self) -> None:
        """Closes the other stream."""
        self.stream.close()
        super().close()
