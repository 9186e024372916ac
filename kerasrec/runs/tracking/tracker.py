"""What every tracker does, and the choice of one by name."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasrec.runs.run import Run

TRACKERS = {
    "mlflow": "kerasrec.runs.tracking.mlflow_tracker",
    "tensorboard": "kerasrec.runs.tracking.tensorboard_tracker",
}
"""Name → module, which has the class `RunTracker`."""


class Tracker(ABC):
    """Sends a run to a tracker.

    Args:
        folder: the folder of the run.

    Attributes:
        folder: as in the arguments.
        callback: a Keras callback that sends the metrics of each epoch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.callback = keras.callbacks.LambdaCallback(on_epoch_end=self._on_epoch_end)

    def _on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        self.log_metrics({name: float(value) for name, value in (logs or {}).items()}, epoch + 1)

    @abstractmethod
    def log_metrics(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Sends metrics of an epoch, starting at 1."""

    @abstractmethod
    def finish(self, run: Run, pictures: Sequence[Path]) -> None:
        """Sends everything that is known only at the end: settings, data digest, results and plots.

        Args:
            run: the finished run.
            pictures: PNG files.
        """


class NoTracker(Tracker):
    """Sends nothing."""

    def log_metrics(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Does nothing."""

    def finish(self, run: Run, pictures: Sequence[Path]) -> None:
        """Does nothing."""


def tracker_for(name: str | None, folder: Path) -> Tracker:
    """The tracker of a name.

    Args:
        name: `"mlflow"` or `"tensorboard"`; `None` for a tracker that sends nothing.
        folder: the folder of the run.

    Raises:
        ValueError: the name is unknown.
        ImportError: the package of the tracker is not installed.
    """
    if name is None:
        return NoTracker(folder)
    if name not in TRACKERS:
        raise ValueError(f"`track`: expected one of {', '.join(TRACKERS)}, got {name!r}")
    tracker: Tracker = importlib.import_module(TRACKERS[name]).RunTracker(folder)
    return tracker


def settings_of(run: Run) -> dict[str, Any]:
    """The settings of a run as a flat dictionary, with the protocol's under `split_` names."""
    metrics = run.metrics
    names = ("model", "data", "protocol", "seed", "epochs", "batch_size", "learning_rate")
    settings = {name: metrics[name] for name in names if metrics.get(name) is not None}
    protocol = {f"split_{name}": value for name, value in metrics["protocol_settings"].items()}
    return {**settings, **metrics.get("model_options", {}), **protocol}


def results_of(run: Run) -> dict[str, float]:
    """The results of a run: `test_ndcg_100`, `validation_ndcg_100`, their standard errors, seconds, best epoch.

    A refitted run has no metrics of test and validation.
    """
    parts = {part: run.metrics[part] for part in ("test", "validation") if part in run.metrics}
    results = {f"{part}_{name}": value for part, values in parts.items() for name, value in values.items()}
    for name in ("seconds", "best_epoch", "parameters"):
        results[name] = run.metrics.get(name)
    return {name: float(value) for name, value in results.items() if value is not None}
