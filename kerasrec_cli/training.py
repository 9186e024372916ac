"""`kerasrec train`."""

from __future__ import annotations

import importlib.util
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.data import read_and_report
from kerasrec_cli.options import (
    as_text,
    default_protocol,
    keyword_arguments,
    name_arguments,
    parse_arguments,
    protocol_arguments,
    read_options,
    without_none,
)
from kerasrec_cli.runtime import INTERRUPTED, Command, one_of

if TYPE_CHECKING:
    from kerasrec.runs import Run

RUN_FOLDER = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("model")
@click.option("--data", "source", default="generated", show_default=True, help="File, folder or name of the data.")
@click.option(
    "--protocol",
    help="random-ratings, held-out-users, own-items, temporal-users, leave-one-out or global-time.  "
    "[default: random-ratings for rating models, temporal-users for svae, held-out-users for all others]",
)
@click.option(
    "--held-out",
    type=click.IntRange(1),
    help="Number of test users, and of validation users.  "
    "[default: a tenth of all users; 750 for --protocol temporal-users]",
)
@click.option("--min-value", type=float, help="Lowest rating that counts as a like.  [default: the protocol's]")
@click.option(
    "--split",
    "split_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another option of the protocol, such as min_items=20. Repeatable.",
)
@click.option("--split-seed", type=int, default=98765, show_default=True, help="Seed of the split.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the weights and of the training.")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Passes over the training rows.  [default: 30 to 60, about 2,500 updates; fewer if validation results stop "
    "improving]",
)
@click.option("--batch-size", type=click.IntRange(1), help="Rows per batch.  [default: a 50th of the rows, 100 to 500]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Initial learning rate, which falls to 0 as a cosine over the run.  [default: the model's]",
)
@click.option(
    "--set",
    "model_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the model, such as reg=500. Repeatable.",
)
@read_options
@click.option("--item-features", metavar="FILE", help="Table with features of items, for cfn.")
@click.option("--user-features", metavar="FILE", help="Table with features of users, for cfn with --set rows=users.")
@click.option("--out", required=True, type=RUN_FOLDER, help="Folder of the run.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --out if it has other options or other data.")
def train(
    model: str,
    source: str,
    protocol: str | None,
    held_out: int | None,
    min_value: float | None,
    split_texts: tuple[str, ...],
    split_seed: int,
    seed: int,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    model_texts: tuple[str, ...],
    item_features: str | None,
    user_features: str | None,
    out: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """Train MODEL, evaluate it by a published protocol, and store the run.

    `kerasrec models` lists the models and their options. The same command resumes an
    interrupted run; the final weights are the same as without the interruption. If the run is
    finished and its data have not changed, the command trains nothing and exits with code 0. If
    its data have changed, it exits with code 2; --overwrite trains again.

    Options that are left out follow from the data. The result ends with a list of the settings
    that were not chosen on them.

    \b
    Example:
      kerasrec train ease --data ratings.csv --set reg=500 --out run
    """  # noqa: D301 - click reads the character \b
    from kerasrec import PROTOCOLS, ZOO
    from kerasrec.runs import RunConfig, train as train_run

    if learning_rate is not None and not math.isfinite(learning_rate):
        raise ValueError(f"--learning-rate: expected a number above 0, got {learning_rate}")
    model_class = one_of(ZOO, model, "model")
    is_default = protocol is None
    protocol = protocol or default_protocol(model_class)
    protocol_class = one_of(PROTOCOLS, protocol, "protocol")
    name_arguments({"--split": protocol_class, "--set": model_class})
    split_options = protocol_arguments(
        protocol_class, split_texts, split_seed, {"held_out": held_out, "min_value": min_value}
    )
    if is_default and protocol == "temporal-users":  # the published number of users suits MovieLens 1M only
        split_options.setdefault("held_out", None)
    config = RunConfig(
        model=model,
        data=source,
        protocol=protocol,
        seed=seed,
        epochs=epochs,
        batch_size=batch_size,
        split_options=split_options,
        model_options=parse_arguments(model_class, model_texts, "--set"),
        read_options=without_none(options),
        learning_rate=learning_rate,
        item_features=item_features,
        user_features=user_features,
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
    _print_settings(run)
    _draw_pictures(run)
    click.echo(f"\nstored in {out}; next step: kerasrec refit {out} --out final")


def _print_metrics(run: Run) -> None:
    from kerasrec.inference import format_error

    metrics = run.metrics
    test, validation = metrics["test"], metrics["validation"]
    baseline = metrics.get("baseline")
    click.echo(f"\n{metrics['model']} on {metrics['data']}, {metrics['protocol']}, seed {metrics['seed']}")
    heading = f"{baseline['model']} (test)" if baseline else ""
    click.echo(f"{'':<16}{'test':>18}{'validation':>14}{heading:>20}".rstrip())
    for name in [name for name in test if f"{name}_se" in test]:
        other = f"{baseline[name]:>20.4f}" if baseline else ""
        error = format_error(test[f"{name}_se"])
        click.echo(f"{name:<16}{test[name]:>9.4f}{error:<9}{validation[name]:>14.4f}{other}")
    left_out = f"; {test['left_out']:,} users without held-out items excluded" if test["left_out"] else ""
    click.echo(
        f"{test['n']:,} test rows{left_out}; trained in {metrics['seconds']:.1f} s, best epoch {metrics['best_epoch']}"
    )


def _print_settings(run: Run) -> None:
    """Prints which settings were compared on validation data, which were not, and whether the run was too short."""
    if run.config is None or run.settings is None:
        return
    settings, model_class = run.settings, run.model_class
    if settings.trials:
        click.echo(f"chosen on validation data: {settings.describe_trials()}")
    constructor = {name: parameter.default for name, parameter in keyword_arguments(model_class).items()}
    values = {**constructor, **settings.arguments}
    # These follow from the ratings and from the length of the run.
    computed = {"value_range", *model_class.schedule_for(1, values)}
    hidden = {*run.config.model_options, *settings.chosen, *computed}
    defaults = [f"{name} {as_text(value)}" for name, value in values.items() if name not in hidden]
    if not model_class.closed_form:
        training = {name: getattr(settings, name) for name in ("epochs", "batch_size", "learning_rate")}
        hidden = {name for name, value in training.items() if value is None or getattr(run.config, name) is not None}
        defaults += [f"{name} {value}" for name, value in training.items() if name not in hidden]
    if defaults:
        click.echo(f"defaults, not chosen on these data: {', '.join(defaults)}")
    if run.metrics["best_epoch"] == settings.epochs > 1:
        more = 2 * settings.epochs
        click.echo(f"Warning: the best epoch is the last one. Fix: try more epochs (--epochs {more})", err=True)


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
