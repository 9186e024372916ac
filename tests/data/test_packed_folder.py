import errno
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from kerasrec_testing.child_process import ChildProcess

import kerasrec
from kerasrec import DataError, HeldOutUsers, Interactions, Split, generate, read
from kerasrec.data import pack
from kerasrec.data.batches import Batches
from kerasrec.data.row_counts import RowCounts

TABLE = generate(60, 30, mean_items=8, seed=2)


@pytest.fixture
def folder(tmp_path):
    pack(TABLE, tmp_path / "packed", read_options={"where": {"event": ("buy",)}, "user": "who"})
    return tmp_path / "packed"


def test_a_packed_folder_is_read_by_its_path_and_by_its_name(folder, monkeypatch):
    assert read(folder) == read(str(folder)) == TABLE
    monkeypatch.setenv("KERASREC_DATA", str(folder.parent))
    assert read("packed") == TABLE


def test_row_counts_and_names_of_columns_are_stored(tmp_path):
    table = Interactions(
        [0, 1, 2], [0, 0], [1, 1], None, [1, 2], [7], None, RowCounts(2, 1, {"empty": 3}), {"user": "who"}
    )
    packed = pack(table, tmp_path / "packed")
    assert packed.row_counts == table.row_counts
    assert packed.column_names == {"user": "who"}
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == [
        "indptr.npy",
        "item_counts.npy",
        "item_ids.npy",
        "items.npy",
        "packed.json",
        "user_ids.npy",
    ]


def test_options_of_the_reader_are_those_of_the_packing(folder):
    assert read(folder, where={"event": ["buy"]}, user="who", drop_missing=False) == TABLE
    for options in ({"user": "whom"}, {"where": {"event": ["view"]}}, {"header": False}, {"items": "items.csv"}):
        with pytest.raises(DataError, match=r"expected no options of the reader, because the folder is packed, got `"):
            read(folder, **options)


def truncate(folder):
    content = (folder / "items.npy").read_bytes()
    (folder / "items.npy").write_bytes(content[: len(content) // 2])


def rewrite(folder, **changes):
    about = json.loads((folder / "packed.json").read_text())
    (folder / "packed.json").write_text(json.dumps({**about, **changes}))


DAMAGES = {
    "no packed.json": lambda folder: (folder / "packed.json").unlink(),
    "Expecting value": lambda folder: (folder / "packed.json").write_text(""),
    "format 0": lambda folder: rewrite(folder, format=0),
    "no valid indptr": lambda folder: (folder / "packed.json").write_text(
        '{"format": 1, "arrays": {}}'.replace("{}", "{}")
    ),
    "no items.npy": lambda folder: (folder / "items.npy").unlink(),
    "mmap length is greater": truncate,
    "times.npy of type": lambda folder: np.save(folder / "times.npy", TABLE.times[:5]),
    "values.npy of type": lambda folder: np.save(folder / "values.npy", TABLE.values.astype(np.float64)),
    "indptr.npy": lambda folder: (folder / "indptr.npy").write_bytes(b"not an array"),
}


@pytest.mark.parametrize("got", DAMAGES)
def test_a_damaged_folder_is_refused(folder, got):
    DAMAGES[got](folder)
    with pytest.raises(DataError, match="expected a complete packed folder of format 1, got") as error:
        read(folder)
    assert "Fix: pack the data again with `kerasrec data pack`" in str(error.value)
    if got not in ("no valid indptr", "indptr.npy"):
        assert got in str(error.value)


SHUFFLED = """
import numpy as np
from kerasrec import read
from kerasrec.data import row_order
from kerasrec.data.batches import Batches

row_order.SHARD_ENTRIES, row_order.WINDOW = 40, 2

def answer(request):
    table = read(request["folder"])
    part = table.take_users(np.array_split(np.arange(table.n_users), 2)[request["host"]])
    batches = Batches(part, batch_size=8, shuffle="shards", seed=3)
    return [[part.user_ids[batches.order(epoch)].tolist() for epoch in (0, 1)], batches[0][0]["ids"].tolist()]
"""


def test_two_processes_read_their_halves_in_an_order_of_seed_epoch_and_host(folder):
    path = [str(Path(kerasrec.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(path)}
    orders = []
    for host in (0, 1):
        with ChildProcess(SHUFFLED, environment) as child:
            (first, second), ids = child.ask(folder=str(folder), host=host)
            assert child.ask(folder=str(folder), host=host) == [[first, second], ids]
        assert first != second and sorted(first) == sorted(second)
        rows = TABLE.take_users([TABLE.user_ids.tolist().index(user) for user in first[:8]])
        assert ids == Batches(rows, batch_size=8)[0][0]["ids"].tolist()
        orders.append(first)
    assert sorted(orders[0] + orders[1]) == TABLE.user_ids.tolist()
    assert len(orders[0]) == len(orders[1])
    assert np.argsort(orders[0]).tolist() != np.argsort(orders[1]).tolist()


def test_an_existing_folder_is_replaced_only_if_it_is_packed(folder):
    with pytest.raises(FileExistsError, match="expected a free name"):
        pack(TABLE, folder)
    smaller = TABLE.take_users(range(20))
    assert pack(smaller, folder, overwrite=True) == smaller == read(folder)
    (folder.parent / "other").mkdir()
    with pytest.raises(FileExistsError, match="expected a packed folder to replace"):
        pack(TABLE, folder.parent / "other", overwrite=True)


def test_an_interrupted_pack_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasrec.data.packed_folder.table_digest", lambda table: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pack(TABLE, tmp_path / "new" / "packed")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="posix_fallocate is a function of Linux")
def test_a_full_disk_is_an_error_before_a_memory_mapped_file_is_written(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(OSError, match="No space left on device"):
        pack(generate(n_users=50, n_items=20, seed=1), tmp_path / "packed")
    assert list(tmp_path.iterdir()) == []


def test_a_split_finds_its_folder_again_or_names_it(folder, tmp_path, monkeypatch):
    split = HeldOutUsers(held_out=5, min_items=1).split(pack(TABLE.likes(), tmp_path / "likes"))
    split.save(tmp_path / "split")
    (tmp_path / "data").mkdir()
    shutil.move(tmp_path / "likes", tmp_path / "data" / "likes")
    monkeypatch.delenv("KERASREC_DATA", raising=False)
    with pytest.raises(DataError, match="expected the packed data of the run at .*likes, got nothing. Fix: move"):
        Split.load(tmp_path / "split")
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path / "data"))
    assert Split.load(tmp_path / "split").train == split.train
    pack(TABLE.likes().take_users(range(50)), tmp_path / "data" / "likes", overwrite=True)
    with pytest.raises(DataError, match="expected the packed data with the digest"):
        Split.load(tmp_path / "split")
