"""Choice, weights and merging of rows are the same for each format."""

import pandas as pd
import pytest
from kerasrec_testing.tables import entries

from kerasrec.data import DataError, Interactions, read
from kerasrec.data.row_rules import RowRules

EVENTS = pd.DataFrame({
    "visitorid": [1, 1, 1, 2, 2, 3], "itemid": [7, 7, 8, 7, 9, 7],
    "event": ["view", "addtocart", "view", "transaction", "view", "other"],
    "shop": [10, 10, 20, 20, 20, 20], "timestamp": [1433221332117 + 1000 * n for n in range(6)],
})  # fmt: skip


def rows(table):
    return [entry[:3] for entry in entries(table)]


@pytest.fixture(params=["csv", "parquet", "jsonl", "frame"])
def read_events(request, tmp_path):
    """Reads `EVENTS` from a file or a frame, with options."""
    path = tmp_path / f"events.{request.param}"
    if request.param == "frame":
        return lambda **options: Interactions.from_frame(EVENTS, **options)
    write = {
        "csv": lambda: EVENTS.to_csv(path, index=False),
        "parquet": lambda: EVENTS.to_parquet(path),
        "jsonl": lambda: EVENTS.to_json(path, orient="records", lines=True),
    }
    write[request.param]()
    return lambda **options: read(path, **options)


def test_rows_are_chosen_by_the_values_of_columns(read_events):
    table = read_events(where={"event": ["addtocart", "transaction"]})
    assert rows(table) == [(1, 7, 1), (2, 7, 1)]
    assert table.row_counts.dropped["event other than addtocart, transaction"] == 4
    assert table.row_counts.read == len(EVENTS)
    assert rows(read_events(where={"itemid": ["8", 9]})) == [(1, 8, 1), (2, 9, 1)]
    assert rows(read_events(value="shop", where={"shop": ["20"], "event": ["other"]})) == [(3, 7, 20)]
    assert rows(read_events(where={"event": ["view"], "shop": ["20"]})) == [(1, 8, 1), (2, 9, 1)]


def test_events_have_weights(read_events):
    table = read_events(event_weights={"event": {"view": 1, "addtocart": 3, "transaction": 10}})
    assert rows(table) == [(1, 7, 4), (1, 8, 1), (2, 7, 10), (2, 9, 1)]
    assert (
        str(table.row_counts)
        == "6 rows read = 4 kept + 1 merged as duplicates (values added) + 1 dropped (1 event without a weight)"
    )
    assert table.value_kind.name == "counts"
    highest = read_events(event_weights={"event": {"view": 1, "addtocart": 3}}, duplicates="max")
    assert rows(highest) == [(1, 7, 3), (1, 8, 1), (2, 9, 1)]


def test_repeated_pairs_are_counted(read_events):
    table = read_events(duplicates="count")
    assert rows(table) == [(1, 7, 2), (1, 8, 1), (2, 7, 1), (2, 9, 1), (3, 7, 1)]
    assert table.times[0] == 1433221333, "the latest time"
    assert read_events(duplicates="sum") == table


@pytest.mark.parametrize(
    "duplicates, value, way",
    [
        ("last", 3, ""),
        ("sum", 12, " (values added)"),
        ("count", 3, " (rows counted)"),
        ("max", 5, " (highest value kept)"),
        (None, 3, ""),
    ],
)
def test_values_of_repeated_pairs_are_merged(duplicates, value, way):
    table = Interactions.from_arrays([1, 2, 1, 1], [5, 5, 5, 5], [4, 1, 5, 3], [1, 1, 2, 3], duplicates=duplicates)
    assert entries(table) == [(1, 5, value, 3), (2, 5, 1, 1)]
    assert str(table.row_counts) == f"4 rows read = 2 kept + 2 merged as duplicates{way}"


def test_counts_are_added_by_default(tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [7, 7, 7], "quantity": [2, 3, 1]})
    assert rows(Interactions.from_frame(frame)) == [(1, 7, 5), (2, 7, 1)]
    assert rows(Interactions.from_frame(frame.rename(columns={"quantity": "rating"}))) == [(1, 7, 3), (2, 7, 1)]


def test_an_invalid_row_that_is_dropped_is_no_error(read_events, tmp_path):
    frame = EVENTS.assign(visitorid=["1", None, "1", "2", "2", "3"])
    for suffix, write in (("csv", frame.to_csv), ("parquet", frame.to_parquet)):
        write(tmp_path / f"x.{suffix}", index=False)
        assert len(read(tmp_path / f"x.{suffix}", where={"event": ["view"]})) == 3
        with pytest.raises(DataError, match=r"(line 3|row 2), column visitorid"):
            read(tmp_path / f"x.{suffix}", where={"event": ["view", "addtocart"]})


@pytest.mark.parametrize("options, message", [
    ({"where": {"event": ["purchase"]}}, "expected rows with purchase in column 'event', got only view, "),
    ({"where": {"kind": ["a"]}}, r"expected a column 'kind' \(`where`\), got the columns visitorid, "),
    ({"event_weights": {"kind": {"a": 1}}}, r"expected a column 'kind' \(`event_weights`\)"),
    ({"duplicates": "mean"}, "expected `duplicates` to be one of last, sum, count, max, got 'mean'"),
])  # fmt: skip
def test_an_impossible_rule_is_an_error(read_events, options, message):
    with pytest.raises(DataError, match=message):
        read_events(**options)


@pytest.mark.parametrize("rules, message", [
    ({"where": {"event": "view"}}, "expected a list of values of column 'event' as `where`, got 'view'"),
    ({"event_weights": {"a": {"b": 1}, "c": {"d": 1}}}, "expected one column of events and the weight of each event"),
    ({"event_weights": {"a": {"b": "1"}}}, "expected numbers above 0 as `event_weights`"),
    ({"event_weights": {"event": {"view": -1, "addtocart": 0}}}, "expected numbers above 0 as `event_weights`"),
])  # fmt: skip
def test_an_invalid_rule_is_an_error(rules, message):
    with pytest.raises(DataError, match=message):
        RowRules(**rules)


def test_values_and_weights_exclude_each_other():
    with pytest.raises(DataError, match="expected `value` or `event_weights`, got both"):
        read("generated", value="stars", event_weights={"event": {"view": 1}})
