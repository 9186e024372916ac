"""Files in which one byte or one line is changed: never a traceback, never a loss beyond the rows that it touches.

`KERASREC_MUTATIONS=10000` runs more of them.
"""

import os
import random
import warnings

import pytest

from kerasrec.data import DataError, read

N_ROWS = 40
LAYOUTS = {
    "csv": (",", 'u{0},i{1},{2},"title, of {1}",{3}', "user,item,rating,title,timestamp"),
    "integers": (",", "{0},{1},{2},{3}", "userId,movieId,rating,timestamp"),
    "tsv": ("\t", "u{0}\ti{1}\t{2}\tfive {1}\" disk\t{3}", "user\titem\trating\ttitle\ttimestamp"),
    "colons": ("::", "{0}::{1}::{2}::{3}", ""),
    "json": ("", '{{"user": "u{0}", "item": "i{1}", "rating": {2}, "timestamp": {3}}}', ""),
}  # fmt: skip
REPLACEMENTS = b'",\t:;\n\r\0\xff\xe9 0-.eN{}['


def content_of(layout):
    """The text of a layout, and the number of its rows."""
    _, row, header = LAYOUTS[layout]
    rows = [row.format(n + 1, n % 7 + 1, n % 5 + 1, 10**9 + n) for n in range(N_ROWS)]
    return "\n".join([header] * bool(header) + rows).encode() + b"\n"


def mutated(content, rng):
    """The content with one byte or one line changed, and how many rows that can touch."""
    if rng.random() < 0.5:
        position = rng.randrange(len(content))
        byte = bytes([rng.choice(REPLACEMENTS) if rng.random() < 0.7 else rng.randrange(256)])
        kind = rng.choice(["replace", "insert", "delete"])
        end = position + (kind != "insert")
        return content[:position] + (b"" if kind == "delete" else byte) + content[end:]
    lines = content.splitlines(keepends=True)
    line = rng.randrange(len(lines))
    change = rng.choice(["drop", "double", "cut", "blank", "separators", "swap"])
    changed = {
        "drop": b"",
        "double": lines[line] * 2,
        "cut": lines[line][: rng.randrange(len(lines[line]))] + b"\n",
        "blank": b"\n",
        "separators": b",,,,\n",
        "swap": lines[rng.randrange(len(lines))],
    }[change]
    return b"".join([*lines[:line], changed, *lines[line + 1 :]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_change_of_one_place_never_loses_other_rows(tmp_path, layout):
    rng = random.Random(layout)
    content = content_of(layout)
    n_mutations = int(os.environ.get("KERASREC_MUTATIONS", 300)) // len(LAYOUTS)
    for number in range(n_mutations):
        (tmp_path / "x").write_bytes(changed := mutated(content, rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = read(tmp_path / "x")
        except DataError as error:
            assert "\n" not in str(error), (number, changed)
            assert ". Fix: " in str(error), (number, changed)
            continue
        counts = table.row_counts
        assert counts.read == counts.kept + counts.merged + counts.n_dropped
        # A line end that is deleted joins two rows; a first line that is damaged is a row or a header.
        assert N_ROWS - 2 <= counts.read <= N_ROWS + 2, (number, changed)
        assert counts.merged + counts.n_dropped <= 2, (number, changed)
