"""Ids in the graph."""

import numpy as np
import pytest
from kerasrec_testing.exports import call

from kerasrec import Popularity
from kerasrec.saved_model import export_saved_model


def test_ids_keep_their_blanks_and_tabs(tmp_path):
    ids = [" a", "a", "a ", "a\tb", "é", "-1"]
    model = Popularity(len(ids))
    model.fit(np.eye(len(ids)), verbose=0)
    version = export_saved_model(model, tmp_path, ids)
    for item in ids:
        items = call(version, "serving_default", history=[[item]])["item_ids"][0]
        assert set(items) == {*ids, ""} - {item}


BAD_IDS = {
    "line break": (
        ["a", "b\nc"],
        r"^item ids: got 'b\\nc' \(number 1\), whose line break a vocabulary file cannot store",
    ),
    "carriage return": (["a\r", "b"], "whose line break"),
    "empty": (["a", ""], "item ids: got '' .*, which pads histories"),
    "minus one": ([-1, 4], "item ids: got -1 .*, which pads histories"),
    "repeated": (["a", "a"], "item ids: expected distinct ids, got 1 repeated"),
    "floats": ([1.5, 2.0], "item ids: expected a flat array of integers or strings, got float64"),
    "too many": ([1, 2, 3], "`items`: expected the 2 items of the model, got 3"),
}


@pytest.mark.parametrize("ids, message", BAD_IDS.values(), ids=BAD_IDS)
def test_ids_that_a_vocabulary_cannot_store_are_errors(tmp_path, ids, message):
    model = Popularity(2)
    model.fit(np.eye(2), verbose=0)
    with pytest.raises(ValueError, match=message):
        export_saved_model(model, tmp_path / "x", ids)
    assert list(tmp_path.iterdir()) == []
