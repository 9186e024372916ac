"""Trains the model of a run again on all rows, with nothing held out. The result is the model to deploy."""

from __future__ import annotations

import datetime
import functools
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras

from kerasrec.callbacks import EpochBar
from kerasrec.data import Interactions, Split, read
from kerasrec.models.model_settings import ModelSettings
from kerasrec.runs.config import RunConfig, build_model, with_new_items
from kerasrec.runs.fitting import checkpoints_for
from kerasrec.runs.folder import begin_or_continue_run
from kerasrec.runs.lock import locked
from kerasrec.runs.run import METRICS_FILE, Run
from kerasrec.runs.saving import write_results
from kerasrec.runs.training import describe_training, note
from kerasrec.runs.warm_start import warm_started_model


def refit(
    run: Run | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    data: str | None = None,
    read_data: Callable[[], Interactions] | None = None,
    until: str | None = None,
    warm_start: bool = False,
    overwrite: bool = False,
    verbose: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Trains the model of a run on all rows, with the run's settings and its best epoch.

    The metrics of a run are those of a model that has not seen the validation and test rows. The model to deploy
    should have seen them. The thresholds of the protocol that drop short users or rare items do not apply, so that
    the model contains every user and every item; its lowest value of a like does.

    A call with the same run, data and folder resumes an interrupted refit. If it is finished, nothing is trained.

    Args:
        run: the run that was chosen by its metrics, or its folder. It may be a refitted run.
        folder: where to store the new run; created if necessary.
        data: file, folder or name of newer data of the same format. Default: the data of the run.
        read_data: reads the interactions. Default: `kerasrec.read` with the options of the run.
        until: date or time in ISO format, in UTC unless it states another zone. Interactions at that time and later are
            left out, for a candidate that is compared with the deployed model on these (`compare_on_newest`).
        warm_start: whether to begin with the weights of `run`; see `Recommender.warm_start`. The schedules of the run
            start again. A closed-form model is solved again.
        overwrite: if True, another run in `folder` is replaced.
        verbose: 1 for progress bars and lines on standard error.
        callbacks: further callbacks of `fit`, for example that of a tracker.

    Returns:
        The new run. Its `metrics.json` contains no metrics, but the id of the run whose metrics led to its choice.

    Raises:
        BlockingIOError: another process trains in `folder`.
        FileExistsError: `folder` contains another run, a run on other data, or other files, or is that of `run`.
        ValueError: `run` has no configuration, because `save_run` or `blend` wrote it; the ids of the new data have
            another type than those of the run; or `until` is not a date, or leaves no interactions.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, refit, train
        >>> options = {"split_options": {"held_out": 30}, "model_options": {"reg": 20.0}}
        >>> config = RunConfig("ease", "generated", "held-out-users", seed=1, epochs=1, batch_size=50, **options)
        >>> table = generate(n_users=200, n_items=60, seed=1)
        >>> run = train(config, lambda: table, tempfile.mkdtemp())
        >>> final = refit(run, tempfile.mkdtemp(), read_data=lambda: table)
        >>> run.split().train.n_users, final.split().train.n_users
        (130, 199)
        >>> final.metrics["refit"]["chosen_by"] == run.id
        True
    """
    chosen = run if isinstance(run, Run) else Run(run)
    folder = Path(folder)
    if folder.resolve() == chosen.folder.resolve():
        raise FileExistsError(f"expected another folder than that of the run, got {folder}. Fix: choose a new folder")
    if chosen.config is None:
        raise ValueError(
            f"the run in {chosen.folder} has no configuration, because `save_run` or `blend` wrote it. "
            "Fix: train the model with `kerasrec.runs.train`, or fit it on all rows yourself"
        )
    if chosen.settings is None:
        raise ValueError(f"{chosen.folder / 'run.json'} contains no settings. Fix: train the model again")
    protocol, settings = chosen.split().protocol, chosen.settings
    config = replace(chosen.config, data=chosen.config.data if data is None else data)
    # A run may be refitted every night, from the run of the night before: the choice remains that of the first run.
    choice = chosen.metrics["refit"] if chosen.was_refitted else {"folder": str(chosen.folder.resolve())}
    about = {
        "chosen_by": choice.get("chosen_by", chosen.id),
        "folder": choice["folder"],
        "started_from": chosen.id,
        "epochs": chosen.metrics["best_epoch"],
        "warm_start": warm_start,
        "until": until,
    }
    limit = None if until is None else _seconds(until)
    if read_data is None:
        options: dict[str, Any] = config.read_options
        read_data = functools.partial(read, config.data, **options)

    def all_rows(table: Interactions) -> tuple[Split, ModelSettings]:
        check_id_types(table, chosen.split().train, config.data)
        if limit is not None:
            table = _before(table, limit, str(until))
        split = Split.with_nothing_held_out(protocol.training_rows(table).without_bare_items(), protocol)
        split = with_new_items(config, split)
        note(verbose, f"{split.train!r}, with nothing held out")
        build_model(config, split.train, settings)
        return split, settings

    with locked(folder):
        begin_or_continue_run(
            {**asdict(config), "refit": about}, functools.cache(read_data), all_rows, folder, overwrite
        )
        if (folder / METRICS_FILE).exists():
            note(verbose, f"nothing to do: the run in {folder} is finished, and its data have not changed")
        else:
            _fit(folder, config, settings, about, chosen, verbose, callbacks)
    return Run(folder)


def _seconds(until: str) -> float:
    try:
        time = datetime.datetime.fromisoformat(until)
    except ValueError:
        raise ValueError(f"`until`: expected a date such as 2026-01-31, got {until!r}") from None
    return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp()


def _before(table: Interactions, limit: float, until: str) -> Interactions:
    """The interactions before a time in seconds since 1970."""
    if table.times is None:
        raise ValueError("`until`: expected data with times, got data without. Fix: leave `until` out")
    is_earlier = table.times < limit
    if not is_earlier.any():
        raise ValueError(f"`until`: expected a date after the earliest interaction, got {until}. Fix: a later date")
    return table.select(is_earlier)


def check_id_types(table: Interactions, trained_on: Interactions, data: str) -> None:
    """Checks that the ids of new data can be those of a run.

    Args:
        table: the new data.
        trained_on: the training table of the run.
        data: name of the new data.

    Raises:
        ValueError: one has integers, the other has strings.
    """
    for kind, new, old in (
        ("user", table.user_ids, trained_on.user_ids),
        ("item", table.item_ids, trained_on.item_ids),
    ):
        names = ["integers" if ids.dtype.kind in "iu" else "strings" for ids in (old, new)]
        if names[0] != names[1]:
            raise ValueError(
                f"expected {kind} ids that are {names[0]}, as in the run, got {names[1]} in {data}. "
                "Fix: give data with the ids that the run was trained on"
            )


def _fit(
    folder: Path,
    config: RunConfig,
    settings: ModelSettings,
    about: dict[str, Any],
    chosen: Run,
    verbose: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains from the last checkpoint to the best epoch of the chosen run, and writes the results."""
    split = Split.load(folder / "split")
    is_closed_form = config.model_class.closed_form
    if about["warm_start"] and is_closed_form:
        note(verbose, f"warm start: {config.model} has a closed form, so it is solved again on all rows")
    if about["warm_start"] and not is_closed_form:
        model = warm_started_model(chosen.folder, split.train, config)
    else:
        model = build_model(config, split.train, settings)
    checkpoints = checkpoints_for(model, folder / "checkpoints")
    epochs_done = checkpoints.restore(model)
    if epochs_done:
        note(verbose, f"continues after epoch {epochs_done} of {about['epochs']}")
    if epochs_done < about["epochs"]:
        with warnings.catch_warnings(), closing(EpochBar()) as bar:
            # The schedules are those of the chosen run, whose best epoch came before its last.
            warnings.filterwarnings("ignore", "this run has .* steps and the model was planned for")
            model.fit(
                split.train,
                batch_size=settings.batch_size,
                epochs=about["epochs"],
                initial_epoch=epochs_done,
                callbacks=[checkpoints, *([bar] if verbose else []), *callbacks],
                shuffle=config.shuffle_of_fit,
                verbose=0,
            )
    results = {**describe_training(config, settings, about["epochs"], checkpoints.history), "refit": about}
    write_results(folder, model, split, results, checkpoints.history, verbose)
