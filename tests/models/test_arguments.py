"""Constructor arguments of every model: types and ranges."""

import inspect

import numpy as np
import pytest
from kerasrec_testing.models import CASES, FIRST_OF_MODEL, arguments_for, table_for

from kerasrec import AutoRec, MultVAE
from kerasrec.models import ZOO

INVALID = {
    "float": (float("nan"), float("inf"), "x", None),
    "int": (2.5, "x", True, None),
    "bool": ("yes", 1, None),
    "tuple[int, ...]": ((0,), (-1,), (2.5,), "x", 5, None),
    "tuple[float, float]": ((5, 1), (1,), (1, float("nan")), "x", 5),
}
"""Annotation → values that are no such argument."""


@pytest.mark.parametrize("case", sorted(FIRST_OF_MODEL))
def test_arguments_of_another_type_are_refused_by_name(case):
    cls, table = ZOO[CASES[case][0]], table_for(case)
    sizes = cls.sizes_for(table, arguments_for(case, table))
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        kind = str(parameter.annotation).removesuffix(" | None")
        for value in INVALID.get(kind, ()):
            if value is None and kind != str(parameter.annotation):
                continue
            with pytest.raises(ValueError, match=f"`{name}`: expected"):
                cls(**{**sizes, name: value})


def test_arguments_may_be_numbers_of_numpy():
    model = MultVAE(np.int64(5), (np.int64(4),), latent_dim=np.int64(3), dropout=np.float32(0.25), reg=0)
    config = model.get_config()
    assert [config[name] for name in ("n_items", "hidden_dims", "latent_dim", "dropout")] == [5, (4,), 3, 0.25]
    assert type(config["latent_dim"]) is int


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "`latent_dim`: expected at least 1, got 0"),
        ({"dropout": 1.5}, "`dropout`: expected 0 to 1, got 1.5"),
        ({"reg": -0.1}, "`reg`: expected at least 0, got -0.1"),
        ({"hidden_dims": 5}, r"`hidden_dims`: expected a width per layer, for example \(5,\), got 5"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultVAE(5, **arguments)


def test_the_annotations_of_a_subclass_of_a_user_are_not_checked():
    class OfUser(AutoRec):
        def __init__(self, n_columns: int, note: int = 0, **kwargs):
            super().__init__(n_columns, **kwargs)
            self.note = note

    assert OfUser(4, note="a", hidden_dims=(2,)).note == "a"
    with pytest.raises(ValueError, match="`reg`: expected a finite number, got 'x'"):
        OfUser(4, reg="x")
