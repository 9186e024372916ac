"""The declared search space of every model is accepted by its constructor."""

import inspect

import pytest
from kerasrec_testing.models import CASES, table_for

from kerasrec import ZOO
from kerasrec.models.search_space import TRAINING_SETTINGS, Choice, Range

CASE_OF = {name: case for case, (name, _) in CASES.items()}
SEARCHED = [name for name, model in ZOO.items() if model.search_space]


def ends(values):
    """The first and the last value."""
    return (values.low, values.high) if isinstance(values, Range) else (values.values[0], values.values[-1])


def test_every_model_but_popularity_has_a_search_space():
    assert set(ZOO) - set(SEARCHED) == {"popularity"}


@pytest.mark.parametrize("name", SEARCHED)
def test_the_search_space_names_arguments_and_contains_their_defaults(name):
    model = ZOO[name]
    parameters = inspect.signature(model.__init__).parameters
    for setting, values in model.search_space.items():
        where = f"`{model.__name__}.search_space`, {setting}"
        assert isinstance(values, (Range, Choice)), where
        if setting in TRAINING_SETTINGS:
            assert not model.closed_form, f"{where}: a closed-form model has no training"
            continue
        assert setting in parameters, f"{where} is not an argument of the constructor"
        assert parameters[setting].default in values, f"{where} does not contain the default"
    grid = set(model.validation_grid)
    assert grid <= set(model.search_space), f"`{model.__name__}.search_space` lacks {grid - set(model.search_space)}"


@pytest.mark.parametrize("name", SEARCHED)
def test_the_ends_of_the_search_space_are_valid_arguments(name):
    model, table = ZOO[name], table_for(CASE_OF[name])
    for end in (0, 1):
        corner = {setting: ends(values)[end] for setting, values in model.search_space.items()}
        arguments = {setting: value for setting, value in corner.items() if setting not in TRAINING_SETTINGS}
        built = model.for_interactions(table, epochs=1, seed=1, **arguments)
        config = built.get_config()
        assert {setting: config[setting] for setting in arguments} == arguments, f"{name}: {arguments}"
