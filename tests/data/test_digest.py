import numpy as np
import pytest

from kerasrec import Interactions
from kerasrec.data.digest import table_digest

COLUMNS = {"users": [1, 1, 2], "items": ["a", "b", "a"], "values": [5, 4, 3], "times": [10, 20, 30]}


def digest(titles=None, **changes):
    return table_digest(Interactions.from_arrays(**{**COLUMNS, **changes}, titles=titles))


def test_equal_tables_have_equal_digests():
    assert digest() == digest(users=np.array([1, 1, 2]))


@pytest.mark.parametrize(
    "changes",
    [
        {"users": [1, 1, 3]},
        {"users": ["1", "1", "2"]},
        {"items": ["a", "c", "a"]},
        {"items": ["b", "a", "a"]},
        {"values": [5, 4, 2]},
        {"times": [10, 21, 30]},
        {"times": None},
        {"titles": {"a": "Alpha"}},
    ],
)
def test_every_change_of_a_table_changes_its_digest(changes):
    assert digest(**changes) != digest()


def test_what_is_no_table_is_refused():
    with pytest.raises(TypeError, match="expected Interactions, got NoneType"):
        table_digest(None)
