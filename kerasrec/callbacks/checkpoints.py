"""Crash-safe checkpoints of each epoch, from which training resumes to the same weights."""

from __future__ import annotations

import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasrec._registry import public
from kerasrec.files import atomic_folder, remove_folder
from kerasrec.metrics import lower_is_better
from kerasrec.ops.processes import is_first_process, wait_for_all_processes, whole_weights
from kerasrec.types import PlansRuns


@public
class Checkpoints(keras.callbacks.Callback):
    """Stores the weights of the last and of the best epoch, with the history so far.

    A folder `epoch-0007` is written under a temporary name and renamed, so it is complete or absent if the process is
    killed. It contains the weights, the optimizer's state, the run's plan, and the state of every random generator.
    With batches whose order depends on the epoch alone (as `fit` on `Interactions` makes them), a resumed run ends
    with the same weights as an uninterrupted one. Continuing from an earlier epoch replaces the later ones.
    Of several processes, the first one writes; all of them read the folder, and their number may change.

    Args:
        folder: the folder of the checkpoints. It is created if it does not exist.
        monitor: the metric that chooses the best epoch, for example `"val_ndcg_100"`. For `None` the last epoch is
            the best. Epochs without validation (`validation_freq`) are never the best.
        mode: `"max"` or `"min"`. Default: `"min"` for a loss, RMSE and MAE, otherwise `"max"`.

    Raises:
        ValueError: `mode` is unknown; at the end of an epoch, its logs do not contain `monitor`.

    Example:
        >>> import tempfile
        >>> from kerasrec import MultVAE, generate
        >>> from kerasrec.callbacks import Checkpoints
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
        >>> model.compile()
        >>> checkpoints = Checkpoints(tempfile.mkdtemp())
        >>> _ = model.fit(table, epochs=2, callbacks=checkpoints, verbose=0)
        >>> checkpoints.restore(model)  # continue with fit(..., initial_epoch=2)
        2
    """

    WEIGHTS = "model.weights.h5"
    RANDOM = "random.npz"
    HISTORY = "history.csv"
    RUN = "run.json"

    def __init__(self, folder: str | os.PathLike[str], monitor: str | None = None, mode: str | None = None) -> None:
        super().__init__()
        if mode is None:
            mode = "min" if lower_is_better(monitor or "") else "max"
        if mode not in ("max", "min"):
            raise ValueError(f'`mode`: expected "max" or "min", got {mode!r}')
        self.folder = Path(folder)
        self.monitor = monitor
        self.mode = mode
        self.history: list[dict[str, float]] = []
        self._epoch_start = 0.0

    def epochs(self) -> list[int]:
        """Numbers of the complete epochs on disk, starting at 1."""
        numbers = (path.name.removeprefix("epoch-") for path in self.folder.glob("epoch-*"))
        return sorted(int(number) for number in numbers if number.isdigit())

    def path(self, epoch: int) -> Path:
        """The folder of an epoch."""
        return self.folder / f"epoch-{epoch:04d}"

    def restore(self, model: keras.Model, epoch: int | None = None) -> int:
        """Loads an epoch into a compiled model.

        Args:
            model: a model like the one that was trained.
            epoch: number of the epoch. Default: the last one.

        Returns:
            The number of completed epochs, the `initial_epoch` of the next `fit`; 0 if there are none.

        Raises:
            ValueError: the model is not compiled, or the folder does not contain the epoch.
        """
        epochs = self.epochs()
        if epoch is not None and epoch not in epochs:
            stored = ", ".join(map(str, epochs)) or "none"
            raise ValueError(f"`epoch`: expected one of those in {self.folder} ({stored}), got {epoch}")
        if not model.compiled:
            raise ValueError(
                "`model`: expected a compiled model, whose optimizer is restored, too. Fix: `model.compile()`"
            )
        if not epochs:
            return 0
        epoch = epochs[-1] if epoch is None else epoch
        self.history = read_history(self.path(epochs[-1]) / self.HISTORY)
        if not model.built:
            model.build()
        if isinstance(model, PlansRuns):
            model.continue_run(**json.loads((self.path(epoch) / self.RUN).read_text()))
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path(epoch) / self.WEIGHTS)
        with np.load(self.path(epoch) / self.RANDOM) as states:
            for name, variable in zip(states.files, _random_states(model), strict=True):
                variable.assign(states[name])
        return epoch

    def best_epoch(self) -> int:
        """The best epoch by `monitor` so far, starting at 1; the earliest if several are equal."""
        monitor = self.monitor
        validated = [row for row in self.history if monitor in row]
        if monitor is None or not validated:
            return int(self.history[-1]["epoch"])
        choose = max if self.mode == "max" else min
        # An epoch whose metric is NaN is the best only if there is no other.
        finite = [row for row in validated if np.isfinite(row[monitor])] or validated
        return int(choose(finite, key=lambda row: row[monitor])["epoch"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._epoch_start
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        validated = any(name.startswith("val_") for name in metrics)
        if self.monitor is not None and self.monitor not in metrics:
            # One epoch may lack validation, but not all of them, and no epoch may validate other metrics only.
            never = epoch + 1 == self.params.get("epochs") and not any(self.monitor in row for row in self.history)
            if validated or never or not self.monitor.startswith("val_"):
                raise ValueError(f"`monitor`: expected one of {', '.join(metrics)}, got {self.monitor!r}")
        # An epoch that is trained again replaces its checkpoint and all later ones.
        self.history = [row for row in self.history if row["epoch"] <= epoch]
        self.history.append({"epoch": epoch + 1, **metrics, "seconds": round(seconds, 3)})
        self._write(epoch + 1)
        if is_first_process():
            for outdated in set(self.epochs()) - {epoch + 1, self.best_epoch()}:
                remove_folder(self.path(outdated))

    def _write(self, epoch: int) -> None:
        with whole_weights(self.model):
            # Keras creates a variable when it saves, and all processes must take part in that.
            place = atomic_folder(self.path(epoch), True) if is_first_process() else tempfile.TemporaryDirectory()
            with place as name:
                folder = Path(name)
                self.model.save_weights(folder / self.WEIGHTS)
                np.savez(folder / self.RANDOM, *(keras.ops.convert_to_numpy(s) for s in _random_states(self.model)))
                write_history(folder / self.HISTORY, self.history)
                if isinstance(self.model, PlansRuns):
                    (folder / self.RUN).write_text(json.dumps(self.model.run_plan()))
        wait_for_all_processes(f"epoch {epoch} is stored")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"folder": str(self.folder), "monitor": self.monitor, "mode": self.mode}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Checkpoints:
        """The callback of a `get_config`."""
        return cls(**config)


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of a model's random generators, which Keras counts as variables and does not save as weights."""
    weights = {id(w) for w in model.weights}
    return [v for v in model.non_trainable_variables if id(v) not in weights]


def read_history(path: Path) -> list[dict[str, float]]:
    """The history that `write_history` wrote."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value != ""} for row in csv.DictReader(file)]


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Writes one row per epoch. Columns have the order of their first occurrence."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in history:
            writer.writerow({**row, "epoch": int(row["epoch"])})
