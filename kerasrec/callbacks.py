"""Callbacks: crash-safe checkpoints that resume to the same weights, training metrics, ImplicitSLIM, a progress bar."""

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
from tqdm.auto import tqdm

from kerasrec._registry import public
from kerasrec.data.batches import Batches, for_backend
from kerasrec.data.interactions import Interactions
from kerasrec.files import atomic_folder, remove_folder
from kerasrec.metrics import lower_is_better
from kerasrec.ops.implicit_slim import implicit_slim
from kerasrec.ops.processes import is_first_process, wait_for_all_processes, whole_weights
from kerasrec.types import PlansRuns
from kerasrec.validation import as_int_at_least, check_above, check_at_least, check_recommender


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


class TrainingMetrics(keras.callbacks.Callback):
    """Measures training rows as validation measures other rows, to show overfitting.

    Adds `train_` and the name of each compiled metric to the logs of each epoch, and the annealed values of the model
    (`beta`). Put it before callbacks that store the logs. For models of likes, a fifth of the items of each sampled
    row is removed from the input and held out, although the model was trained on it. For rating models, ratings are
    compared with their reconstruction.

    Args:
        train: the training table.
        rows: number of rows to measure.
        seed: seed of the choice of rows and of held-out items.

    Raises:
        TypeError: in `fit`, the model is not a model of kerasrec.
        ValueError: `rows` is below 1; when training begins, `train` has another catalogue than the model.

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
        self.rows = as_int_at_least(1, rows=rows)
        self.seed = seed

    def on_train_begin(self, logs: Any = None) -> None:
        check_recommender(self.model)
        rng = np.random.default_rng(self.seed)
        table = self.train.T if self.model.rows == "items" else self.train
        self.model.check_columns(table)
        rows = np.sort(rng.permutation(table.n_users)[: self.rows])
        inputs = targets = table.take_users(rows)
        if self.model.feedback == "likes":
            held_out = rng.random(len(inputs)) < 0.2
            inputs, targets = (inputs.select(part, compact=False) for part in (~held_out, held_out))
        # Rows of items have numbers as well, by which models find their side information.
        self.sample = for_backend(Batches(inputs, targets, self.model.default_batch_size, rows=rows))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is None:
            return
        results = self.model.evaluate(self.sample, return_dict=True, verbose=0)
        logs |= {f"train_{name}": float(value) for name, value in results.items() if name != "loss"}
        logs |= self.model.annealed_values()


class ImplicitSLIM(keras.callbacks.Callback):
    """Replaces the item vectors of a model every few epochs by vectors that agree with item-item weights.

    Each replacement solves a problem in closed form, see `kerasrec.ops.implicit_slim`. It applies to each trainable
    weight with one vector per item: the first and the last layer of an autoencoder, the vectors of `ELSA`. Biases and
    the state of the optimizer do not change.

    Args:
        train: the training table.
        reg: λ of the item-item weights, as in `EASE`.
        alpha: α: with a larger α, the new vectors are nearer to the old ones.
        every: number of epochs between two replacements. The first one is before epoch `every`, as in the authors'
            code, where epochs are counted from 1.
        last: number of the last epoch before which vectors are replaced. Default: all epochs. A learning rate that
            falls to 0 leaves no time to recover from a late replacement.
        min_count: items with fewer likes do not hold the new vectors near the old ones.

    Raises:
        TypeError: in `fit`, the model is not a model of kerasrec.
        ValueError: `every` is below 1, `reg` or `alpha` is not above 0; in `fit`, the model has no such weights, or
            `train` has another catalogue than the model.

    Example:
        >>> from kerasrec import ELSA, generate
        >>> from kerasrec.callbacks import ImplicitSLIM
        >>> table = generate(n_users=100, n_items=50, seed=1)
        >>> model = ELSA(table.n_items, latent_dim=8, seed=1)
        >>> model.compile()
        >>> _ = model.fit(table, epochs=4, callbacks=[ImplicitSLIM(table, reg=50, alpha=1, every=2)], verbose=0)

    Differs from the paper in: vectors are not rounded to float16.

    Source: Shenbin and Nikolenko, ImplicitSLIM and How it Improves Embedding-based Collaborative Filtering, ICLR 2024.
    """

    def __init__(
        self,
        train: Interactions,
        reg: float = 500.0,
        alpha: float = 1.0,
        every: int = 5,
        last: int | None = None,
        min_count: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(1, last=last)
        check_above(0, reg=reg, alpha=alpha)
        self.train = train
        self.reg = reg
        self.alpha = alpha
        self.every = as_int_at_least(1, every=every)
        self.last = last
        self.min_count = min_count

    def on_train_begin(self, logs: Any = None) -> None:
        check_recommender(self.model)
        vectors = {("columns", None): False, (None, "columns"): True}  # the axes of a weight → whether it is transposed
        self.weights = [
            (weight, vectors[axes]) for weight, axes in self.model.weight_axes() if weight.trainable and axes in vectors
        ]
        if not self.weights:
            raise ValueError(
                f"ImplicitSLIM: expected a model with trainable vectors of the items, got {type(self.model).__name__}"
            )
        table = self.train.T if self.model.rows == "items" else self.train
        self.model.check_columns(table)
        self.likes = table.likes().matrix

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if (epoch + 1) % self.every or (self.last is not None and epoch + 1 > self.last):
            return
        for weight, transposed in self.weights:
            old = keras.ops.convert_to_numpy(weight)
            new = implicit_slim(old.T if transposed else old, self.likes, self.reg, self.alpha, self.min_count)
            weight.assign(new.T if transposed else new)


class EpochBar(keras.callbacks.Callback):
    """One progress bar over all epochs, with the latest metrics behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: tqdm | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.close()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.bar is None:
            self.bar = tqdm(total=self.params["epochs"], initial=epoch, desc="training", unit="epoch", delay=2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.bar is not None:
            self.bar.set_postfix({n: f"{float(v):.4g}" for n, v in (logs or {}).items()}, refresh=False)
            self.bar.update()

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar. After an interruption, an open bar would be drawn again below the last message."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


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
