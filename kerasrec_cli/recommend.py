"""`kerasrec recommend`: a list of items from a run or from a server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.options import split_list
from kerasrec_cli.runtime import Command
from kerasrec_cli.serving import DEFAULT_NAME

if TYPE_CHECKING:
    from kerasrec import Interactions
    from kerasrec.runs import Run


@click.command(cls=Command)
@click.argument("source", metavar="RUN|HOST:PORT")
@click.option(
    "--history",
    default="",
    help="Ids of the items that the user has seen, separated by commas. An id that contains a comma is quoted, as in "
    """a CSV file: '"Shirt, blue",Hat'.""",
)
@click.option("--ratings", default="", help="Ratings of these items, separated by commas, for rating models.")
@click.option("--user", help="Id of the user, for models that read it (cdae, and auto_rec or cfn with rows=items).")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1), help="Number of items.")
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Model name, for a server.")
def recommend(source: str, history: str, ratings: str, user: str | None, k: int, name: str) -> None:
    """Recommend items for a history, from a RUN folder or a server.

    \b
    Example:
      kerasrec recommend run --history 1,5,26 -k 5
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run

    query = Query(split_list(history), split_list(ratings), user)
    if not query.history and user is None:
        click.echo("note: without --history, the answer is that for an unknown user", err=True)
    if (Path(source) / "run.json").exists() or not re.fullmatch(r".+:\d+", source):
        items, scores, titles = recommend_from_run(Run(source), query, k)
    else:
        items, scores = recommend_from_server(source, name, query, k)
        titles = {}
    print_items(items, scores, titles)


@dataclass(frozen=True)
class Query:
    """The input of a recommendation, with ids and ratings as text.

    Attributes:
        history: ids of the items that the user has seen.
        ratings: their ratings; empty if not given.
        user: id of the user, or `None`.
    """

    history: list[str]
    ratings: list[str]
    user: str | None

    def check(self, serving_inputs: Iterable[str]) -> None:
        """Checks that the query has the inputs of a model.

        Args:
            serving_inputs: names of the model's inputs.

        Raises:
            ValueError: an input is missing, or the model does not have it.
        """
        for option, value, model_input in (("user", self.user, "user_id"), ("ratings", self.ratings, "ratings")):
            if value and model_input not in serving_inputs:
                raise ValueError(
                    f"--{option}: this model has only the inputs {', '.join(serving_inputs)}. Fix: leave --{option} out"
                )
        if "ratings" in serving_inputs and len(self.ratings) != len(self.history):
            raise ValueError(
                f"--ratings: expected one rating for each of the {len(self.history)} items of --history, "
                f"got {len(self.ratings)}"
            )
        if self.user is None and "history" not in serving_inputs:
            raise ValueError("this model answers by user id. Fix: give --user")


def recommend_from_run(run: Run, query: Query, k: int) -> tuple[Any, Any, dict[Any, str]]:
    """Returns the item ids, scores and titles from the model of a run."""
    from kerasrec import Interactions

    model, train_table = run.model(), run.split().train
    query.check(model.serving_inputs)
    history = _parse_ids(query.history, train_table.item_ids.dtype.kind in "US", "--history")
    unknown = set(history) - set(train_table.item_ids.tolist())
    for item in unknown:
        click.echo(f"note: item {item} is not in the catalogue and is ignored", err=True)
    users, is_known = None, True
    if query.user is not None:
        users = _parse_ids([query.user], train_table.user_ids.dtype.kind in "US", "--user")
        is_known = users[0] in train_table.user_ids.tolist()
    if "history" in model.serving_inputs:
        if not is_known:
            click.echo(f"note: user {query.user} is not a training user; the answer uses --history only", err=True)
        ratings = [_parse_ratings(query.ratings)] if "ratings" in model.serving_inputs else None
        table = Interactions.from_histories([history], train_table, ratings, users)
        answer = model.recommend(table, k, train=train_table)
    elif not is_known:
        raise ValueError(
            f"--user: user {query.user} is not a training user, and this model answers only for those. "
            f"Fix: choose one of {run.folder / 'users.csv'}"
        )
    else:
        answer = model.recommend(train_table, k, users=users, exclude=[i for i in history if i not in unknown])
    return answer.item_ids[0], answer.scores[0], titles_of(train_table)


def recommend_from_server(address: str, name: str, query: Query, k: int) -> tuple[Any, Any]:
    """Returns the item ids and scores from the server at `HOST:PORT`."""
    from kerasrec.serving import Client, ServingError

    try:
        with Client(address, model=name) as client:
            types = client.input_types()  # input → "string", "int64" or "float32"
            query.check(types)
            if query.history and "history" not in types:
                raise ValueError("--history: this model answers by user id only. Fix: leave --history out")
            inputs: dict[str, Any] = {}
            if query.user is not None:
                inputs["user_ids"] = _parse_ids([query.user], types.get("user_id") == "string", "--user")
            elif {"user_id", "history"} <= types.keys():
                inputs["user_ids"] = ["" if types["user_id"] == "string" else -1]  # an unknown user
            if "history" in types:
                inputs["histories"] = [_parse_ids(query.history, types.get("history") == "string", "--history")]
            if "ratings" in types:
                inputs["ratings"] = [_parse_ratings(query.ratings)]
            item_ids, scores = client.recommend(k=k, **inputs)
    except ServingError as error:
        raise ValueError(str(error)) from error
    return item_ids[0], scores[0]


def print_items(items: Any, scores: Any, titles: dict[Any, str]) -> None:
    """Prints a list of items, best first."""
    padding = ("", -1)
    if all(item in padding for item in items.tolist()):
        click.echo("note: no item is left to recommend", err=True)
    for rank, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True), 1):
        if item not in padding:
            click.echo(f"{rank:>3}. {item!s:<10} {score:>9.4f}  {titles.get(item, '')}".rstrip())


def titles_of(table: Interactions) -> dict[Any, str]:
    """Item id → title; empty if the table has no titles."""
    if table.item_titles is None:
        return {}
    return dict(zip(table.item_ids.tolist(), table.item_titles.tolist(), strict=True))


def _parse_ids(ids: list[str], are_strings: bool, option: str) -> list[Any]:
    """Converts ids to the type that they have in the data."""
    if are_strings:
        return ids
    try:
        return [int(i) for i in ids]
    except ValueError as error:
        raise ValueError(f"{option}: the ids of these data are integers ({error})") from None


def _parse_ratings(ratings: list[str]) -> list[float]:
    try:
        return [float(rating) for rating in ratings]
    except ValueError as error:
        raise ValueError(f"--ratings: {error}") from None
