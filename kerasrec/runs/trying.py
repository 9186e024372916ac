"""Trains several models on one split within a time budget, and ranks them."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from kerasrec.data import Interactions, Split
from kerasrec.data.digest import table_digest
from kerasrec.models import ZOO
from kerasrec.models.closed_form import ClosedForm
from kerasrec.models.table_defaults import MAX_EXTENSIONS, MAX_ITEMS_OF_TRIALS
from kerasrec.runs.config import RunConfig, build_model, protocol_of, settings_for
from kerasrec.runs.leaderboard import Entry, Leaderboard, Status
from kerasrec.runs.lock import locked
from kerasrec.runs.run import METRICS_FILE, Run
from kerasrec.runs.search_state import begin_or_continue
from kerasrec.runs.time_budget import TimeBudget, TooSlowError, as_minutes, closed_form_seconds
from kerasrec.runs.training import check_held_out_parts, train

DEFAULT_MODELS = ("popularity", "item_knn", "ease", "edlae", "elsa", "ials", "mult_vae", "rec_vae")
"""The models that `try_models` trains by default, in this order: what takes least time comes first."""

OnChange = Callable[[Leaderboard], None]


def try_models(
    config: RunConfig,
    read_data: Callable[[], Interactions],
    folder: str | os.PathLike[str],
    models: Sequence[str] | None = None,
    seconds: float = 600.0,
    *,
    overwrite: bool = False,
    on_change: OnChange = lambda board: None,
) -> Leaderboard:
    """Trains several models with their default settings on one split, and ranks them by their validation results.

    The models share the time: each gets an equal part of what is left. A model that is trained by gradient descent
    takes fewer epochs if its default number does not fit. A model that does not fit at all, or that does not fit into
    memory, is skipped with the reason. Each model is stored as a run in a folder of its name. A call with the same
    configuration, data and folder keeps the finished runs, and trains the others.

    Args:
        config: data, protocol and seeds of all runs; its `model` is ignored.
        read_data: reads the interactions.
        folder: where to store the runs, `leaderboard.md` and `leaderboard.csv`; created if necessary.
        models: names of models of likes. Default: `DEFAULT_MODELS`.
        seconds: time in all, from the reading of the data to the last result; `math.inf` for no limit.
        overwrite: if True, runs in `folder` on other data or another split are replaced.
        on_change: called with the leaderboard after each epoch and each model.

    Returns:
        The leaderboard. If the call is interrupted, the files in `folder` contain the finished models.

    Raises:
        BlockingIOError: another process uses `folder`.
        FileExistsError: `folder` contains runs on another split or on other data, or other files.
        ValueError: a model is unknown or predicts ratings, or nothing is held out.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, try_models
        >>> config = RunConfig("", "generated", "held-out-users", seed=1, split_options={"held_out": 30})
        >>> read_data = lambda: generate(n_users=200, n_items=60, seed=1)
        >>> board = try_models(config, read_data, tempfile.mkdtemp(), ["popularity", "ease"], seconds=60)
        >>> [entry.model for entry in board.ranking()]
        ['ease', 'popularity']
    """
    deadline = time.monotonic() + seconds
    folder, read_table = Path(folder), functools.cache(read_data)
    names = list(dict.fromkeys(models or [name for name in DEFAULT_MODELS if name in ZOO]))
    configs = [replace(config, model=name) for name in names]
    protocols = [protocol_of(each) for each in configs]  # raises before anything is trained
    board = Leaderboard(folder, names)
    with locked(folder):
        table = read_table()
        split = protocols[0].split(table)
        check_held_out_parts(config, split)
        shared = {name: value for name, value in asdict(config).items() if name != "model"}
        state = {**shared, "data_digest": table_digest(table)}
        begin_or_continue(folder, folder / "try.json", state, overwrite, lambda: _remove_runs(folder))
        for entry in board.entries:
            if (folder / entry.model / METRICS_FILE).exists():
                _finish(entry, Run(folder / entry.model), board.metric)
        try:
            for each, entry in zip(configs, board.entries, strict=True):
                if entry.status is Status.FINISHED:
                    continue
                n_left = sum(other.status is Status.WAITING for other in board.entries)
                _try_one(board, entry, each, split, read_table, deadline, n_left, on_change)
                gc.collect()  # a model and its graphs are in reference cycles, and the next one needs the memory
                board.write()
                on_change(board)
        finally:
            for entry in board.entries:
                if entry.status is Status.TRAINING:
                    entry.status, entry.note, entry.value = Status.WAITING, "interrupted", None
            board.write()
    return board


def _remove_runs(folder: Path) -> None:
    """Removes the runs and the leaderboard."""
    for path in folder.iterdir():
        if path.name in ZOO:
            shutil.rmtree(path)
        elif path.name.startswith("leaderboard."):
            path.unlink()


def _finish(entry: Entry, run: Run, metric: str) -> None:
    result = run.metrics["validation"]
    entry.status, entry.value, entry.standard_error = Status.FINISHED, result[metric], result.get(f"{metric}_se")
    entry.seconds = entry.seconds or run.metrics["seconds"]


def _try_one(
    board: Leaderboard,
    entry: Entry,
    config: RunConfig,
    split: Split,
    read_table: Callable[[], Interactions],
    deadline: float,
    n_left: int,
    on_change: OnChange,
) -> None:
    """Trains one model, or skips it with the reason."""
    start = time.monotonic()
    share = (deadline - start) / n_left
    entry.status = Status.TRAINING
    on_change(board)

    def on_epoch(epoch: int, n_epochs: int, logs: dict[str, float]) -> None:
        entry.note, entry.value = f"epoch {epoch} of {n_epochs}", logs.get(f"val_{board.metric}")
        entry.seconds = time.monotonic() - start
        on_change(board)

    note = ""
    try:
        if deadline <= start:
            raise TooSlowError(0.0)
        if config.model_class.closed_form:
            config, note = _fit_into(config, split, min(2 * share, deadline - start))
        path, budget = board.folder / entry.model, TimeBudget(share, deadline, on_epoch)
        callbacks = [] if config.model_class.closed_form else [budget]
        try:
            run = train(config, read_table, path, overwrite=True, callbacks=callbacks)
        except TooSlowError as error:
            if not error.epochs:
                raise
            note = f"{error.epochs} epochs instead of {error.planned}, for lack of time"
            budget = TimeBudget(np.inf, deadline, on_epoch)
            run = train(replace(config, epochs=error.epochs), read_table, path, overwrite=True, callbacks=[budget])
        if budget.reached:
            note = "stopped at the end of the time"
    except TooSlowError as error:
        needed = f"{error}, " if error.seconds else ""
        _skip(entry, f"for lack of time: {needed}{as_minutes(max(0.0, share))} left for it")
    except MemoryError as error:
        _skip(entry, str(error) or "not enough memory")
    except ValueError as error:  # such as a loss that is not finite
        _skip(entry, f"failed: {error}")
    else:
        entry.note = note
        _finish(entry, run, board.metric)
    entry.seconds = time.monotonic() - start


def _skip(entry: Entry, reason: str) -> None:
    entry.status, entry.note, entry.value = Status.SKIPPED, reason, None


def _fit_into(config: RunConfig, split: Split, seconds: float) -> tuple[RunConfig, str]:
    """The configuration of a closed-form model that fits into a time, and a note on what was left out.

    Raises:
        MemoryError: the model does not fit into memory.
        TooSlowError: the model does not fit into the time.
    """
    model_class = config.model_class
    without_validation = settings_for(config, split.train)
    model = build_model(config, split.train, without_validation)
    if isinstance(model, ClosedForm):
        model.check_memory(split.train.n_users)
    solve = closed_form_seconds(model_class, split.train, without_validation.arguments)
    if solve > seconds:
        raise TooSlowError(solve)
    n_values = sum(len(values) + MAX_EXTENSIONS for values in model_class.validation_grid.values())
    share_of_items = min(1.0, MAX_ITEMS_OF_TRIALS / split.train.n_items)
    if solve * (1 + n_values * share_of_items**3) > seconds:
        return replace(config, model_options=without_validation.arguments), "settings not chosen on validation data"
    return config, ""
