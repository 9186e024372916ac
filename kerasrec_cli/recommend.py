"""`kerasrec recommend`: lists of items from a run or from a server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.id_lists import LIST_FORMAT, known_items, parse_ids
from kerasrec_cli.options import split_list
from kerasrec_cli.restrictions import Restrictions
from kerasrec_cli.runtime import Command
from kerasrec_cli.score_users import score_users
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
@click.option("--user", help="Id of a user, whose history is that in the data of the run.")
@click.option("--all", "all_users", is_flag=True, help="Recommend for all users; needs --to.")
@click.option(
    "--users", "users_file", type=click.Path(path_type=Path), help="File with one user id per line; needs --to."
)
@click.option("--data", help="Newer data of the same format with the users' histories.  [default: the data of the run]")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1), help="Number of items.")
@click.option("--exclude", default="", metavar=LIST_FORMAT, help="Items that are never recommended.")
@click.option("--candidates", metavar=LIST_FORMAT, help="The only items that may be recommended.")
@click.option(
    "--min-score",
    type=float,
    help="Leave out items with a lower score. With --all and --users, users without a known item then get no items, "
    "because popular items have no score of the model.",
)
@click.option("--why", is_flag=True, help="Print the history items that raise the score of each item most.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="With --all or --users: a file .parquet, .csv or .jsonl, or a new folder of Parquet files.",
)
@click.option("--titles", is_flag=True, help="Add a column with the titles of the items to the file in --to.")
@click.option("--overwrite", is_flag=True, help="Replace the file in --to.")
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Model name, for a server.")
def recommend(
    source: str,
    history: str,
    ratings: str,
    user: str | None,
    all_users: bool,
    users_file: Path | None,
    data: str | None,
    k: int,
    exclude: str,
    candidates: str | None,
    min_score: float | None,
    why: bool,
    to: Path | None,
    titles: bool,
    overwrite: bool,
    name: str,
) -> None:
    """Recommend items for one history or all users, from a RUN or a server.

    Users without a known item get the most popular items. With --all and --users, the lists are
    written to a file with the columns user_id, rank, item_id and score, and title with --titles.
    The file is complete or does not exist.

    \b
    Example:
      kerasrec recommend run --all -k 20 --to recommendations.parquet
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run

    restrictions = Restrictions.read(exclude, candidates, min_score)
    is_server = re.fullmatch(r".+:\d+", source) and not (Path(source) / "run.json").exists()
    if all_users or users_file is not None:
        for option, value in (("--history", history), ("--user", user), ("--ratings", ratings), ("--why", why)):
            if value:
                raise ValueError(f"{option}: expected no {option} with --all or --users. Fix: leave one of them out")
        if all_users and users_file is not None:
            raise ValueError("--all and --users: expected one of them. Fix: leave one out")
        if is_server:
            raise ValueError(f"--all and --users: expected a RUN folder, got the server {source}. Fix: give the folder")
        if to is None:
            raise ValueError("--to: expected a file for the lists of many users. Fix: add --to recommendations.parquet")
        if to.is_file() and not overwrite:
            raise FileExistsError(f"--to: expected a new file, got {to}, which exists. Fix: add --overwrite")
        score_users(Run(source), users_file, data, k, restrictions, to, titles)
        return
    if to is not None:
        raise ValueError("--to: expected --all or --users with it. Fix: add one of them, or leave --to out")
    if titles:
        raise ValueError("--titles: expected --to with it. Fix: leave it out; titles are always printed")
    query = Query(split_list(history), split_list(ratings), user, data, restrictions, why)
    if not query.history and user is None:
        click.echo("note: without --history, the list contains the most popular items", err=True)
    if is_server:
        for option, value in (("--data", data), ("--why", why)):
            if value:
                raise ValueError(f"{option}: expected a RUN folder with it, got a server. Fix: leave {option} out")
        print_items(*recommend_from_server(source, name, query, k), min_score)
    else:
        items, scores, item_titles, reasons = recommend_from_run(Run(source), query, k)
        print_items(items, scores, item_titles, min_score, reasons)


