"""Trains a run in its folder, and continues it after an interruption."""

from __future__ import annotations

import functools
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from kerasrec.callbacks import EpochBar, TrainingMetrics
from kerasrec.data import Interactions, Split
from kerasrec.data.digest import table_digest
from kerasrec.files import UNFINISHED
from kerasrec.models.model_settings import ModelSettings
from kerasrec.runs.config import (
    CONFIG_FILE,
    RunConfig,
    build_model,
    protocol_of,
    read_config,
    read_json,
    read_settings,
    settings_for,
    with_new_items,
)
from kerasrec.runs.data_state import FileStates, features_digest, file_states
from kerasrec.runs.fitting import checkpoints_for, fit
from kerasrec.runs.lock import LOCK_FILE, locked
from kerasrec.runs.run import METRICS_FILE, Run
from kerasrec.runs.saving import write_json, write_results
from kerasrec.runs.trial_table import TUNING_FOLDER

# In the order of removal. Without the first two, a folder that a killed process has half emptied counts as no run.
REPLACED_FILES = (
    METRICS_FILE,
    CONFIG_FILE,
    "model.keras",
    "history.csv",
    "users.csv",
    "items.csv",
    "curves.png",
    "mlflow.json",
)
REPLACED_FOLDERS = ("checkpoints", "split", "pictures", "tensorboard")


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
        is_new = prepare(asdict(config), functools.cache(read_data), split, folder, overwrite)
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


def prepare(
    config: Mapping[str, Any],
    read_table: Callable[[], Interactions],
    split: Callable[[Interactions], tuple[Split, ModelSettings]],
    folder: Path,
    overwrite: bool,
) -> bool:
    """Splits the data and writes `run.json`, unless the folder already contains this run.

    Args:
        config: the fields of `RunConfig`, and `"refit"` for a refitted run.
        read_table: reads the interactions.
        split: returns the split of a table and the settings of the run. It raises any error that is certain to come,
            such as that of an option that the model rejects, before anything is replaced.
        folder: folder of the run.
        overwrite: whether to replace another run in the folder.

    Returns:
        Whether the run is new.

    Raises:
        FileExistsError: the folder contains another run, a run on other data, or other files.
    """
    features = (config["item_features"], config["user_features"])
    files = file_states(config["data"], config["read_options"].get("items"))  # before the data are read
    features_state = features_digest(features)
    if (folder / CONFIG_FILE).exists():
        conflict = _conflict(config, read_table, folder, files, features_state)
        if not conflict:
            return False
        if _has_results(folder) and not overwrite:
            raise FileExistsError(f"{conflict}. Fix: replace that run with `overwrite`, or choose another folder")
    elif not is_empty(folder):
        raise FileExistsError(f"{folder} is not empty and contains no trained run. Fix: choose another folder")
    table = read_table()
    data_state: dict[str, Any] = {"data_files": files, "data_digest": table_digest(table)}
    if features_state is not None:
        data_state["features_digest"] = features_state
    _begin(folder, config, *split(table), data_state)
    return True


def _conflict(
    config: Mapping[str, Any],
    read_table: Callable[[], Interactions],
    folder: Path,
    files: FileStates | None,
    features_state: str | None,
) -> str | None:
    """Why the run in a folder is not the one of this configuration and these data; `None` if it is."""
    stored = read_json(folder / CONFIG_FILE, ("data_files", "data_digest"))
    new, old = {"refit": None, **config}, {**asdict(read_config(folder)), "refit": stored.get("refit")}
    if new != old:
        names = [name for name in new if new[name] != old[name]]
        if "refit" in names and None in (new["refit"], old["refit"]):
            stored_by, needed = ("train" if run["refit"] is None else "refit" for run in (old, new))
            return f"{folder} contains a run of `{stored_by}`, and not a run of `{needed}`"
        if "refit" in names:
            new, old = {**new, **new["refit"]}, {**old, **old["refit"]}
            names = [name for name in new if name != "refit" and new[name] != old.get(name)]
        differences = ", ".join(f"{name} {old.get(name)!r} instead of {new[name]!r}" for name in names)
        return f"{folder} contains another run ({differences})"
    if features_state != stored.get("features_digest", features_state):
        given = [config[name] for name in ("item_features", "user_features") if config[name]]
        return f"the features {' and '.join(map(repr, given))} have changed since the run in {folder} began"
    unchanged = files is not None and files == stored["data_files"]
    if unchanged or table_digest(read_table()) == stored["data_digest"]:
        return None
    return f"the data {config['data']!r} have changed since the run in {folder} began"


def _has_results(folder: Path) -> bool:
    """Whether a run has completed an epoch, so that replacing it loses work."""
    return any((folder / "checkpoints").glob("epoch-*")) or (folder / METRICS_FILE).exists()


def is_empty(folder: Path) -> bool:
    """Whether a folder contains at most what a run leaves that is killed before it writes its configuration."""
    names = [path.name for path in folder.iterdir()]
    return all(name in ("split", TUNING_FOLDER, LOCK_FILE) or name.startswith(UNFINISHED) for name in names)


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


def _begin(
    folder: Path, config: Mapping[str, Any], split: Split, settings: ModelSettings, data_state: Mapping[str, Any]
) -> None:
    """Writes the split and then `run.json`, whose presence means that the split is complete."""
    for name in REPLACED_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in REPLACED_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    split.save(folder / "split")
    write_json(folder / CONFIG_FILE, {**config, "settings": asdict(settings), **data_state})


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
