"""One trial of `tune`: a configuration from the search space, trained, and scored on validation data."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasrec.callbacks import Checkpoints
from kerasrec.data import Split
from kerasrec.models.search_space import TRAINING_SETTINGS, Choice, Range, SearchSpace
from kerasrec.runs.config import RunConfig, build_model, settings_for
from kerasrec.runs.fitting import fit

if TYPE_CHECKING:
    from optuna import Trial


def space_for(config: RunConfig) -> SearchSpace:
    """The search space of the model, without what the configuration fixes.

    Raises:
        ValueError: nothing is left to search.
    """
    fixed = {*config.model_options, *(name for name in TRAINING_SETTINGS if getattr(config, name) is not None)}
    space = config.model_class.search_space
    free = {name: values for name, values in space.items() if name not in fixed}
    if not free:
        reason = f"all of {', '.join(space)} have a value" if space else "it has no settings that change its results"
        raise ValueError(f"{config.model} has nothing to tune: {reason}. Fix: use `train`")
    return free


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """A configuration with values of the search space."""
    training = {name: value for name, value in values.items() if name in TRAINING_SETTINGS}
    options = {name: value for name, value in values.items() if name not in TRAINING_SETTINGS}
    return replace(config, model_options={**config.model_options, **options}, **training)


def default_parameters(config: RunConfig, split: Split, space: SearchSpace) -> dict[str, Any]:
    """The values that `train` would use, as Optuna stores them, so that the first trial is the model's default."""
    settings = settings_for(config, split.train, split.validation)
    model = build_model(config, split.train, settings)
    rate = settings.learning_rate
    if rate is None and not model.closed_form:
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    values = {**model.get_config(), "learning_rate": rate, "batch_size": settings.batch_size}
    parameters = {}
    for name, choices in space.items():
        value = tuple(values[name]) if isinstance(values[name], (list, tuple)) else values[name]
        if value is not None and value in choices:
            parameters[name] = as_choice(value) if isinstance(choices, Choice) else value
    return parameters


def suggest(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """The values of a trial."""
    return {name: _suggest(trial, name, values) for name, values in space.items()}


def _suggest(trial: Trial, name: str, values: Range | Choice) -> Any:
    if isinstance(values, Choice):
        by_text = {as_choice(value): value for value in values.values}
        return by_text[trial.suggest_categorical(name, list(by_text))]
    if values.is_integer:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def as_choice(value: Any) -> str:
    """A value as text, because Optuna's storages have no tuples: `(600, 200)` is `600,200`."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def run_trial(trial: Trial, config: RunConfig, split: Split, folder: Path) -> float | None:
    """Trains one configuration.

    Args:
        trial: the trial, which receives the validation result of each epoch.
        config: its configuration.
        split: the split. Test data are not used.
        folder: where checkpoints are stored, and found if the trial was interrupted.

    Returns:
        The best validation result; `None` if the trial was pruned, or its result is not a number.
    """
    settings = settings_for(config, split.train, split.validation)
    model = build_model(config, split.train, settings)
    checkpoints = Checkpoints(folder, model.monitor)
    pruning = _Pruning(trial, model.monitor)
    if model.closed_form:
        history = model.fit(split.train, validation_data=split.validation, verbose=0).history
        value = float(history[model.monitor][0])
        return value if np.isfinite(value) else None
    checkpoints.restore(model)
    for epoch in checkpoints.history:
        pruning.report(int(epoch["epoch"]), epoch[model.monitor])
    fit(model, settings, split, checkpoints, [pruning], shuffle=config.shuffle_of_fit)
    if pruning.pruned:
        shutil.rmtree(folder)
        return None
    best = checkpoints.best_epoch()
    trial.set_user_attr("best_epoch", best)
    value = next(epoch[model.monitor] for epoch in checkpoints.history if epoch["epoch"] == best)
    return value if np.isfinite(value) else None


class _Pruning(keras.callbacks.Callback):
    """Reports the validation result of each epoch, and stops a trial that Optuna expects to be worse than others."""

    def __init__(self, trial: Trial, monitor: str) -> None:
        super().__init__()
        self.trial = trial
        self.monitor = monitor
        self.pruned = False

    def report(self, epoch: int, value: float) -> None:
        """Reports an epoch, starting at 1."""
        self.trial.report(value, epoch)
        self.pruned = not np.isfinite(value) or self.trial.should_prune()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.report(epoch + 1, float((logs or {})[self.monitor]))
        self.model.stop_training = self.model.stop_training or self.pruned
