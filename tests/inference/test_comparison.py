"""Comparison of more than two models: pairs, their order, and Holm's correction."""

import numpy as np
import pytest

from kerasrec import Evaluation, compare, compare_all
from kerasrec.inference.comparison import holm, markdown_table


def evaluation(values, held_out="a"):
    """The result of a model with these values of `ndcg_10` by user."""
    values = np.asarray(values, np.float32)
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
    users = np.arange(len(values))
    means = {"ndcg_10": float(values.mean())}
    return Evaluation(means, {"ndcg_10": error}, len(users), 0, 0, {"ndcg_10": values}, {}, users, held_out)


VALUES = np.random.default_rng(0).random((4, 50)) * 0.5
RESULTS = {name: evaluation(row + shift) for name, row, shift in zip("abcd", VALUES, (0, 0.3, 0.1, 0.02), strict=True)}


def test_holm_multiplies_the_smallest_p_value_by_the_number_of_tests():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04, .06, .06, .04, which may not fall: .06.
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    assert holm([0.7, 0.8]) == [1.0, 1.0]


def test_every_pair_is_compared_the_better_model_first():
    table = compare_all(RESULTS)
    assert list(table.results) == ["b", "c", "d", "a"]
    assert [(test.first, test.second) for test in table.tests[:4]] == [("b", "c"), ("b", "d"), ("b", "a"), ("c", "d")]
    assert len(table.tests) == 6
    for test in table.tests:
        pair = compare(RESULTS[test.first], RESULTS[test.second])["ndcg_10"]
        assert (test.difference, test.p_value) == (pair.difference, pair.p_value)
        assert test.difference >= 0
        assert test.holm_p_value >= test.p_value
    assert "b - c" in repr(table) and "50 users" in repr(table)
    assert table.to_csv().count("\n") == 7


def test_with_a_baseline_only_its_pairs_are_compared():
    table = compare_all(RESULTS, baseline="a")
    assert [(test.first, test.second) for test in table.tests] == [("b", "a"), ("c", "a"), ("d", "a")]
    assert table.tests[-1].holm_p_value <= compare_all(RESULTS).tests[-1].holm_p_value


def test_a_single_user_has_no_p_value():
    table = compare_all({"a": evaluation([0.5]), "b": evaluation([0.25])})
    assert np.isnan(table.tests[0].holm_p_value)
    assert "nan" in str(table)


def test_results_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="at least two results, got 1"):
        compare_all({"a": RESULTS["a"]})
    with pytest.raises(TypeError, match="`results`: expected names and results, got list. Fix: `{'ease': result, …}`"):
        compare_all(list(RESULTS.values()))
    with pytest.raises(ValueError, match="`baseline`: expected one of a, b, c, d, got 'e'"):
        compare_all(RESULTS, baseline="e")
    with pytest.raises(ValueError, match="different held-out items"):
        compare_all({**RESULTS, "other": evaluation(VALUES[0], held_out="b")})


def test_the_rule_of_a_narrow_column_is_valid_markdown():
    assert markdown_table(["a", "p"], [["x", "1"]]) == "| a  |  p |\n| -- | -: |\n| x  |  1 |\n"
