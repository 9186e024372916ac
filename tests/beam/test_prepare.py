"""`kerasrec.beam.prepare` against the same rules on one machine."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec import DataError, generate, read
from kerasrec.beam import prepare, write_gram_matrix
from kerasrec.data import pack

pytest.importorskip("apache_beam", reason="needs Apache Beam: pip install '.[beam]'")


def event_table(text_ids=False, n=4000):
    rng = np.random.default_rng(1)
    users, items = rng.integers(0, 150, n), (60 * rng.random(n) ** 2).astype(np.int64)
    if text_ids:
        users, items = np.char.add("user é", users.astype(str)), np.char.add("i", items.astype(str))
    times = 1_600_000_000_000 + 1000 * rng.integers(0, 500, n)
    events = rng.choice(["buy", "view"], n)
    return pa.table(
        {"user": users, "item": items, "rating": rng.integers(1, 6, n), "event": events, "timestamp": times}
    )


def write_parquet(folder, table):
    for n in range(3):
        part = table.slice(n * 1500, 1500)
        pyarrow.parquet.write_table(part, folder / f"part-{n}.parquet", row_group_size=400)
    (folder / "_SUCCESS").write_text("done")


def write_text(folder, table):
    # pyarrow quotes text
    pyarrow.csv.write_csv(table.slice(0, 2500), folder / "a.csv")
    pyarrow.csv.write_csv(table.slice(2500), folder / "b.csv")


def on_one_machine(folder, min_value, min_items, min_users, **options):
    parts = sorted(folder.iterdir())
    if parts[0].suffix == ".csv":
        joined = folder.parent / "joined.csv"
        texts = [part.read_text() for part in parts]
        joined.write_text(texts[0] + "".join(text.partition("\n")[2] for text in texts[1:]))
        folder = joined
    table = read(folder, **options)
    table = table if min_value is None else table.at_least(min_value).likes()
    return table.core(min_items, min_users).in_time_order()


CASES = {
    "Parquet, integers": (write_parquet, False, {"min_value": 3, "min_items": 5, "min_users": 20}, {}),
    "Parquet, text": (write_parquet, True, {}, {"where": {"event": ["buy"]}, "duplicates": "max"}),
    "text, integers": (write_text, False, {"min_items": 7}, {"event_weights": {"event": {"buy": 3, "view": 1}}}),
    "text, text": (write_text, True, {"min_value": 2}, {"separator": ","}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_packed_folder_equals_that_of_one_machine(case, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasrec.beam.events.PIECE_BYTES", 20_000)
    monkeypatch.setattr("kerasrec.beam.events.BLOCK_BYTES", 7000)
    write, text_ids, limits, options = CASES[case]
    (tmp_path / "events").mkdir()
    write(tmp_path / "events", event_table(text_ids))
    packed = prepare(tmp_path / "events", tmp_path / "packed", n_shards=3, **limits, **options)
    limits = {"min_value": None, "min_items": 1, "min_users": 1, **limits}
    expected = on_one_machine(tmp_path / "events", **limits, **options)
    assert packed == expected == read(tmp_path / "packed")
    assert packed.known_digest == pack(expected, tmp_path / "other").known_digest
    assert packed.row_counts.read == 4000
    assert packed.column_names == expected.column_names
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "joined.csv") == [
        "events",
        "other",
        "packed",
    ]


def test_the_command_prepares_compressed_text_and_computes_the_gram_matrix(tmp_path):
    table = generate(60, 30, seed=2)
    rows = zip(table.users, table.items, table.values, strict=True)
    text = "user,item,rating\n" + "".join(f"{u},{i},{v}\n" for u, i, v in rows)
    with gzip.open(tmp_path / "events.csv.gz", "wt") as file:
        file.write(text)
    command = ("data", "prepare", tmp_path / "events.csv.gz", "--min-value", "4", "--out", tmp_path / "packed")
    result = invoke(*command, "--", "--runner=DirectRunner", "--direct_num_workers=1")
    packed = read(tmp_path / "packed")
    assert f"{len(table):,} rows read = {len(packed):,} kept" in result.output
    assert "packed, 60 users × " in result.output
    assert "which exists. Fix: choose another folder, or pass --overwrite" in error_of(*command)
    invoke("data", "gram", tmp_path / "packed", "--out", tmp_path / "gram.npy")
    likes = packed.matrix
    np.testing.assert_array_equal(np.load(tmp_path / "gram.npy"), (likes.T @ likes).toarray())
    matrix = write_gram_matrix(tmp_path / "packed", tmp_path / "blocks.npy", block_items=7)
    np.testing.assert_array_equal(matrix, np.load(tmp_path / "gram.npy"))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("user,item\n1,2\n,3\n", {}, r"a\.csv: expected ids other than -1 and ''"),
        ("user,item,rating\n1,2,5\n3,4,x\n", {}, r"a\.csv: .*conversion error to double.*kerasrec data describe"),
        ("user,item,rating\n1,2,3\n", {"min_value": 4}, "expected events with a value of at least 4, got none"),
        ("user,item\n1,2\n", {"min_items": 2}, "expected users with at least 2 items .*, got none. Fix: lower"),
        ('user,item\n1,"a\nb"\n', {}, "expected one event in each line"),
        ("user,item\n1,2\n", {"layout": "user-items"}, "expected options that apply to many files, got `layout`"),
        ("user,thing\n1,2\n", {}, "expected a column of item ids"),
    ],
)
def test_an_error_names_the_file_and_the_fix(content, options, message, tmp_path):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        prepare(tmp_path / "a.csv", tmp_path / "packed", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_missing_files_and_existing_folders_are_errors(tmp_path):
    with pytest.raises(DataError, match="expected files of events, got nothing at .*nowhere"):
        prepare(tmp_path / "nowhere", tmp_path / "packed")
    with pytest.raises(FileExistsError, match="choose another folder$"):
        prepare(tmp_path / "nowhere", tmp_path, overwrite=True)
