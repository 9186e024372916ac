"""Shared argument checks."""

import re

import numpy as np
import pytest

from kerasrec.validation import as_int_at_least, check_above, check_at_least, check_columns, check_json


def test_arguments_at_the_limit_and_none_pass():
    check_at_least(1, depth=1, k=2.5, steps=None)


def test_an_argument_below_the_limit_raises_an_error_that_names_it():
    with pytest.raises(ValueError, match=re.escape("`gamma`: expected at least 0, got -0.1. Fix: pass 0 or more")):
        check_at_least(0, beta=1.0, gamma=-0.1)


@pytest.mark.parametrize("check", [check_at_least, check_above])
@pytest.mark.parametrize("value", ["3", [3]])
def test_what_is_no_number_raises_an_error(check, value):
    with pytest.raises(ValueError, match="`reg`: expected"):
        check(0, reg=value)


def test_nan_raises_an_error():
    with pytest.raises(ValueError, match="`reg`: expected at least 0, got nan"):
        check_at_least(0, reg=float("nan"))


def test_integers_of_numpy_become_python_integers():
    assert type(as_int_at_least(1, k=np.int64(3))) is int


@pytest.mark.parametrize(
    ("value", "got"), [(True, "True"), (2.0, "2.0"), ("3", "'3'"), (None, "None"), (np.float32(2), "np.float32(2.0)")]
)
def test_other_types_raise_an_error(value, got):
    message = f"`k`: expected an integer, got {got}. Fix: pass 1 or more"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        as_int_at_least(1, k=value)


def test_an_integer_below_the_limit_raises_an_error():
    with pytest.raises(ValueError, match=re.escape("`k`: expected at least 1, got 0. Fix: pass 1 or more")):
        as_int_at_least(1, k=0)


def test_matrices_need_the_same_number_of_columns():
    check_columns(np.ones((2, 4)), np.ones((3, 4)))
    check_columns(np.ones(4), np.ones((3, 4)))
    check_columns([[1.0]], np.ones((3, 4)))
    with pytest.raises(ValueError, match="`y_pred`: expected 4 columns, as in `y_true`, got 5"):
        check_columns(np.ones((2, 4)), np.ones((2, 5)))


@pytest.mark.parametrize("value", [{"a": np.float32(1)}, {"a": float("nan")}, {"a": [float("inf")]}])
def test_what_json_cannot_store_is_refused(value):
    with pytest.raises(ValueError, match="`metadata`: expected JSON values"):
        check_json(metadata=value)
    check_json(metadata={"a": [1.5, None, "é"]})
