"""A question is read from JSON and restricted to the items of the catalogue."""

import pytest

from kerasrec import Interactions
from kerasrec.explorer import Question
from kerasrec.explorer.catalogue import Catalogue


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(Interactions.from_arrays([0, 0, 1], [3, 5, 7], [4.0, 2.0, 1.0]))


def test_a_question_is_read_from_json():
    body = {"history": [3, 5], "ratings": [1, None], "user": "ann", "run": 1}
    assert Question.parse(body) == Question([3, 5], [1, None], "ann")
    assert Question.parse({}) == Question()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"history": "tea"}, "`history` to be a list"),
        ({"history": [True]}, "`history` to be a list"),
        ({"history": [3], "ratings": [1, 2]}, "`ratings` to have 1 entries"),
        ({"history": [3], "ratings": ["5"]}, "list of finite numbers"),
        ({"history": [3], "ratings": [float("nan")]}, "list of finite numbers"),
        ({"user": {"id": 3}}, "`user` to be a user id or null"),
    ],
)
def test_fields_of_another_type_are_refused(body, message):
    with pytest.raises(ValueError, match=message):
        Question.parse(body)


def test_unknown_items_are_dropped_and_missing_ratings_are_the_highest(catalogue):
    question = Question([3, 10**30, "tea", 5, 3], [2.0, 1.0, 1.0, None, 1.5])
    assert question.restricted_to(catalogue) == Question([3, 5], [1.5, 4.0])
    assert Question([7, 3]).restricted_to(catalogue) == Question([7, 3], [4.0, 4.0])


def test_items_are_left_out_with_their_ratings():
    question = Question([3, 5, 7], [1.0, 2.0, 3.0], "ann")
    assert question.without(1) == Question([3, 7], [1.0, 3.0], "ann")
    assert question.first(2) == Question([3, 5], [1.0, 2.0], "ann")
