import pytest
from kerasrec_testing.tables import entries, ordered_pairs, write

from kerasrec.data import DataError, read


def test_each_line_has_a_user_and_items(tmp_path):
    table = read(write(tmp_path / "x.txt", "7 3 1 2\n4\n\n9 2 3 \n"))
    assert entries(table) == [(7, 3, 1, None), (7, 1, 1, None), (7, 2, 1, None), (9, 2, 1, None), (9, 3, 1, None)]


def test_each_line_has_a_count_and_items(tmp_path):
    path = write(tmp_path / "x.dat", "2 8 6\n0\n1 8\n")
    assert entries(read(path)) == [(0, 8, 1, None), (0, 6, 1, None), (2, 8, 1, None)]
    assert entries(read(path, layout="user-items")) == [(1, 8, 1, None), (2, 8, 1, None), (2, 6, 1, None)]


def test_training_validation_and_test_lists_are_joined_in_time_order(tmp_path):
    for name, text in {"test.txt": "5 4\n6 9\n", "train.txt": "5 8 7\n6 1 2\n", "valid.txt": "5 1\n"}.items():
        write(tmp_path / "gowalla" / name, text)
    table = read(tmp_path / "gowalla")
    assert ordered_pairs(table) == [(5, 8), (5, 7), (5, 1), (5, 4), (6, 1), (6, 2), (6, 9)]


def test_a_folder_may_contain_one_list(tmp_path):
    write(tmp_path / "beauty" / "Beauty.txt", "1 4 5\n2 5\n")
    write(tmp_path / "beauty" / "attributes.json", "{}")
    assert len(read(tmp_path / "beauty")) == 3


@pytest.mark.parametrize("text, layout, message", [
    ("1 2\n3 x 4\n", None, r", line 2: expected integers from 0 .*, got 'x'\. Fix: "),
    ("1 2\n3 -4\n", None, r", line 2: expected integers from 0 .*, got '-4'\. Fix: "),
    ("1 2\n3 2.5\n", None, r", line 2: expected integers from 0 .*, got '2.5'\. Fix: "),
    ("1 2\n2 3\n", "count-items", ", line 2: expected the number of items and then the items, got 2 before 1 items"),
    ("1 2\n\n1 3\n", "count-items", ", line 2: expected the number of items and then the items, got an empty line"),
    ("1\n2\n", None, ": expected item ids after the first number of a line, got none"),
    ("1 2\n99999999999999999999 3\n", None, ": expected 64-bit integer ids, got a larger number"),
    (" \n\n", "user-items", ": expected interactions, got an empty file"),
    ("1 10 5 874965758\n1 20 3 874965759\n2 10 4 874965760\n", None,
     ": expected one line for each user, got 4 numbers in every line and several lines for user 1. Fix: pass sep"),
])  # fmt: skip
def test_an_invalid_list_is_an_error(tmp_path, text, layout, message):
    with pytest.raises(DataError, match=r"x\.txt" + message):
        read(write(tmp_path / "x.txt", text), layout=layout)


def test_integers_separated_by_spaces_can_be_a_table_or_lists(tmp_path):
    path = write(tmp_path / "x.txt", "1 10 5\n1 20 3\n2 10 4\n")
    assert entries(read(path, separator=" ")) == [(1, 10, 5, None), (1, 20, 3, None), (2, 10, 4, None)]
    assert len(read(path, layout="user-items")) == 6  # 1: 10, 5, 20, 3; 2: 10, 4
