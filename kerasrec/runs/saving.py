"""Writes the results of a run. `metrics.json` is written last, so a folder with this file is complete."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
from keras import ops

import kerasrec
from kerasrec.callbacks.checkpoints import write_history
from kerasrec.data import Interactions, Split
from kerasrec.files import atomic_file, atomic_folder
from kerasrec.inference.evaluation import evaluate
from kerasrec.models import ZOO, Recommender
from kerasrec.runs.run import METRICS_FILE, Run


def save_run(
    model: Recommender,
    split: Split,
    folder: str | os.PathLike[str],
    data: str,
    history: Mapping[str, Sequence[float]] | None = None,
) -> Run:
    """Evaluates a model that was trained in any way, and stores it as a run.

    All commands that take a run folder accept the result: `kerasrec compare`, `evaluate`, `explore`, `export`, `plot`
    and `recommend`.

    Args:
        model: a model that was trained on `split.train`.
        split: the split that it was trained on. With one of `Split.with_nothing_held_out`, the run has no metrics.
        folder: where to store the run; created if necessary.
        data: name of the data set, for tables of results.
        history: metrics by epoch, for the plots that need them; if omitted, those of the model's last `fit`. Metrics
            that do not have a value for every epoch are left out.

    Returns:
        The run. Its `config` is `None`, so `train` does not continue it.

    Raises:
        FileExistsError: `folder` is not empty.
        ValueError: a weight or a score of the model is not finite.

    Example:
        >>> import tempfile
        >>> from kerasrec import EASE, HeldOutUsers, generate
        >>> from kerasrec.runs import save_run
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> model = EASE(split.train.n_items, reg=20.0)
        >>> _ = model.fit(split.train, verbose=0)
        >>> run = save_run(model, split, tempfile.mkdtemp(), "generated")
        >>> sorted(run.evaluate()["test"].means)
        ['ndcg_100', 'recall_20', 'recall_50']
    """
    folder = Path(folder)
    check_is_free(folder)
    if history is None:
        keras_history = getattr(model, "history", None)  # an attribute of Keras, which only `fit` sets
        history = {} if keras_history is None else keras_history.history
    n_epochs = max(map(len, history.values()), default=0)
    complete = {name: values for name, values in history.items() if len(values) == n_epochs}  # see `validation_freq`
    rows = zip(*complete.values(), strict=True)
    epochs = [{"epoch": n, **dict(zip(complete, row, strict=True))} for n, row in enumerate(rows, 1)]
    name = next((name for name, cls in ZOO.items() if cls is type(model)), type(model).__name__)
    with atomic_folder(folder, replace=True) as unfinished:
        split.save(unfinished / "split")
        write_results(unfinished, model, split, {"model": name, "data": data, "seed": model.seed}, epochs)
    return Run(folder)


def check_is_free(folder: Path) -> None:
    """Checks that a folder is empty or does not exist.

    Raises:
        FileExistsError: it contains files, or is a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"expected an empty folder, got {folder}, which is not empty. Fix: choose another folder")


BASELINES = {"likes": "popularity", "ratings": "bias"}
"""Feedback → model that every run is compared with."""


def baseline_metrics(model: Recommender, split: Split) -> dict[str, Any] | None:
    """Test metrics of the baseline that a model must beat.

    Args:
        model: the model.
        split: its split.

    Returns:
        The name of the baseline as `"model"`, and its metrics as in `Evaluation.as_dict`. `None` if the model is
        itself the baseline.
    """
    name = BASELINES[model.feedback]
    if type(model) is ZOO[name]:
        return None
    baseline = ZOO[name].for_interactions(split.train)
    baseline.fit(split.train, verbose=0)
    return {"model": name, **evaluate(baseline, split.test, model.default_metrics()).as_dict()}


def write_results(
    folder: Path,
    model: Recommender,
    split: Split,
    about: Mapping[str, Any],
    epochs: list[dict[str, float]],
    verbose: int = 0,
) -> None:
    """Evaluates a trained model and writes all files of a run except its configuration, split and checkpoints.

    Args:
        folder: folder of the run.
        model: the trained model.
        split: the split of the run. If nothing is held out, nothing is evaluated.
        about: what `metrics.json` states in addition to the metrics.
        epochs: rows of `history.csv`.
        verbose: 1 for progress bars.

    Raises:
        ValueError: a weight or a score of the model is not finite.
    """
    check_finite(model, split.train)
    with atomic_file(folder / "model.keras") as file:
        model.save(file.name)
    with atomic_file(folder / "history.csv") as file:
        write_history(Path(file.name), epochs)
    train_table = split.train
    titles = [""] * train_table.n_items if train_table.item_titles is None else train_table.item_titles.tolist()
    _write_csv(folder / "users.csv", ["user"], ((user,) for user in train_table.user_ids.tolist()))
    _write_csv(folder / "items.csv", ["item", "title"], zip(train_table.item_ids.tolist(), titles, strict=True))
    parts = {"test": split.test, "validation": split.validation} if any(split.held_out()) else {}
    metrics = {
        **about,
        "protocol": split.protocol.name,
        "protocol_settings": asdict(split.protocol),
        **{name: evaluate(model, held_out, verbose=verbose).as_dict() for name, held_out in parts.items()},
        **({"baseline": baseline_metrics(model, split)} if parts else {"saw_all_rows": True}),
        "parameters": int(model.count_params()),
        "versions": versions(),
    }
    write_json(folder / METRICS_FILE, metrics)


CHECKED_ROWS = 100
"""Training rows whose scores `check_finite` computes."""


def check_finite(model: Recommender, train: Interactions) -> None:
    """Checks that training has not diverged. The loss of an epoch can be finite: its last update comes after it.

    Raises:
        ValueError: a weight, or a score of one of the first training rows, is NaN or infinite.
    """
    fix = "choose other settings, nearer to the defaults"
    if not model.closed_form:
        fix = "train again with a lower `learning_rate` and with `overwrite`"
    tensors = {weight.path: weight for weight in model.weights if keras.backend.is_float_dtype(weight.dtype)}
    tensors["the scores"] = model(model.batches(train, CHECKED_ROWS)[0][0], training=False)
    for name, tensor in tensors.items():
        if not ops.all(ops.isfinite(tensor)):
            raise ValueError(
                f"expected finite numbers in {name}, got NaN or infinite ones: the training has diverged. Fix: {fix}"
            )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes an indented JSON file atomically."""
    with atomic_file(path, "w") as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _write_csv(path: Path, header: list[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_file(path, "w") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that influence results."""
    backend = keras.backend.backend()
    packages = ("keras", backend, "numpy", "scipy")
    return {
        "python": platform.python_version(),
        "backend": backend,
        "kerasrec": kerasrec.__version__,
        **{package: version(package) for package in packages},
    }
