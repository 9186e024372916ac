import pyarrow as pa
import pytest

from kerasrec.data.text import as_integers, parse_id


@pytest.mark.parametrize("ids, converted", [
    (["1", "-20"], [1, -20]),
    (["1", "NA"], [1, None]),
    (["1.0", "20.0"], [1, 20]),
    (["1.0", "20"], ["1.0", "20"]),
    (["1.5", "2.0"], ["1.5", "2.0"]),
    (["1.0", "007.0"], ["1.0", "007.0"]),
    (["x", "NA"], ["x", "NA"]),
    ([str(2**63), "1"], [str(2**63), "1"]),
])  # fmt: skip
def test_ids_become_integers_only_if_that_loses_nothing(ids, converted):
    assert as_integers(pa.chunked_array([ids])).to_pylist() == converted


@pytest.mark.parametrize("text, parsed", [("0", 0), ("-7", -7), ("007", "007"), ("1.0", "1.0"), ("x", "x")])
def test_one_id_becomes_an_integer_only_if_that_loses_nothing(text, parsed):
    assert parse_id(text) == parsed
