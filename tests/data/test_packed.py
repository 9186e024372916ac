"""A table that reads from a packed folder equals the table in memory."""

import mmap
import pickle

import numpy as np
import pytest

from kerasrec import batches, evaluate, generate
from kerasrec.data import (
    GlobalTime,
    HeldOutUsers,
    Interactions,
    LeaveOneOut,
    OwnItems,
    RandomRatings,
    Split,
    TemporalUsers,
    pack,
)
from kerasrec.data.digest import table_digest
from kerasrec.data.packed import PackedInteractions
from kerasrec.models import EASE, Popularity

PROTOCOLS = [
    HeldOutUsers(held_out=20),
    TemporalUsers(held_out=20, max_items=20),
    LeaveOneOut(),
    OwnItems(),
    GlobalTime(),
    RandomRatings(),
]


def shuffled(table, seed=1):
    """The table with its entries in random order, so that histories are not in time order, and with ids of strings."""
    order = np.random.default_rng(seed).permutation(len(table))
    users = [f"user {row}" for row in table.user_ids[table.users][order]]
    items = table.item_ids[table.items][order]
    titles = {i: f"title {i}" for i in table.item_ids.tolist()}
    return Interactions.from_arrays(users, items, table.values[order], table.times[order], titles)


RATINGS = shuffled(generate(150, 80, mean_items=12, seed=3))
TABLES = {"ratings": RATINGS, "likes": RATINGS.likes()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Name → the table as a packed folder."""
    folder = tmp_path_factory.mktemp("packed")
    return {name: pack(table, folder / name) for name, table in TABLES.items()}


def assert_equal(one, other):
    """Checks what two equal tables share, and what batches and models read."""
    assert one == other
    assert (one.n_users, one.n_items, len(one)) == (other.n_users, other.n_items, len(other))
    assert np.array_equal(one.item_counts, other.item_counts)
    assert np.array_equal(one.item_titles, other.item_titles)
    assert one.is_binary == other.is_binary
    assert one.value_kind == other.value_kind
    assert table_digest(one) == table_digest(other)
    rows = np.random.default_rng(0).permutation(one.n_users)[:7]
    for in_folder, in_memory in zip(one.entries_of(rows), other.entries_of(rows), strict=True):
        assert np.array_equal(in_folder, in_memory)
    if one.n_users:
        assert np.array_equal(one.row(one.n_users - 1), other.row(one.n_users - 1))


def tables_of(split):
    """The tables of a split."""
    parts = [split.train, split.validation.inputs, split.validation.targets, split.test.inputs, split.test.targets]
    return [part for part in parts if part is not None]


@pytest.mark.parametrize("name", TABLES)
def test_the_whole_table_is_equal(packed, name):
    assert_equal(packed[name], TABLES[name])
    assert repr(packed[name]) == repr(TABLES[name]).replace("Interactions", "PackedInteractions")
    assert_equal(packed[name].T, TABLES[name].T)


@pytest.mark.filterwarnings("ignore:the interactions have no times")
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_the_same_split_follows_and_can_be_stored(packed, tmp_path, name, protocol):
    expected, split = protocol.split(TABLES[name]), protocol.split(packed[name])
    assert split.sizes == expected.sizes
    split.save(tmp_path)
    loaded = Split.load(tmp_path)
    for one in (split, loaded):
        assert one.protocol == expected.protocol
        for table, in_memory in zip(tables_of(one), tables_of(expected), strict=True):
            assert_equal(table, in_memory)
    assert rows_of(split.histories()) == rows_of(loaded.histories()) == rows_of(expected.histories())
    assert_equal(protocol.training_rows(packed[name]), protocol.training_rows(TABLES[name]))


def rows_of(table):
    """User id → set of item ids."""
    return {user: set(table.item_ids[table.row(row)].tolist()) for row, user in enumerate(table.user_ids.tolist())}


@pytest.mark.parametrize("protocol", PROTOCOLS[:2], ids=lambda protocol: protocol.name)
def test_a_split_by_users_reads_the_training_rows_from_the_folder(packed, tmp_path, protocol):
    split = protocol.split(packed["likes"])
    split.save(tmp_path)
    table = Split.load(tmp_path).train
    assert isinstance(table, PackedInteractions)
    assert len(table) > 500
    for batch in batches(table, batch_size=50, shuffle=True):
        assert batch[0]["ids"].shape[0] <= 50
    assert table.item_counts.sum() == len(table)
    assert {"items", "values", "times"}.isdisjoint(vars(table)), "entries were copied into memory"


SELECTIONS = {
    "users": lambda table: table.take_users([3, 1, 77]),
    "no users": lambda table: table.take_users([]),
    "users and items": lambda table: table.take_users([3, 1, 77]).without_bare_items(),
    "a smaller catalogue": lambda table: table.with_catalogue(table.item_ids[::2]),
    "another catalogue": lambda table: table.with_catalogue(np.array([-5, *table.item_ids[3:9], 10_000])),
    "an excluded item again": lambda table: table.with_catalogue(table.item_ids[::2]).with_catalogue(table.item_ids),
    "users of a smaller catalogue": lambda table: table.with_catalogue(table.item_ids[:30]).take_users(range(9, 60)),
    "core of users": lambda table: table.core(users=12),
    "core": lambda table: table.core(users=8, items=9),
    "time order": lambda table: table.in_time_order(),
    "users in time order": lambda table: table.in_time_order().take_users([5, 2]),
    "likes": lambda table: table.likes().take_users([5, 2, 9]),
    "high values": lambda table: table.at_least(1),
    "some entries": lambda table: table.take_users(range(90)).select(
        np.arange(len(table.take_users(range(90)))) % 3 > 0
    ),
}


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("name", TABLES)
def test_selections_are_equal(packed, name, selection):
    in_folder, in_memory = SELECTIONS[selection](packed[name]), SELECTIONS[selection](TABLES[name])
    assert in_folder == in_memory
    assert in_folder.counts.tolist() == in_memory.counts.tolist()
    if selection != "an excluded item again":  # the folder still contains its title
        assert_equal(in_folder, in_memory)


@pytest.mark.parametrize("name", TABLES)
def test_models_have_the_same_metrics(packed, name):
    results = []
    for table in (packed[name], TABLES[name]):
        split = HeldOutUsers(held_out=20).split(table)
        for model in (EASE.for_interactions(split.train, reg=5.0), Popularity.for_interactions(split.train)):
            model.fit(split.train, verbose=0)
            results.append(evaluate(model, split.test).means)
    assert results[:2] == results[2:]
    assert results[0] != results[1]


def test_a_pickled_table_is_the_place_of_its_folder(packed):
    part = packed["ratings"].take_users(range(100)).with_catalogue(RATINGS.item_ids[:50]).in_time_order()
    content = pickle.dumps(part)
    assert pickle.loads(content) == part
    assert len(content) < 8000, "the entries were pickled"


def test_the_columns_are_memory_maps(packed):
    for column in (packed["ratings"].items, packed["ratings"].values, packed["ratings"].times):
        while isinstance(column.base, np.ndarray):
            column = column.base
        assert isinstance(column.base, mmap.mmap)
