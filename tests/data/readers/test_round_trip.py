"""Any table that pandas, Polars or pyarrow writes is read back equal, or refused.

`KERASREC_EXAMPLES=10000` runs more of them.
"""

import csv
import os

import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings, strategies as st
from pyarrow import csv as pa_csv, feather, parquet

from kerasrec.data import DataError, Interactions, read
from kerasrec.data.rows import rows_of_columns

N_EXAMPLES = int(os.environ.get("KERASREC_EXAMPLES", 250))
AWKWARD = set("\"'\n\r\0\\ \t:")
"""Characters that a file may not represent in a way that all libraries read alike, so that a refusal is right."""

INTEGERS = st.integers(0, 10**12)
WORDS = st.text(st.sampled_from("aZ09é,;|\t \":'€.-_#"), min_size=1, max_size=6)
TEXTS = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5))
QUOTING = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)


@st.composite
def tables(draw):
    """Role → list of the fields of one column."""
    n = draw(st.integers(1, 6))

    def column(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    table = {
        "user": column(draw(st.sampled_from([INTEGERS, TEXTS]))),
        "item": column(draw(st.sampled_from([INTEGERS, TEXTS]))),
    }
    if draw(st.booleans()):
        table["rating"] = column(st.integers(0, 20).map(lambda number: number / 4))
    if draw(st.booleans()):
        table["time"] = column(st.integers(700_000_000, 2_000_000_000))
    return table


def pandas_csv(table, path, draw):
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    try:
        "".join(str(field) for column in table.values() for field in column).encode(encoding)
    except UnicodeEncodeError:
        encoding = "utf-8"
    # pandas omits the byte order mark of UTF-16 in the other formats.
    compression = draw(st.sampled_from([None, "gzip"] if encoding == "utf-16" else [None, "gzip", "bz2", "xz"]))
    pd.DataFrame(table).to_csv(
        path, index=False, sep=draw(st.sampled_from(",;\t|")), quoting=draw(st.sampled_from(QUOTING)),
        encoding=encoding, compression=compression, lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )  # fmt: skip
    return {"encoding": encoding} if encoding == "cp1252" and draw(st.booleans()) else {}


def polars_csv(table, path, draw):
    style = draw(st.sampled_from(["necessary", "always", "non_numeric"]))
    pl.DataFrame(table).write_csv(path, separator=draw(st.sampled_from(",;\t|")), quote_style=style)
    return {}


def pyarrow_csv(table, path, draw):
    style = draw(st.sampled_from(["needed", "all_valid"]))
    pa_csv.write_csv(
        pa.table(table), path, pa_csv.WriteOptions(delimiter=draw(st.sampled_from(",;\t|")), quoting_style=style)
    )
    return {}


def pandas_parquet(table, path, draw):
    pd.DataFrame(table).to_parquet(path, compression=draw(st.sampled_from(["snappy", "gzip", "zstd", None])))


def polars_parquet(table, path, draw):
    pl.DataFrame(table).write_parquet(path, compression=draw(st.sampled_from(["zstd", "lz4", "uncompressed"])))


def pyarrow_parquet(table, path, draw):
    parquet.write_table(
        pa.table(table), path, use_dictionary=draw(st.booleans()), row_group_size=draw(st.integers(1, 9))
    )


def pyarrow_feather(table, path, draw):
    feather.write_feather(pa.table(table), path, compression=draw(st.sampled_from(["lz4", "zstd", "uncompressed"])))


def pandas_json(table, path, draw):
    pd.DataFrame(table).to_json(path, orient="records", lines=draw(st.booleans()), force_ascii=draw(st.booleans()))


TEXT_WRITERS = (pandas_csv, polars_csv, pyarrow_csv)
WRITERS = (*TEXT_WRITERS, pandas_parquet, polars_parquet, pyarrow_parquet, pyarrow_feather, pandas_json)


@settings(
    max_examples=N_EXAMPLES, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(table=tables(), writer=st.sampled_from(WRITERS), data=st.data())
def test_a_table_is_read_back_equal_or_refused(tmp_path, table, writer, data):
    path = tmp_path / "table"
    path.unlink(missing_ok=True)
    options = writer(table, path, data.draw) or {}
    rows = list(zip(*table.values(), strict=True))
    # A line that contains only separators is dropped.
    filled = [row for row in rows if writer not in TEXT_WRITERS or "".join(map(str, row)).strip()]
    roles = [{"rating": "value"}.get(role, role) for role in table]
    columns = (
        dict(zip(roles, map(list, zip(*filled, strict=True)), strict=True)) if filled else {role: [] for role in roles}
    )
    try:
        expected = Interactions(**rows_of_columns(columns, names={"value": "rating"}, from_text=writer in TEXT_WRITERS))
    except ValueError:
        expected = None
    characters = {character for column in table.values() for field in column for character in str(field)}
    is_plain = not characters & AWKWARD and all(character.isprintable() for character in characters)
    try:
        found = read(path, **options)
    except DataError as error:
        assert ". Fix: " in str(error)
        assert expected is None or not is_plain, "a plain table is refused"
        return
    assert expected is not None, "an invalid table is read"
    assert found == expected
    assert found.row_counts.read == len(rows)
    assert found.row_counts.n_dropped == len(rows) - len(filled)
