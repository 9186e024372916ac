import dataclasses
import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from kerasrec.data import (
    DataError,
    HeldOutUsers,
    Interactions,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    Split,
    TemporalUsers,
    generate,
)

TABLE = generate(150, 60, mean_items=12)
ALL = [RandomRatings(seed=1), HeldOutUsers(held_out=20), OwnItems(seed=1), TemporalUsers(held_out=20), LeaveOneOut()]


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.name)
def test_a_saved_split_is_loaded_unchanged(tmp_path, protocol):
    split = protocol.split(TABLE)
    folder = tmp_path / "new" / "split"
    split.save(folder)
    split.save(folder)  # replaces the files
    loaded = Split.load(folder)
    assert loaded.protocol == split.protocol
    assert loaded.sizes == split.sizes
    assert loaded.train == split.train
    assert loaded.train.item_titles.tolist() == split.train.item_titles.tolist()
    for before, after in ((split.validation, loaded.validation), (split.test, loaded.test)):
        assert after.inputs == before.inputs
        assert after.targets == before.targets
        assert (after.inputs is loaded.train) == (before.inputs is split.train), "a shared table is stored once"
        assert np.array_equal(after.rows, before.rows)
    description = json.loads((folder / "split.json").read_text())
    assert description["sizes"] == split.sizes
    assert description["protocol"]["name"] == protocol.name
    assert sorted(p.name for p in folder.iterdir()) == ["split.json", "split.npz"]


def test_names_of_columns_are_stored(tmp_path):
    frame = pd.DataFrame({"who": TABLE.users, "what": TABLE.items})
    split = HeldOutUsers(held_out=3, min_items=1).split(Interactions.from_frame(frame, user="who", item="what"))
    split.save(tmp_path)
    assert Split.load(tmp_path).train.column_names == {"user": "who", "item": "what"}


def test_settings_can_be_numbers_of_numpy(tmp_path):
    protocol = HeldOutUsers(held_out=np.int64(3), share=np.float64(0.3), min_items=2, seed=np.int64(4))
    protocol.split(TABLE).save(tmp_path / "split")
    assert Split.load(tmp_path / "split").protocol == replace(protocol, min_value=4.0)


@dataclass(frozen=True)
class FirstHalf:
    """A protocol that kerasrec does not have."""

    seed: int = 7
    name: ClassVar[str] = "first-half"


def test_a_split_by_an_unknown_protocol_keeps_its_name_and_settings(tmp_path):
    split = dataclasses.replace(LeaveOneOut().split(TABLE), protocol=FirstHalf())
    for folder in (tmp_path / "once", tmp_path / "twice"):
        split.save(folder)
        split = Split.load(folder)
        assert (split.protocol.name, split.protocol.settings) == ("first-half", {"seed": 7})
    with pytest.raises(ValueError, match="expected one of the protocols random-ratings, .*, got 'first-half'. Fix: "):
        split.protocol.split(TABLE)


def test_an_interrupted_save_leaves_the_old_split(tmp_path, monkeypatch):
    old = LeaveOneOut().split(TABLE)
    old.save(tmp_path)

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        OwnItems().split(TABLE).save(tmp_path)
    assert Split.load(tmp_path).protocol == old.protocol
    assert sorted(p.name for p in tmp_path.iterdir()) == ["split.json", "split.npz"]


def test_a_missing_or_damaged_split_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r": expected a split, got no split\.npz\. Fix: write one with `Split.save`"):
        Split.load(tmp_path)
    (tmp_path / "split.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"split\.npz: expected a split, got a damaged file .* Fix: split the data"):
        Split.load(tmp_path)
