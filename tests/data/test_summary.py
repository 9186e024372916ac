import numpy as np

from kerasrec.data import Interactions


def test_a_table_prints_its_sizes_values_dates_and_merged_rows():
    table = Interactions.from_arrays(["b", "a", "b", "b"], [9, 9, 4, 4], [5, 0, 3, 2], [86_400, 20, 10, 20])
    assert repr(table) == (
        "Interactions(2 users × 2 items, 3 interactions, density 75.00%, values 0 to 5, 1970-01-01 to 1970-01-02, "
        "1 merged as duplicates)"
    )
    likes = Interactions.from_arrays([1, 2], [1, 1])
    assert repr(likes) == "Interactions(2 users × 1 items, 2 interactions, density 100.00%, likes)"
    assert repr(likes.select(np.zeros(2, bool), compact=False)) == "Interactions(2 users × 1 items, empty)"
