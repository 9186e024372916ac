"""`kerasrec plot` and `kerasrec explore`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from kerasrec_cli.runtime import Command, check_file, end_on_signals, one_of
from kerasrec_cli.waiting_server import WaitingServer

WAITING = "kerasrec explore server"
"""Key in a context's `meta`: the server that waits for the library."""


@click.command(cls=Command)
@click.argument("picture")
@click.argument("runs", metavar="RUN...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File: .png, .svg or .pdf.")
def plot(picture: str, runs: tuple[Path, ...], to: Path) -> None:
    """Draw a PICTURE of RUN folders.

    \b
    curves            loss, β and validation metric by epoch
    train-validation  metric on training rows and on validation, by epoch
    reconstruction    scores for the row of one user
    popularity        recall in the top 20 by popularity of the item; one or more runs
    history-length    Recall@20 by length of the history; one or more runs
    latent-map        items in two dimensions
    coverage          share of the catalogue in the lists, and popularity bias; one or more runs
    comparison        test metrics with standard errors; one or more runs
    differences       paired differences from the best run, with 95 % intervals; two or more runs
    efficiency        test metric against training seconds and served megabytes; one or more runs
    trials            validation results of the trials of `kerasrec tune`
    costs             cost by size, from a CSV file of name,size,cost instead of RUN

    \b
    Example:
      kerasrec plot latent-map run --to map.png
    """  # noqa: D301 - click reads the character \b
    from kerasrec import plots
    from kerasrec.runs import Run

    if not runs:
        raise ValueError(
            f"expected a PICTURE and at least one RUN, got only {picture}. Fix: for example kerasrec plot curves run "
            f"--to {to}; the pictures are {', '.join([*plots.RUN_PLOTS, 'costs'])}"
        )
    if to.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--to: expected a file that ends in .png, .svg or .pdf, got {to}")
    check_file("--to", to)
    if picture == "costs":
        if len(runs) > 1 or runs[0].is_dir():
            raise ValueError(f"costs: expected one CSV file of name,size,cost, got {', '.join(map(str, runs))}")
        figure = plots.costs(plots.read_costs(runs[0]))
    else:
        draw = one_of({**plots.RUN_PLOTS, "costs": plots.costs}, picture, "picture")
        figure = draw([Run(run) for run in runs])
    figure.savefig(to, dpi=150)
    click.echo(f"written: {to}")


class _Explore(Command):
    """A command that opens the page first, and then imports the library."""

    def invoke(self, ctx: click.Context) -> Any:
        runs, to, user = (ctx.params[name] for name in ("runs", "to", "user"))
        is_valid = len(runs) <= 2 and user is None and all((run / "metrics.json").is_file() for run in runs)
        if to is None and is_valid:
            server = ctx.meta[WAITING] = WaitingServer(ctx.params["port"])
            click.echo(f"{' and '.join(map(str, runs))} on {server.address}; stop with Ctrl-C")
            if ctx.params["open_page"] and _has_browser():
                click.launch(server.address)
        if sys.stderr.isatty():
            click.echo("starting TensorFlow …", err=True)
        return super().invoke(ctx)


def _has_browser() -> bool:
    """Whether a browser can open. On Linux without a display, `xdg-open` prints errors, or starts a text browser."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@click.command(cls=_Explore)
@click.argument("runs", metavar="RUN [RUN2]", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="Port; 0: free port.")
@click.option("--open/--no-open", "open_page", default=True, show_default=True, help="Open the page in a browser.")
@click.option("--save", "to", type=click.Path(path_type=Path), help="Write one HTML file; start no server.")
@click.option("--user", help="With --save: id of the test user whose list the page shows.")
def explore(runs: tuple[Path, ...], port: int, open_page: bool, to: Path | None, user: str | None) -> None:
    """Show what the models of one or two RUN folders do, on a local web page.

    Without --save, the page is served until Ctrl-C.

    \b
    Example:
      kerasrec explore run --save page.html
    """  # noqa: D301 - click reads the character \b
    from tqdm.auto import tqdm

    from kerasrec.explorer import Explorer, PageServer, saved_page
    from kerasrec.runs import Run

    if len(runs) > 2:
        raise ValueError(f"expected one or two RUN folders, got {len(runs)}")
    if to is None and user is not None:
        raise ValueError("--user needs --save. Fix: choose the user on the page, or add --save")
    if to is not None:
        check_file("--save", to)
    opened = [Run(run) for run in runs]
    for run in opened:
        run.check_has_metrics()

    def load() -> list[Explorer]:
        loading = tqdm(opened, "loading the model", unit="run", leave=False, disable=None)
        return [Explorer(run) for run in loading]

    if to is not None:
        explorers = load()
        question = None if user is None else explorers[0].question_for(user)
        to.write_text(saved_page(explorers, question), encoding="utf-8")
        click.echo(f"written: {to}")
        return
    end_on_signals()
    waiting: WaitingServer = click.get_current_context().meta[WAITING]  # it exists, because `Run` has found the runs
    waiting.stop_accepting()
    with PageServer(listening=waiting.socket) as server:
        waiting.answered.set()
        server.show(load())  # the page waits for it
        server.prepare()
        server.wait()