@dataclass(frozen=True)
class Query:
    """The input of a recommendation for one user, with ids and ratings as text.

    Attributes:
        history: ids of the items that the user has seen.
        ratings: their ratings; empty if not given.
        user: id of the user, or `None`.
        data: newer data with the history of the user, or `None`.
        restrictions: which items may be in the list.
        why: whether to explain each item.
    """

    history: list[str]
    ratings: list[str]
    user: str | None
    data: str | None = None
    restrictions: Restrictions = Restrictions()
    why: bool = False

    def check(self, serving_inputs: Iterable[str]) -> None:
        """Checks the ratings.

        Args:
            serving_inputs: names of the model's inputs.

        Raises:
            ValueError: ratings are missing, or the model does not read them.
        """
        if self.ratings and "ratings" not in serving_inputs:
            raise ValueError(
                f"--ratings: this model has only the inputs {', '.join(serving_inputs)}. Fix: leave --ratings out"
            )
        if "ratings" in serving_inputs and len(self.ratings) != len(self.history):
            raise ValueError(
                f"--ratings: expected one rating for each of the {len(self.history)} items of --history, "
                f"got {len(self.ratings)}"
            )
        if self.user is None and "history" not in serving_inputs:
            raise ValueError(needs_user())


def needs_user() -> str:
    """The message for a query without a user to a model that reads only the user id."""
    return "--user: expected a user id, because this model reads no history. Fix: add --user ID"


def recommend_from_run(run: Run, query: Query, k: int) -> tuple[Any, Any, dict[Any, str], dict[Any, str]]:
    """Returns the item ids, scores, titles and reasons from the model of a run."""
    model, split = run.model(), run.split()
    query.check(model.serving_inputs)
    table = _history_table(run, split, model.serving_inputs, query)
    restrictions = query.restrictions.known(split.train.item_ids)
    exclude, candidates = restrictions["exclude"], restrictions["candidates"]
    if "history" not in model.serving_inputs:
        exclude += _known_history(query, split.train)
    titles, reasons = titles_of(split.train), {}
    if query.why:
        explained = model.explain(table, k, exclude=exclude, candidates=candidates, train=split.train)
        item_ids, scores = explained.item_ids[0], explained.scores[0]
        for place, item in enumerate(item_ids.tolist()):
            pairs = zip(
                explained.reason_ids[0, place].tolist(), explained.contributions[0, place].tolist(), strict=True
            )
            named = [(f"{reason} {titles.get(reason, '')}".rstrip(), change) for reason, change in pairs if change]
            reasons[item] = ", ".join(f"{name} ({change:+.4f})" for name, change in named)
    else:
        answer = model.recommend(table, k, exclude=exclude, candidates=candidates, train=split.train)
        item_ids, scores = answer.item_ids[0], answer.scores[0]
    return item_ids, scores, titles, reasons


def _history_table(run: Run, split: Any, serving_inputs: Iterable[str], query: Query) -> Interactions:
    """A table of one row: the history of the query, or else that of its user in the data."""
    from kerasrec import Interactions
    from kerasrec.inference.recommend import user_rows
    from kerasrec.runs import read_newer

    train = split.train
    users = None
    if query.user is not None:
        users = parse_ids([query.user], train.user_ids.dtype.kind in "US", "--user")
    if query.history and "history" in serving_inputs:
        if users is not None and "user_id" not in serving_inputs:
            raise ValueError(
                "--user and --history: expected one of them, because this model reads only a history. "
                "Fix: leave --user out"
            )
        if users is not None and user_rows(train, users)[0] < 0:
            click.echo(f"note: user {query.user} is not a training user; only --history is used", err=True)
        _known_history(query, train)
        ids = parse_ids(query.history, train.item_ids.dtype.kind in "US", "--history")
        ratings = [_parse_ratings(query.ratings)] if "ratings" in serving_inputs else None
        return Interactions.from_histories([ids], train, ratings, users)
    if users is None:
        return Interactions.from_histories([[]], train)
    table = split.histories() if query.data is None else read_newer(run, query.data).with_catalogue(train.item_ids)
    row = int(user_rows(table, users)[0])
    if row < 0:
        where = f"the run {run.folder}" if query.data is None else query.data
        click.echo(f"note: user {query.user} is not in the data of {where}; the list has popular items", err=True)
        return Interactions.from_histories([[]], train, user_ids=users)
    return table.take_users([row])


