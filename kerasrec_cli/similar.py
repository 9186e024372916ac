"""`kerasrec similar`: items that the model of a run considers similar."""

from __future__ import annotations

from pathlib import Path

import click

from kerasrec_cli.id_lists import parse_ids
from kerasrec_cli.recommend import print_items, titles_of
from kerasrec_cli.runtime import Command


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--item", required=True, help="Id of the item.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1), help="Number of similar items.")
def similar(run: Path, item: str, k: int) -> None:
    """Print the items that are most similar to an item.

    The similarity is that of the model of a RUN folder: the cosine of the item vectors or, for linear
    models such as ease, the item-to-item weight.

    \b
    Example:
      kerasrec similar run --item 26 -k 5
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run

    opened = Run(run)
    train = opened.split().train
    items = parse_ids([item], train.item_ids.dtype.kind in "US", "--item")
    if items[0] not in train.item_ids:
        raise ValueError(f"--item: expected an item of {run / 'items.csv'}, got {item}")
    lists = opened.model().similar(train, items, k)
    titles = titles_of(train)
    if titles.get(items[0]):
        click.echo(f"similar to {titles[items[0]]}")
    print_items(lists.item_ids[0], lists.scores[0], titles)
