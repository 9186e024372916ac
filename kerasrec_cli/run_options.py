"""Options of the commands that train: `train`, `tune` and `try`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.options import (
    default_protocol,
    name_arguments,
    parse_arguments,
    protocol_arguments,
    without_none,
)
from kerasrec_cli.runtime import one_of

if TYPE_CHECKING:
    from kerasrec.runs import RunConfig

RUN_FOLDER = click.Path(path_type=Path)

SEED = click.IntRange(0, 2**32 - 1)
"""The seeds that all random generators accept."""

DATA_OPTION = click.option(
    "--data", "source", default="generated", show_default=True, help="File, folder or name of the data."
)

SPLIT_OPTIONS = (
    click.option(
        "--protocol",
        help="random-ratings, held-out-users, own-items, temporal-users, leave-one-out, global-time or cold-items.  "
        "[default: random-ratings for rating models, temporal-users for svae, held-out-users for all others]",
    ),
    click.option(
        "--held-out",
        type=click.IntRange(1),
        help="Number of test users, and of validation users.  "
        "[default: a tenth of all users; 750 for --protocol temporal-users]",
    ),
    click.option("--min-value", type=float, help="Lowest rating that counts as a like.  [default: the protocol's]"),
    click.option(
        "--split",
        "split_texts",
        multiple=True,
        metavar="NAME=VALUE",
        help="Another option of the protocol, such as min_items=20. Repeatable.",
    ),
    click.option("--split-seed", type=SEED, default=98765, show_default=True, help="Seed of the split."),
    click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of the weights and of the training."),
)

MODEL_OPTIONS = (
    click.option(
        "--epochs",
        type=click.IntRange(1),
        help="Passes over the training rows.  [default: 30 to 60, about 2,500 updates; fewer if validation results "
        "stop improving]",
    ),
    click.option(
        "--batch-size", type=click.IntRange(1), help="Rows per batch.  [default: a 50th of the rows, 100 to 500]"
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, min_open=True),
        help="Initial learning rate, which falls to 0 as a cosine over the run.  [default: that of the model]",
    ),
    click.option(
        "--shuffle",
        type=click.Choice(["rows", "shards"]),
        default="rows",
        show_default=True,
        help="Order of the rows in an epoch: random, or shards in random order, for packed data larger than memory.",
    ),
    click.option(
        "--set",
        "model_texts",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the model, such as reg=500. Repeatable.",
    ),
    click.option(
        "--item-features", metavar="FILE", help="Table with features of items, for feature_ease, feature_vae and cfn."
    ),
    click.option(
        "--user-features", metavar="FILE", help="Table with features of users, for cfn with --set rows=users."
    ),
)


TRACK_OPTION = click.option(
    "--track", type=click.Choice(["mlflow", "tensorboard"]), help="Send settings, metrics and plots to a tracker."
)


def split_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of the protocol and the seeds."""
    for option in reversed(SPLIT_OPTIONS):
        command = option(command)
    return command


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of the model and of its training."""
    for option in reversed(MODEL_OPTIONS):
        command = option(command)
    return command


def run_config(
    model: str,
    source: str,
    *,
    protocol: str | None,
    held_out: int | None,
    min_value: float | None,
    split_texts: tuple[str, ...],
    split_seed: int,
    seed: int,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    model_texts: tuple[str, ...] = (),
    item_features: str | None = None,
    user_features: str | None = None,
    shuffle: str = "rows",
    **read_options: Any,
) -> RunConfig:
    """The configuration that the options name.

    Raises:
        ValueError: the model, the protocol or one of their options is unknown, or a value has the wrong type.
    """
    from kerasrec import PROTOCOLS, ZOO
    from kerasrec.runs import RunConfig

    if learning_rate is not None and not math.isfinite(learning_rate):
        raise ValueError(f"--learning-rate: expected a number above 0, got {learning_rate}")
    model_class = one_of(ZOO, model, "model")
    is_default = protocol is None
    protocol = protocol or default_protocol(model_class)
    protocol_class = one_of(PROTOCOLS, protocol, "protocol")
    name_arguments({"--split": protocol_class, "--set": model_class})
    arguments = protocol_arguments(
        protocol_class, split_texts, split_seed, {"held_out": held_out, "min_value": min_value}
    )
    if is_default and protocol == "temporal-users":  # the published number of users suits MovieLens 1M only
        arguments.setdefault("held_out", None)
    return RunConfig(
        model=model,
        data=source,
        protocol=protocol,
        seed=seed,
        epochs=epochs,
        batch_size=batch_size,
        split_options=arguments,
        model_options=parse_arguments(model_class, model_texts, "--set"),
        read_options=without_none(read_options),
        learning_rate=learning_rate,
        item_features=item_features,
        user_features=user_features,
        shuffle=shuffle,
    )