def _known_history(query: Query, train: Interactions) -> list[Any]:
    """The items of the history that are in the catalogue; a note counts the others."""
    ids = parse_ids(query.history, train.item_ids.dtype.kind in "US", "--history")
    return known_items(ids, train.item_ids, "--history")


def recommend_from_server(address: str, name: str, query: Query, k: int) -> tuple[Any, Any, dict[Any, str]]:
    """Returns the item ids, scores and titles from the server at `HOST:PORT`."""
    from kerasrec.serving import Client, ServingError

    try:
        with Client(address, model=name) as client:
            types = client.input_types()  # input → "string", "int64" or "float32"
            query.check(types)
            if query.user is not None and "user_id" not in types:
                raise ValueError(
                    f"--user: the server reads only {', '.join(types)} for this model. Fix: give --history, or a RUN"
                )
            if query.history and "history" not in types:
                raise ValueError("--history: expected --user only, because this model reads no history")
            inputs: dict[str, Any] = {}
            if query.user is not None:
                inputs["user_ids"] = parse_ids([query.user], types.get("user_id") == "string", "--user")
            elif {"user_id", "history"} <= types.keys():
                inputs["user_ids"] = ["" if types["user_id"] == "string" else -1]  # an unknown user
            if "history" in types:
                inputs["histories"] = [parse_ids(query.history, types.get("history") == "string", "--history")]
            if "ratings" in types:
                inputs["ratings"] = [_parse_ratings(query.ratings)]
            inputs |= query.restrictions.possible(types.get("history", types.get("user_id")) == "string")
            item_ids, scores = client.recommend(k=k, **inputs)
            titles = client.titles(item_ids)
            if query.history:
                known = {name: rows for name, rows in inputs.items() if name in ("histories", "ratings", "user_ids")}
                n_items, n_known = len(set(query.history)), int(client.count_known(**known)[0])
                if n_known < n_items:
                    count = f"{n_items - n_known:,} of {n_items:,} items"
                    click.echo(f"note: --history: {count} are not in the catalogue and are ignored", err=True)
    except ServingError as error:
        raise ValueError(str(error)) from error
    return item_ids[0], scores[0], dict(zip(item_ids[0].tolist(), titles[0].tolist(), strict=True))


def print_items(
    items: Any,
    scores: Any,
    titles: dict[Any, str],
    min_score: float | None = None,
    reasons: Mapping[Any, str] | None = None,
) -> None:
    """Prints a list of items, best first, each with its reasons."""
    places = [
        (rank, item, score)
        for rank, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True), 1)
        if item not in ("", -1) and (min_score is None or score >= min_score)
    ]
    if not places:
        click.echo("note: no item is left to recommend", err=True)
    for rank, item, score in places:
        click.echo(f"{rank:>3}. {item!s:<10} {score:>9.4f}  {titles.get(item, '')}".rstrip())
        if reasons and reasons.get(item):
            click.echo(f"       because of {reasons[item]}")


def titles_of(table: Interactions) -> dict[Any, str]:
    """Item id → title; empty if the table has no titles."""
    if table.item_titles is None:
        return {}
    return dict(zip(table.item_ids.tolist(), table.item_titles.tolist(), strict=True))


def _parse_ratings(ratings: list[str]) -> list[float]:
    try:
        return [float(rating) for rating in ratings]
    except ValueError:
        raise ValueError(f"--ratings: expected numbers, got {', '.join(ratings)}") from None
