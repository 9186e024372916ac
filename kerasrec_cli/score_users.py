"""`kerasrec recommend --all` and `--users`: lists for many users, written to a file."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from kerasrec_cli.id_lists import possible_ids, read_id_file
from kerasrec_cli.runtime import shell

if TYPE_CHECKING:
    from kerasrec import Interactions
    from kerasrec.runs import Run
    from kerasrec_cli.restrictions import Restrictions


def score_users(
    run: Run, users_file: Path | None, data: str | None, k: int, restrictions: Restrictions, to: Path, titles: bool
) -> None:
    """Writes the lists of many users.

    Args:
        run: the run.
        users_file: file with one user id per line; `None` for all users.
        data: newer data with the users' histories; `None` for the data of the run.
        k: number of items.
        restrictions: which items may be in the lists.
        to: file or new folder.
        titles: whether to add a column with the titles of the items.
    """
    from kerasrec.inference import check_format, recommend_batches, write_recommendations

    check_format(to)
    # The half-written file is removed while the exception passes; the default action would leave it behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if users_file is None and data is None and run.config is not None and not run.saw_all_rows:
        click.echo(
            "note: this model was trained without the held-out rows, and users that the protocol left out get no list. "
            f"Fix: kerasrec refit {shell(run.folder)} --out final, and recommend with final",
            err=True,
        )
    split = run.split()
    histories = split.histories() if data is None else _newer_histories(run, data, split.train)
    if users_file is not None:
        ids = possible_ids(read_id_file(users_file, "--users"), histories.user_ids.dtype.kind in "US", "--users")
        histories = _with_users(histories, list(dict.fromkeys(ids)), users_file)
    n_without = int((histories.counts == 0).sum())
    if n_without:
        items = "the most popular items" if restrictions.min_score is None else "no items, because of --min-score"
        click.echo(f"note: {n_without:,} users have no known item and get {items}", err=True)
    known = restrictions.known(split.train.item_ids)
    start = time.perf_counter()
    tables = recommend_batches(
        run.model(),
        histories,
        k,
        exclude=known["exclude"],
        candidates=known["candidates"],
        train=split.train,
        min_score=restrictions.min_score,
        verbose=1,
        titles=titles,
    )
    n_rows = write_recommendations(tables, to)
    seconds = time.perf_counter() - start
    rate = histories.n_users / seconds
    click.echo(f"written: {to}, {n_rows:,} rows for {histories.n_users:,} users in {seconds:.1f} s ({rate:,.0f} per s)")


def _newer_histories(run: Run, data: str, train: Interactions) -> Interactions:
    """The histories in newer data, over the catalogue of the run."""
    from kerasrec.runs import read_newer

    newer = read_newer(run, data)
    n_unknown = int((~np.isin(newer.item_ids, train.item_ids)).sum())
    if n_unknown:
        count = f"{n_unknown:,} of {newer.n_items:,} items"
        click.echo(f"note: {count} in {data} are not in the catalogue and are ignored", err=True)
    return newer.with_catalogue(train.item_ids)


def _with_users(histories: Interactions, user_ids: list[Any], users_file: Path) -> Interactions:
    """The rows of some users; empty rows for users without interactions."""
    from kerasrec import Interactions
    from kerasrec.inference.recommend import user_rows

    if not user_ids:
        raise ValueError(f"--users: expected at least one user id in {users_file}, got none")
    rows = user_rows(histories, user_ids)
    n_unknown = int((rows < 0).sum())
    if n_unknown:
        click.echo(f"note: {n_unknown:,} of {len(rows):,} users in {users_file} are not in the data", err=True)
    known = histories.take_users(rows[rows >= 0])
    counts = np.zeros(len(rows), np.int64)
    counts[rows >= 0] = known.counts
    indptr = np.concatenate([[0], np.cumsum(counts)])
    ids = np.array(user_ids)
    return Interactions(indptr, known.items, known.values, known.times, ids, known.item_ids, known.item_titles)
