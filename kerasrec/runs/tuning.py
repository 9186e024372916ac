"""Searches the settings of a model on validation data. The best configuration becomes a run."""

from __future__ import annotations

import functools
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from kerasrec.data import Interactions, Split
from kerasrec.data.digest import table_digest
from kerasrec.extras import install_command
from kerasrec.metrics import lower_is_better
from kerasrec.models.search_space import SearchSpace
from kerasrec.runs.config import RunConfig, protocol_of
from kerasrec.runs.lock import locked
from kerasrec.runs.run import Run
from kerasrec.runs.search_state import begin_or_continue
from kerasrec.runs.training import check_held_out_parts, train
from kerasrec.runs.trial_table import TRIALS_FILE, TUNING_FOLDER, settings_line, write_trials
from kerasrec.runs.trials import default_parameters, run_trial, space_for, suggest, with_values

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

INTERRUPTED, CONTINUES = "interrupted", "continues"
"""Attributes of trials: killed before it ended; number of the killed trial whose checkpoints it continues."""


def tune(
    config: RunConfig,
    read_data: Callable[[], Interactions],
    folder: str | os.PathLike[str],
    trials: int,
    *,
    overwrite: bool = False,
    verbose: int = 0,
) -> Run:
    """Searches the settings of a model with Optuna, and stores the best configuration as a run.

    The settings are those of the model's `search_space` that `config` leaves out. The first trial has the values that
    `train` would use, the others are chosen by a tree-structured Parzen estimator. Each trial trains on the training
    part and is scored on the validation part by the model's `monitor`; a trial that falls behind the others is stopped.
    Only the model of the best trial is evaluated on test data.

    The folder `tuning` in `folder` stores all trials. A call with the same configuration, data and folder continues an
    interrupted search, and a higher number of `trials` extends a finished one.

    Args:
        config: the configuration. What it contains is fixed.
        read_data: reads the interactions.
        folder: where to store the run; created if necessary.
        trials: number of trials in all, those of earlier calls included.
        overwrite: if True, a search in `folder` with another configuration or on other data is replaced.
        verbose: 1 for a progress bar and one line for each trial.

    Returns:
        The run of the best trial.

    Raises:
        ImportError: Optuna is not installed.
        BlockingIOError: another process uses `folder`.
        FileExistsError: `folder` contains another search, a search on other data, or other files.
        OSError: a file cannot be written.
        ValueError: the model has nothing to tune, `trials` is below 1, no trial succeeded, or as for `train`.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, tune
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, split_options={"held_out": 30})
        >>> run = tune(config, lambda: generate(n_users=200, n_items=60, seed=1), tempfile.mkdtemp(), trials=3)
        >>> list(run.config.model_options)
        ['reg']
    """
    if trials < 1:
        raise ValueError(f"`trials`: expected a number above 0, got {trials}")
    import_optuna()
    folder, read_table = Path(folder), functools.cache(read_data)
    protocol, space = protocol_of(config), space_for(config)
    with locked(folder):
        table = read_table()
        split = protocol.split(table)
        check_held_out_parts(config, split)
        state = {**asdict(config), "data_digest": table_digest(table)}
        tuning = folder / TUNING_FOLDER
        begin_or_continue(folder, tuning / "search.json", state, overwrite, lambda: shutil.rmtree(tuning))
        with _os_errors(tuning), _study(tuning, config) as study:
            best = _search(study, config, space, split, tuning, trials, verbose)
    values = best.user_attrs["values"].items()
    chosen = with_values(config, {name: tuple(v) if isinstance(v, list) else v for name, v in values})
    checkpoints = _checkpoints(tuning, best)
    return train(chosen, read_table, folder, overwrite=True, verbose=verbose, checkpoints=checkpoints)


def import_optuna() -> Any:
    """Imports Optuna.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError(f"tuning needs Optuna. Fix: {install_command('tune')}") from error
    return optuna


@contextmanager
def _os_errors(folder: Path) -> Iterator[None]:
    """Raises errors of the database, such as that of a full disk, as those of other files."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except (OperationalError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise OSError(f"cannot write {folder / 'study.db'}: {reason}. Fix: free space, or another folder") from error


