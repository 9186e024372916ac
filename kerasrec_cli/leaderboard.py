"""`kerasrec try`."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.options import read_options
from kerasrec_cli.run_options import RUN_FOLDER, run_config, split_options
from kerasrec_cli.runtime import INTERRUPTED, Command, keyboard_interrupts, shell

if TYPE_CHECKING:
    from kerasrec.runs import Leaderboard

    OnChange = Callable[[Leaderboard], None]


@click.command("try", cls=Command)
@click.argument("source", metavar="DATA")
@click.option(
    "--models",
    help="Names, separated by commas.  [default: popularity,item_knn,ease,edlae,elsa,ials,mult_vae,rec_vae]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=10,
    show_default=True,
    help="Time in all; inf for no limit.",
)
@split_options
@read_options
@click.option("--out", default="try", show_default=True, type=RUN_FOLDER, help="Folder of the runs.")
@click.option("--overwrite", is_flag=True, help="Replace the runs in --out if they have another split or other data.")
def try_(
    source: str,
    models: str | None,
    minutes: float,
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Train several models on DATA within a time limit, and rank them.

    All models have their default settings and the same split. The models share the time. A model
    that does not fit into it, or into memory, is listed with the reason. Each model is stored as
    a run in --out, and the same command continues an interrupted comparison.

    \b
    Example:
      kerasrec try ratings.csv --models popularity,ease --minutes 1
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import DEFAULT_MODELS, try_models

    names = None if models is None else [name.strip() for name in models.split(",") if name.strip()]
    if names == []:
        raise ValueError("--models: expected names of models, got none. Fix: leave --models out")
    config = run_config((names or DEFAULT_MODELS)[0], source, **options)
    with _display(minutes) as on_change:
        try:
            with keyboard_interrupts():
                board = try_models(
                    config,
                    lambda: read_and_report(source, **config.read_options),
                    out,
                    names,
                    60 * minutes,
                    overwrite=overwrite,
                    on_change=on_change,
                )
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        if (out / "leaderboard.md").exists():
            click.echo((out / "leaderboard.md").read_text(encoding="utf-8"), nl=False)
        click.echo(f"\ninterrupted: the finished runs are in {out}; the same command trains the others", err=True)
        sys.exit(INTERRUPTED)
    _print_result(board)


@contextmanager
def _display(minutes: float) -> Iterator[OnChange]:
    """Shows the leaderboard while it changes: a live table on a terminal, otherwise one line for each model."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    console, start, shown = Console(stderr=True), time.monotonic(), set()
    current: list[Leaderboard] = []

    def table() -> Table:
        elapsed = int(time.monotonic() - start)
        limit = "" if minutes == float("inf") else f" of {minutes:g} min"
        result = Table(title=f"{elapsed // 60}:{elapsed % 60:02d}{limit}", title_justify="left")
        for column in current[0].header() if current else ["reading the data"]:
            result.add_column(column, justify="right" if column in ("rank", "seconds") else "left")
        for row in current[0].rows() if current else []:
            result.add_row(*row)
        return result

    def on_change(board: Leaderboard) -> None:
        current[:] = [board]
        if console.is_terminal:
            return
        for entry in board.entries:
            if entry.status in ("finished", "skipped") and entry.model not in shown:
                shown.add(entry.model)
                result = "skipped" if entry.value is None else f"{board.metric} {entry.value:.4f}"
                note = f"; {entry.note}" if entry.note else ""
                click.echo(f"{entry.model}: {result}, {entry.seconds:.0f} s{note}", err=True)

    if not console.is_terminal:
        yield on_change
        return
    with Live(get_renderable=table, console=console, refresh_per_second=2, transient=True):
        yield on_change


def _print_result(board: Leaderboard) -> None:
    """Prints the leaderboard, draws it, and prints the next steps."""
    from kerasrec.runs import Run, compare_runs

    click.echo(board.to_markdown(), nl=False)
    if board.winner is None:
        raise ValueError(f"no model is finished. Fix: give more `minutes`, or other `models`. See {board.folder}")
    runs = [Run(board.folder / entry.model) for entry in board.ranking()]
    if importlib.util.find_spec("matplotlib") is not None:
        from kerasrec.files import atomic_file
        from kerasrec.plots import leaderboard, run_title

        table = compare_runs(runs, [board.metric], runs[0], verbose=1, part="validation") if len(runs) > 1 else None
        with atomic_file(board.folder / "leaderboard.png") as file:
            leaderboard(board, table, run_title(runs)).savefig(file, dpi=150)
    test = runs[0].metrics["test"]
    error = test[f"{board.metric}_se"]
    click.echo(
        f"\nbest on validation users: {board.winner.model}; on test users its {board.metric} is "
        f"{test[board.metric]:.4f}" + ("" if error is None else f" ± {error:.4f}")
    )
    if len(board.ranking()) > 1:
        first, second = (board.folder / entry.model for entry in board.ranking()[:2])
        click.echo(f"compare:   kerasrec compare {shell(first)} {shell(second)}")
    click.echo(f"next step: {board.refit_command()}")
