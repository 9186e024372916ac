"""`kerasrec train` and `evaluate`."""

from __future__ import annotations

import importlib.util
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.options import name_arguments, parse_arguments, protocol_arguments, read_options, without_none
from kerasrec_cli.runtime import INTERRUPTED, Command, one_of

if TYPE_CHECKING:
    from kerasrec.runs import Run

RUN_FOLDER = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("model")
@click.option("--data", "source", default="generated", show_default=True, help="File, folder or name of the data.")
@click.option(
    "--protocol",
    help="random-ratings, held-out-users, own-items, temporal-users or leave-one-out.  "
    "[default: random-ratings for rating models, held-out-users for all others]",
)
@click.option(
    "--held-out",
    type=click.IntRange(1),
    help="Number of test users, and of validation users.  [default: a tenth of all users; 750 for temporal-users]",
)
@click.option("--min-value", type=float, help="Lowest rating that counts as a like.  [default: the protocol's]")
@click.option(
    "--split",
    "split_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another option of the protocol, such as min_items=20. Repeatable.",
)
@click.option("--seed", type=int, default=98765, show_default=True, help="Seed of the split and of the training.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training rows.  [default: the model's]")
@click.option("--batch-size", type=click.IntRange(1), help="Rows per batch.  [default: the model's]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Initial learning rate, which falls to 0 as a cosine over the run.  [default: the model's optimizer]",
)
@click.option(
    "--set",
    "model_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model, such as reg=500. Repeatable.",
)
@read_options
@click.option("--out", required=True, type=RUN_FOLDER, help="Folder of the run.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out if it has other options or other data.")
def train(
    model: str,
    source: str,
    protocol: str | None,
    held_out: int | None,
    min_value: float | None,
    split_texts: tuple[str, ...],
    seed: int,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    model_texts: tuple[str, ...],
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Train MODEL, evaluate it by a published protocol, and store the run.

    `kerasrec models` lists the models and their options. The same command resumes an
    interrupted run; the final weights are the same as without the interruption. If the run is
    finished and its data have not changed, the command trains nothing and exits with code 0. If
    its data have changed, it exits with code 2; --overwrite trains again.

    \b
    Example:
      kerasrec train ease --data ratings.csv --set reg=500 --out run
    """  # noqa: D301 - click reads the character \b
    from kerasrec import PROTOCOLS, ZOO
    from kerasrec.runs import RunConfig, train as train_run

    if learning_rate is not None and not math.isfinite(learning_rate):
        raise ValueError(f"--learning-rate: expected a number above 0, got {learning_rate}")
    model_class = one_of(ZOO, model, "model")
    protocol = protocol or ("random-ratings" if model_class.feedback == "ratings" else "held-out-users")
    protocol_class = one_of(PROTOCOLS, protocol, "protocol")
    name_arguments({"--split": protocol_class, "--set": model_class})
    config = RunConfig(
        model=model,
        data=source,
        protocol=protocol,
        seed=seed,
        epochs=epochs or model_class.default_epochs,
        batch_size=batch_size or model_class.default_batch_size,
        split_options=protocol_arguments(
            protocol_class, split_texts, seed, {"held_out": held_out, "min_value": min_value}
        ),
        model_options=parse_arguments(model_class, model_texts, "--set"),
        read_options=without_none(options),
        learning_rate=learning_rate,
    )
    try:
        run = train_run(
            config, lambda: read_and_report(source, **config.read_options), out, overwrite=overwrite, verbose=1
        )
    except KeyboardInterrupt:
        if not (out / "run.json").exists():
            raise  # nothing is stored yet
        click.echo("\ninterrupted: the same command continues after the last complete epoch", err=True)
        sys.exit(INTERRUPTED)
    _print_metrics(run)
    _draw_pictures(run)
    click.echo(f"\nstored in {out}; next step: kerasrec export {out} --to served")


def _print_metrics(run: Run) -> None:
    from kerasrec.inference import format_error

    metrics = run.metrics
    test, validation = metrics["test"], metrics["validation"]
    click.echo(f"\n{metrics['model']} on {metrics['data']}, {metrics['protocol']}, seed {metrics['seed']}")
    click.echo(f"{'':<16}{'test':>18}{'validation':>14}")
    for name in [name for name in test if f"{name}_se" in test]:
        click.echo(f"{name:<16}{test[name]:>9.4f}{format_error(test[f'{name}_se']):<9}{validation[name]:>14.4f}")
    left_out = f"; {test['left_out']:,} users without held-out items excluded" if test["left_out"] else ""
    click.echo(
        f"{test['n']:,} test rows{left_out}; trained in {metrics['seconds']:.1f} s, best epoch {metrics['best_epoch']}"
    )


def _draw_pictures(run: Run) -> None:
    """Draws `curves.png` and the folder `pictures`, unless they exist."""
    if (run.folder / "pictures").exists():
        return
    if importlib.util.find_spec("matplotlib") is None:
        click.echo("no pictures, because matplotlib is not installed. Fix: pip install 'kerasrec[plots]'", err=True)
        return
    from kerasrec.files import atomic_folder
    from kerasrec.plots import draw_all

    with atomic_folder(run.folder / "pictures") as unfinished:
        draw_all(run, unfinished)
    curves = run.folder / "pictures" / "curves.png"
    if curves.exists():  # a closed-form model has no epochs
        shutil.copyfile(curves, run.folder / "curves.png")


@click.command(cls=Command)
@click.argument("run", type=RUN_FOLDER)
@click.option(
    "--metric", "metrics", multiple=True, help="Name of a metric, such as ndcg_10. Repeatable.  [default: the model's]"
)
def evaluate(run: Path, metrics: tuple[str, ...]) -> None:
    """Evaluate the model of a RUN folder again, with any metric.

    \b
    Example:
      kerasrec evaluate run --metric ndcg_10 --metric recall_20
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run

    for name, evaluation in Run(run).evaluate(list(metrics) or None, verbose=1).items():
        click.echo(f"\n{name}\n{evaluation}")
