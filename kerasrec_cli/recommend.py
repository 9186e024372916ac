"""What `recommend` was asked on the command line, put to a run or a server."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kerasrec import Interactions
    from kerasrec.runs import Run


@dataclass(frozen=True)
class Question:
    """What `recommend` was asked on the command line, ids still as text."""

    history: list[str]
    ratings: list[str]
    user: str | None

    def check(self, serving_inputs: Iterable[str]) -> None:
        """That a model which asks for these is told of its user what it needs, and nothing else.

        Raises:
            ValueError: it is not.
        """
        for given, needed in (("user", "user_id"), ("ratings", "ratings")):
            if getattr(self, given) and needed not in serving_inputs:
                asked = ", ".join(serving_inputs)
                raise ValueError(f"--{given} has no meaning for this model, which asks for {asked}: leave it out")
        if "ratings" in serving_inputs and len(self.ratings) != len(self.history):
            raise ValueError(
                f"--ratings: {len(self.history)} items but {len(self.ratings)} values: give each item of --history one"
            )
        if self.user is None and "history" not in serving_inputs:
            raise ValueError("this model is asked by user: give --user")


def ask_run(run: Run, question: Question, k: int) -> tuple[Any, Any, dict[Any, str]]:
    """Item ids, scores and titles of the answer by the model of a run."""
    from kerasrec import Interactions

    model, train_table = run.model(), run.split().train
    question.check(model.serving_inputs)
    history = _typed(question.history, train_table.item_ids.dtype.kind in "US", "--history")
    unknown = set(history) - set(train_table.item_ids.tolist())
    for item in unknown:
        click.echo(f"note: item {item} is not in the catalogue and is ignored", err=True)
    users, is_known = None, True
    if question.user is not None:
        users = _typed([question.user], train_table.user_ids.dtype.kind in "US", "--user")
        is_known = users[0] in train_table.user_ids.tolist()
    if "history" in model.serving_inputs:
        if not is_known:
            click.echo(
                f"note: user {question.user} is not among the training users and is answered as a stranger", err=True
            )
        ratings = [_numbers(question.ratings)] if "ratings" in model.serving_inputs else None
        asked = Interactions.from_histories([history], train_table, ratings, users)
        answer = model.recommend(asked, k, train=train_table)
    elif not is_known:
        raise ValueError(
            f"--user: user {question.user} is not among the training users, whom alone this model can answer: "
            "users.csv of the run lists them"
        )
    else:
        answer = model.recommend(train_table, k, users=users, exclude=[i for i in history if i not in unknown])
    return answer.item_ids[0], answer.scores[0], titles_of(train_table)


def ask_server(target: str, name: str, question: Question, k: int) -> tuple[Any, Any]:
    """Item ids and scores of the answer by a server, `HOST:PORT`."""
    from kerasrec.serving import Client, ServingError

    try:
        with Client(target, model=name) as client:
            takes = client.input_types()
            question.check(takes)
            if question.history and "history" not in takes:
                raise ValueError("--history has no meaning for this served model, which asks for user_id: leave it out")
            asked: dict[str, Any] = {}
            if question.user is not None:
                asked["user_ids"] = _typed([question.user], takes.get("user_id") == "string", "--user")
            elif {"user_id", "history"} <= takes.keys():
                asked["user_ids"] = ["" if takes["user_id"] == "string" else -1]  # a stranger
            if "history" in takes:
                asked["histories"] = [_typed(question.history, takes.get("history") == "string", "--history")]
            if "ratings" in takes:
                asked["ratings"] = [_numbers(question.ratings)]
            item_ids, scores = client.recommend(k=k, **asked)
    except ServingError as error:
        raise ValueError(str(error)) from error
    return item_ids[0], scores[0]


def show_answer(items: Any, scores: Any, titles: dict[Any, str]) -> None:
    """Prints a list, best first."""
    if not (scores > float("-inf")).any():
        click.echo("note: nothing is left to recommend", err=True)
    for place, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True), 1):
        if score > float("-inf"):
            click.echo(f"{place:>3}. {item!s:<10} {score:>9.4f}  {titles.get(item, '')}".rstrip())


def titles_of(table: Interactions) -> dict[Any, str]:
    """Item id → title, as far as the data has them."""
    if table.item_titles is None:
        return {}
    return dict(zip(table.item_ids.tolist(), table.item_titles.tolist(), strict=True))


def listed(text: str) -> list[str]:
    """The parts between commas, which a part in quotes may hold itself, as in a CSV file."""
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return [part.strip() for row in rows for part in row if part.strip()]


def _typed(ids: list[str], are_strings: bool, option: str) -> list[Any]:
    """Ids from the command line as the data has them: strings or integers."""
    if are_strings:
        return ids
    try:
        return [int(i) for i in ids]
    except ValueError as error:
        raise ValueError(f"{option}: ids in this data are integers ({error})") from None


def _numbers(ratings: list[str]) -> list[float]:
    try:
        return [float(r) for r in ratings]
    except ValueError as error:
        raise ValueError(f"--ratings: {error}") from None
