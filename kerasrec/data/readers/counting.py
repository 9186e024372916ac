"""A stream that counts lines and quotes while another program reads it."""

from __future__ import annotations

import io
from typing import IO


class CountingStream(io.RawIOBase):
    r"""Reads from another stream and counts line ends and quotes.

    The counts show whether a parser has lost rows: without quotes, each line is a row; with quotes,
    there are fewer rows than lines only if a quoted field contains line breaks.

    Attributes:
        stream: the other stream, positioned at the first line to count.
        quote: the character around fields, or "".
        n_quotes: how many of them have been read.
        n_lines: number of lines that have been read. They end in `\n`, `\r` or `\r\n`.
    """

    def __init__(self, stream: IO[bytes], quote: str) -> None:
        self.stream = stream
        self.quote = quote.encode()
        self.n_quotes = 0
        self._n_line_ends = 0
        self._last = b"\n"

    @property
    def n_lines(self) -> int:
        """Number of lines, including a last line without a line end."""
        return self._n_line_ends + (self._last not in b"\r\n")

    def readable(self) -> bool:
        """Returns True, as `io.RawIOBase` demands."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes."""
        content = self.stream.read(size)
        if content:
            self.n_quotes += content.count(self.quote) if self.quote else 0
            self._n_line_ends += content.count(b"\n")
            if b"\r" in content:
                self._n_line_ends += content.count(b"\r") - content.count(b"\r\n")
            if self._last == b"\r" and content[:1] == b"\n":
                self._n_line_ends -= 1
            self._last = content[-1:]
        return content

    def close(self) -> None:
        """Closes the other stream."""
        self.stream.close()
        super().close()
