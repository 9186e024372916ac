"""`kerasrec demo`: every step from data to a served recommendation."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.recommend import print_items, titles_of
from kerasrec_cli.runtime import Command
from kerasrec_cli.serving import DEFAULT_NAME

if TYPE_CHECKING:
    from kerasrec.runs import Run


@click.command(cls=Command)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the runs and the export.  [default: a temporary folder]"
)
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True, help="Epochs of Mult-VAE.")
def demo(out: Path | None, epochs: int) -> None:
    """Run every step on generated data: train, evaluate, export, serve, recommend.

    \b
    Example:
      kerasrec demo --epochs 5
    """  # noqa: D301 - click reads the character \b
    from kerasrec import ZOO
    from kerasrec.runs import RunConfig, export_run, refit, train
    from kerasrec.serving import Client, Server

    with contextlib.ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _print_step("1. Data")
        table = read_and_report("generated")
        log = logging.getLogger("kerasrec.data")
        stack.callback(log.setLevel, log.level)
        log.setLevel(logging.ERROR)  # each step would log how many ratings are likes
        _print_step("2. Train Popularity and Mult-VAE on the same split (held-out-users)")
        runs = {}
        for name in ("popularity", "mult_vae"):
            cls = ZOO[name]
            config = RunConfig(
                model=name,
                data="generated",
                protocol="held-out-users",
                seed=98765,
                epochs=min(epochs, cls.default_epochs),
                batch_size=cls.default_batch_size,
            )
            verbose = int(name == "mult_vae")  # both have the same split
            runs[name] = train(config, lambda: table, folder / name, verbose=verbose)
        _print_metrics(runs)
        _print_step("3. Train Mult-VAE on all rows, and export it as a SavedModel")
        final = refit(runs["mult_vae"], folder / "final", read_data=lambda: table, verbose=1)
        version = export_run(final, folder / "served")
        click.echo(f"written: {version}")
        _print_step("4. Serve it over gRPC and request recommendations")
        longest = int(table.counts.argmax())
        history = table.item_ids[table.row(longest)][-5:].tolist()
        server = stack.enter_context(Server(folder / "served", model=DEFAULT_NAME, port=0))
        client = stack.enter_context(Client(f"127.0.0.1:{server.port}", model=DEFAULT_NAME))
        client.wait_until_ready()
        titles = titles_of(table)
        for item in history:
            click.echo(f"seen: {item}  {titles.get(item, '')}")
        item_ids, scores = client.recommend([history], k=5)
        print_items(item_ids[0], scores[0], titles)
        click.echo("\nNow with your own file: kerasrec try ratings.csv")


def _print_step(title: str) -> None:
    click.secho(f"\n{title}", bold=True)


def _print_metrics(runs: dict[str, Run]) -> None:
    from kerasrec.inference import format_error

    names = ("recall_20", "recall_50", "ndcg_100")
    click.echo(f"\n{'test':<14}" + "".join(f"{name:>18}" for name in names) + f"{'seconds':>9}")
    for model, run in runs.items():
        test = run.metrics["test"]
        cells = [f"{test[name]:.4f}{format_error(test[f'{name}_se'])}" for name in names]
        click.echo(f"{model:<14}" + "".join(f"{cell:>18}" for cell in cells) + f"{run.metrics['seconds']:>9.1f}")