@contextmanager
def _study(folder: Path, config: RunConfig) -> Iterator[Study]:
    """Opens the study of a folder. Trials that a killed process left unfinished are repeated first."""
    optuna = import_optuna()
    from sqlalchemy.engine import URL

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address = URL.create("sqlite", database=str((folder / "study.db").resolve())).render_as_string()
    storage = optuna.storages.RDBStorage(address)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=config.model,
            direction="minimize" if lower_is_better(_metric(config)) else "maximize",
            load_if_exists=True,
        )
        # With the same seed, a continued search would draw the same values again.
        study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=10)
        for killed in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            optuna.trial.Trial(study, killed._trial_id).set_user_attr(INTERRUPTED, True)
            study.tell(killed.number, state=optuna.trial.TrialState.FAIL)
            number = killed.user_attrs.get(CONTINUES, killed.number)
            study.enqueue_trial(killed.params, user_attrs={CONTINUES: number})
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(level)


def _metric(config: RunConfig) -> str:
    return "rmse" if config.model_class.feedback == "ratings" else "ndcg_100"


def _search(
    study: Study, config: RunConfig, space: SearchSpace, split: Split, folder: Path, n_trials: int, verbose: int
) -> FrozenTrial:
    """Runs the missing trials, and returns the best one."""
    from optuna.trial import TrialState

    if not study.trials:
        study.enqueue_trial(default_parameters(config, split, space))
    n_done, metric = len(_finished(study)), _metric(config)
    error: Exception | None = None
    with tqdm(
        total=n_trials, initial=min(n_done, n_trials), desc="tuning", unit="trial", disable=not verbose
    ) as progress:
        for _ in range(n_trials - n_done):
            trial = study.ask()
            values = suggest(trial, space)
            trial.set_user_attr("values", values)
            try:
                value = run_trial(trial, with_values(config, values), split, _checkpoints(folder, trial))
            except (ValueError, MemoryError) as raised:  # such as a penalty too small to invert the matrix
                error, result = raised, f"failed: {raised}"
                study.tell(trial, state=TrialState.FAIL)
            else:
                result = "stopped, because others were better" if value is None else f"{metric} {value:.4f}"
                study.tell(trial, value, state=TrialState.PRUNED if value is None else None)
            gc.collect()  # a model and its graphs are in reference cycles, and the next one needs the memory
            _remove_all_but_best(study, folder)
            write_trials(_finished(study), folder / TRIALS_FILE)
            if verbose:
                result = (
                    f"failed: {error}" if error and value is None else "stopped" if value is None else f"{value:.4f}"
                )
                progress.write(f"trial {trial.number + 1}: {metric} {result}  ({settings_line(values.items())})")
            progress.update()
    write_trials(_finished(study), folder / TRIALS_FILE)
    if not study.get_trials(states=[TrialState.COMPLETE]):
        raise ValueError(f"none of the {n_trials} trials succeeded. The last error: {error}")
    return study.best_trial


def _finished(study: Study) -> list[FrozenTrial]:
    """The trials that ended, without those of killed processes."""
    return [trial for trial in study.trials if trial.state.is_finished() and INTERRUPTED not in trial.user_attrs]


def _checkpoints(folder: Path, trial: Trial | FrozenTrial) -> Path:
    """The folder of the checkpoints of a trial."""
    return folder / f"trial-{trial.user_attrs.get(CONTINUES, trial.number):04d}"


def _remove_all_but_best(study: Study, folder: Path) -> None:
    """Removes the checkpoints of finished trials that are not the best one."""
    from optuna.trial import TrialState

    best = _checkpoints(folder, study.best_trial) if study.get_trials(states=[TrialState.COMPLETE]) else None
    for path in folder.glob("trial-*"):
        if path != best:
            shutil.rmtree(path)
