import io

import pytest

from kerasrec.data.readers.counting import CountingStream


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("content, n_lines, n_quotes", [
    (b"", 0, 0), (b"a", 1, 0), (b"a\n", 1, 0), (b"a\nb", 2, 0), (b'"a"\r\n"b\r\n', 2, 3), (b"a\rb\r", 2, 0),
    (b"a\r\n\r\nb\n\rc", 5, 0),
])  # fmt: skip
def test_lines_and_quotes_are_counted(content, n_lines, n_quotes, size):
    stream = CountingStream(io.BytesIO(content), '"')
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == content
    assert (stream.n_lines, stream.n_quotes) == (n_lines, n_quotes)
