"""Trains a run in its folder, and continues it after an interruption."""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from kerasrec.callbacks import EpochBar, TrainingMetrics
from kerasrec.data import Interactions, Split
from kerasrec.models.model_settings import ModelSettings
from kerasrec.runs.config import RunConfig, build_model, protocol_of, read_settings, settings_for, with_new_items
from kerasrec.runs.fitting import checkpoints_for, fit
from kerasrec.runs.folder import begin_or_continue_run
from kerasrec.runs.lock import locked
from kerasrec.runs.run import METRICS_FILE, Run
from kerasrec.runs.saving import write_results


def train(
    config: RunConfig,
    read_data: Callable[[], Interactions],
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    verbose: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoints: Path | None = None,
) -> Run:
    """Trains and evaluates a model, and stores the run in a folder.

    A call with the same configuration, data and folder resumes an interrupted run. The final weights are the same
    as without the interruption. If the run is finished, nothing is trained.

    Args:
        config: the configuration.
        read_data: reads the interactions. Not called if the files that `config.data` names have the sizes and
            modification times that they had when the run in `folder` began.
        folder: where to store the run; created if necessary.
        overwrite: if True, a run in `folder` with another configuration or on other data is replaced.
        verbose: 1 for progress bars, the sizes of the split, and a line on standard error if `folder` already contains
            all or part of the run.
        callbacks: further callbacks of `fit`. One that ends the training early does not change the planned schedules.
        checkpoints: checkpoints of the same configuration, from which a new run continues. They are moved to `folder`.

    Returns:
        The finished run.

    Raises:
        BlockingIOError: another process trains in `folder`.
        FileExistsError: `folder` contains another run, a run on other data, or other files.
        ValueError: the model or the protocol is unknown, an option is not accepted, the protocol does not fit the
            model, nothing is held out, or the loss, a weight or a score is not finite.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, train
        >>> options = {"split_options": {"held_out": 30}, "model_options": {"reg": 20.0}}
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> run = train(config, lambda: generate(n_users=200, n_items=60, seed=1), tempfile.mkdtemp())
        >>> run.metrics["test"]["n"]
        30
    """
    folder = Path(folder)
    protocol_of(config)  # raises before the folder is created

    def split(table: Interactions) -> tuple[Split, ModelSettings]:
        split = with_new_items(config, protocol_of(config).split(table))
        note(verbose, split.describe())
        return split, _settings_of(config, split, verbose)

    with locked(folder):
        is_new = begin_or_continue_run(asdict(config), functools.cache(read_data), split, folder, overwrite)
        if is_new and checkpoints is not None and checkpoints.exists():
            checkpoints.rename(folder / "checkpoints")
        if (folder / METRICS_FILE).exists():
            note(verbose, f"nothing to do: the run in {folder} is finished, and its data have not changed")
        else:
            _fit(folder, config, verbose, callbacks)
    return Run(folder)


def note(verbose: int, line: str) -> None:
    """Prints a line on standard error if `verbose` is not 0."""
    if verbose:
        print(line, file=sys.stderr)


def check_held_out_parts(config: RunConfig, split: Split) -> None:
    """Refuses a split without validation or test data.

    Raises:
        ValueError: nothing is held out for one of them.
    """
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        if held_out.targets is None or not len(held_out.targets):
            raise ValueError(
                f"protocol {config.protocol} holds nothing out for {name}: the data have too few users or items. "
                "Fix: give more data, or another `protocol`"
            )


def _settings_of(config: RunConfig, split: Split, verbose: int) -> ModelSettings:
    """Completes the configuration from the data, and checks that training and evaluation can begin."""
    check_held_out_parts(config, split)
    settings = settings_for(config, split.train, split.validation)
    build_model(config, split.train, settings)
    if settings.trials:
        note(verbose, f"compared on validation data: {settings.describe_trials()}")
    return settings


def _fit(folder: Path, config: RunConfig, verbose: int, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Trains from the last checkpoint to the last epoch, and writes the results of the best epoch."""
    split = Split.load(folder / "split")
    settings = read_settings(folder)
    model = build_model(config, split.train, settings)
    checkpoints = checkpoints_for(model, folder / "checkpoints", model.monitor)
    epochs_done = checkpoints.restore(model)
    if epochs_done:
        note(verbose, f"continues after epoch {epochs_done} of {settings.epochs}")
    training_metrics = [TrainingMetrics(split.train, seed=config.seed)] if settings.epochs > 1 else []
    with closing(EpochBar()) as bar:
        shown = [bar] if verbose else []
        fit(model, settings, split, checkpoints, [*shown, *callbacks], training_metrics, config.shuffle_of_fit)
    best = checkpoints.best_epoch()
    loss = next(epoch.get("loss", 0.0) for epoch in checkpoints.history if epoch["epoch"] == best)
    if not math.isfinite(loss):
        raise ValueError(
            f"the loss is {loss} after epoch {best}, the best of {settings.epochs}: the model has learned nothing. "
            "Fix: train again with a lower `learning_rate` and with `overwrite`"
        )
    checkpoints.restore(model, best)
    about = describe_training(config, settings, best, checkpoints.history)
    write_results(folder, model, split, about, checkpoints.history, verbose)


def describe_training(
    config: RunConfig, settings: ModelSettings, best_epoch: int, history: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The part of `metrics.json` that states how a model was trained."""
    return {
        "model": config.model,
        "data": config.data,
        "model_options": settings.arguments,
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "seed": config.seed,
        "best_epoch": best_epoch,
        "seconds": round(sum(epoch["seconds"] for epoch in history), 2),
    }
