"""The answers of one or two explorers, by name, for the server and for saved pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasrec.explorer.explorer import Explorer
from kerasrec.explorer.question import Question


def check_comparable(explorers: Sequence[Explorer]) -> None:
    """Checks that the runs share items, so that one history can be sent to both.

    Raises:
        ValueError: two runs have no item in common.
    """
    first, *others = (explorer.train.item_ids for explorer in explorers)
    for other in others:
        if first.dtype.kind != other.dtype.kind or not np.isin(first, other).any():
            raise ValueError("the runs have no item in common. Fix: explore runs on the same data")


def about(explorers: Sequence[Explorer]) -> dict[str, Any]:
    """The first answer to the page: the runs, and a test user to start with."""
    first = explorers[0]
    example = first.test_user(first.example_question().user)
    return {"runs": [explorer.about() for explorer in explorers], "example": example}


def answer(explorers: Sequence[Explorer], name: str, run: int, question: Question, seed: int = 0) -> dict[str, Any]:
    """The answer of one run to a question.

    Args:
        explorers: one or two.
        name: one of `Explorer.answers`.
        run: 0 or 1.
        question: whose list.
        seed: of `draws`.

    Raises:
        ValueError: `run` is out of range, or the model of that run does not answer `name`.
    """
    if not 0 <= run < len(explorers):
        raise ValueError(f"expected `run` to be below {len(explorers)}, got {run}")
    explorer = explorers[run]
    if name not in explorer.answers:
        raise ValueError(f"expected one of {', '.join(explorer.answers)}, got {name!r}")
    if name == "draws":
        return explorer.draws(question, seed)
    result: dict[str, Any] = getattr(explorer, name)(question)
    return result


def search(explorers: Sequence[Explorer], name: str, parameters: Mapping[str, str]) -> Any:
    """The answer to a request without a question: `about`, `items`, `users` or `user`.

    Raises:
        ValueError: `name` is another one, or `parameters` has an unknown user id.
    """
    first = explorers[0]
    text = parameters.get("q", "")
    if name == "about":
        return about(explorers)
    if name == "items":
        return first.catalogue.search(text)
    if name == "users":
        return first.search_users(text)
    if name == "user":
        return first.test_user(first.question_for(parameters.get("id", "")).user)
    raise ValueError(f"expected about, items, users or user, got {name!r}")
