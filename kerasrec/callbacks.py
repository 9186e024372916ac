"""Callbacks: checkpoints that survive a kill, and from which training goes on to the same weights."""

from __future__ import annotations

import csv
import os
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.batches import Batches, for_backend
from kerasrec.data.interactions import Interactions
from kerasrec.metrics import lower_is_better


@public
class Checkpoints(keras.callbacks.Callback):
    """Keeps the weights of the last and of the best epoch, with the history so far.

    Each epoch is written beside its final name and renamed, so a folder `epoch-0007` is complete
    or absent whenever the process is killed. It holds the weights, the optimizer's state, the
    state of every random generator and of the annealing; with batches whose order depends on the
    epoch alone (as `fit` on `Interactions` makes them) a resumed run ends with the weights of an
    undisturbed one. Going on from an earlier epoch, or from the start, replaces the epochs after it.

    Args:
        folder: where to write; made if need be.
        monitor: the figure by which an epoch is the best, as in `"val_ndcg_100"`; the last epoch is
            the best where `None`. Epochs that were not validated (`validation_freq`) are not the best.
        mode: `"max"` or `"min"`, which of its values is the best; where absent, the lowest of a loss, a RMSE or a MAE
            and the highest of anything else.

    Example:
        >>> import tempfile
        >>> from kerasrec import MultVAE, generate
        >>> from kerasrec.callbacks import Checkpoints
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
        >>> model.compile()
        >>> checkpoints = Checkpoints(tempfile.mkdtemp())
        >>> _ = model.fit(table, epochs=2, callbacks=checkpoints, verbose=0)
        >>> checkpoints.restore(model)  # the epoch to go on from: fit(..., initial_epoch=2)
        2
    """

    WEIGHTS = "model.weights.h5"
    RANDOM = "random.npz"
    HISTORY = "history.csv"

    def __init__(self, folder: str | os.PathLike[str], monitor: str | None = None, mode: str | None = None) -> None:
        super().__init__()
        if mode is None:
            mode = "min" if lower_is_better(monitor or "") else "max"
        if mode not in ("max", "min"):
            raise ValueError(f'`mode` must be "max" or "min", not {mode!r}')
        self.folder = Path(folder)
        self.monitor = monitor
        self.mode = mode
        self.history: list[dict[str, float]] = []
        self._began = 0.0

    def epochs(self) -> list[int]:
        """Numbers of the epochs on disk, complete ones only, counted from 1."""
        names = (p.name.removeprefix("epoch-") for p in self.folder.glob("epoch-*"))
        return sorted(int(n) for n in names if n.isdigit())

    def path(self, epoch: int) -> Path:
        """The folder of an epoch."""
        return self.folder / f"epoch-{epoch:04d}"

    def restore(self, model: keras.Model, epoch: int | None = None) -> int:
        """Loads an epoch, the last one by default, into a model that is compiled.

        Returns:
            The number of epochs done, to pass to `fit` as `initial_epoch`; 0 where there is none.
        """
        there = self.epochs()
        if not there:
            return 0
        epoch = there[-1] if epoch is None else epoch
        self.history = read_history(self.path(there[-1]) / self.HISTORY)
        if not model.built:
            model.build()
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path(epoch) / self.WEIGHTS)
        with np.load(self.path(epoch) / self.RANDOM) as states:
            for name, state in zip(states.files, _random_states(model), strict=True):
                state.assign(states[name])
        return epoch

    def best_epoch(self) -> int:
        """The best epoch by `monitor` so far, counted from 1; the earliest of equals."""
        monitor = self.monitor
        measured = [row for row in self.history if monitor in row]
        if monitor is None or not measured:
            return int(self.history[-1]["epoch"])
        pick = max if self.mode == "max" else min
        # A figure that is no number is never the best, unless there is no other.
        finite = [row for row in measured if np.isfinite(row[monitor])] or measured
        return int(pick(finite, key=lambda row: row[monitor])["epoch"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._began
        figures = {name: float(value) for name, value in (logs or {}).items()}
        validated = any(name.startswith("val_") for name in figures)
        if self.monitor is not None and self.monitor not in figures:
            # An epoch may go without validation, but not each of them, nor with a figure of another name.
            never = epoch + 1 == self.params.get("epochs") and not any(self.monitor in row for row in self.history)
            if validated or never or not self.monitor.startswith("val_"):
                raise ValueError(f"`monitor` is {self.monitor!r}; this epoch has only {', '.join(figures)}")
        # An epoch that is trained anew takes the place of what was kept of it and of later ones.
        self.history = [row for row in self.history if row["epoch"] <= epoch]
        self.history.append({"epoch": epoch + 1, **figures, "seconds": round(seconds, 3)})
        self._write(epoch + 1)
        for old in set(self.epochs()) - {epoch + 1, self.best_epoch()}:
            shutil.rmtree(self.path(old))

    def _write(self, epoch: int) -> None:
        unfinished = self.folder / ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        self.model.save_weights(unfinished / self.WEIGHTS)
        np.savez(unfinished / self.RANDOM, *(keras.ops.convert_to_numpy(s) for s in _random_states(self.model)))
        write_history(unfinished / self.HISTORY, self.history)
        shutil.rmtree(self.path(epoch), ignore_errors=True)
        unfinished.rename(self.path(epoch))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"folder": str(self.folder), "monitor": self.monitor, "mode": self.mode}


class TrainingMetrics(keras.callbacks.Callback):
    """Measures training rows as validation measures others: what a model has learned by heart shows beside it.

    Adds to each epoch's figures `train_` and the name of each compiled metric, and `beta` where the
    model anneals one. Put it before callbacks that keep the figures. Of likes, a fifth of each
    sampled row is taken out of the input and asked for, although the model was trained on it;
    ratings are compared with their reconstruction.

    Args:
        train: the table that is trained on.
        rows: how many of its rows are measured.
        seed: draws the rows and what is asked of them.

    Example:
        >>> from kerasrec import MultVAE, generate
        >>> from kerasrec.callbacks import TrainingMetrics
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = MultVAE(table.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
        >>> model.compile(metrics=["ndcg_10"])
        >>> history = model.fit(table, epochs=2, callbacks=[TrainingMetrics(table)], verbose=0).history
        >>> sorted(history)
        ['beta', 'loss', 'train_ndcg_10']
    """

    def __init__(self, train: Interactions, rows: int = 500, seed: int = 0) -> None:
        super().__init__()
        self.train = train
        self.rows = rows
        self.seed = seed

    def on_train_begin(self, logs: Any = None) -> None:
        rng = np.random.default_rng(self.seed)
        by_item = self.model.rows == "items"
        table = self.train.T if by_item else self.train
        chosen = np.sort(rng.permutation(table.n_users)[: self.rows])
        inputs = targets = table.take_users(chosen)
        if self.model.feedback == "likes":
            asked = rng.random(len(inputs)) < 0.2
            inputs, targets = (inputs.select(part, compact=False) for part in (~asked, asked))
        size = self.model.default_batch_size
        self.sample = for_backend(Batches(inputs, targets, size, rows=chosen))  # rows of items have numbers as well

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is None:
            return
        figures = self.model.evaluate(self.sample, return_dict=True, verbose=0)
        logs |= {f"train_{name}": float(value) for name, value in figures.items() if name != "loss"}
        if hasattr(self.model, "current_beta"):
            logs["beta"] = float(self.model.current_beta())


class EpochBar(keras.callbacks.Callback):
    """One progress bar over all epochs, with the latest figures behind it."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.bar: tqdm | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.bar is None:
            self.bar = tqdm(total=self.params["epochs"], initial=epoch, desc="training", unit="epoch", delay=2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.bar is not None:
            self.bar.set_postfix({n: f"{float(v):.4g}" for n, v in (logs or {}).items()}, refresh=False)
            self.bar.update()

    def on_train_end(self, logs: Any = None) -> None:
        if self.bar is not None:
            self.bar.close()


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of a model's random generators, which Keras counts as variables but does not save as weights."""
    weights = {id(w) for w in model.weights}
    return [v for v in model.non_trainable_variables if id(v) not in weights]


def read_history(path: Path) -> list[dict[str, float]]:
    """What `write_history` wrote."""
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items() if value != ""} for row in csv.DictReader(file)]


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Writes one row an epoch, the columns in the order in which they first came."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in history:
            writer.writerow({**row, "epoch": int(row["epoch"])})
