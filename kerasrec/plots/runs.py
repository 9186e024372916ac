"""Plots of finished runs, drawn from their folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasrec.data import Interactions, Split
from kerasrec.models import Recommender
from kerasrec.plots.history import History, curves, train_validation
from kerasrec.plots.models import latent_map, reconstruction
from kerasrec.plots.recall import recall_by_history_length, recall_by_popularity
from kerasrec.plots.results import comparison
from kerasrec.plots.style import NotApplicableError
from kerasrec.plots.tuning import trials
from kerasrec.runs.trial_table import read_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kerasrec.runs import Run


class _LoadedRun:
    """A run whose model, split and history are read once for all plots."""

    def __init__(self, run: Run) -> None:
        run.check_has_metrics()
        self.run = run

    @cached_property
    def model(self) -> Recommender:
        return self.run.model()

    @cached_property
    def split(self) -> Split:
        return self.run.split()

    @cached_property
    def history(self) -> History:
        return self.run.history()


_Draw = Callable[[Sequence[_LoadedRun]], "Figure"]


def _from_history(draw: Callable[[History], Figure]) -> _Draw:
    return lambda runs: draw(_single(runs).history)


def _from_model(draw: Callable[[Recommender, Interactions], Figure]) -> _Draw:
    return lambda runs: draw(_single(runs).model, _single(runs).split.train)


def _from_models(draw: Callable[[Mapping[str, Recommender], Split], Figure]) -> _Draw:
    def draw_models(runs: Sequence[_LoadedRun]) -> Figure:
        split = _shared_split(runs)
        return draw(_by_name(runs, lambda run: run.model), split)

    return draw_models


def _comparison(runs: Sequence[_LoadedRun]) -> Figure:
    _shared_split(runs)
    return comparison(_by_name(runs, lambda run: run.run.metrics["test"]))


def _trials(runs: Sequence[_LoadedRun]) -> Figure:
    run = _single(runs)
    return trials(read_trials(run.run.folder), run.model.monitor.removeprefix("val_"))


_PLOTS: dict[str, _Draw] = {
    "curves": _from_history(curves),
    "train-validation": _from_history(train_validation),
    "reconstruction": _from_model(reconstruction),
    "popularity": _from_models(recall_by_popularity),
    "history-length": _from_models(recall_by_history_length),
    "latent-map": _from_model(latent_map),
    "comparison": _comparison,
    "trials": _trials,
}


def _for_runs(draw: _Draw) -> Callable[[Sequence[Run]], Figure]:
    return lambda runs: draw([_LoadedRun(run) for run in runs])


RUN_PLOTS: dict[str, Callable[[Sequence[Run]], Figure]] = {name: _for_runs(draw) for name, draw in _PLOTS.items()}
"""Functions that draw a plot of finished runs, by the name that `kerasrec plot` accepts."""


def draw_figures(run: Run) -> dict[str, Figure]:
    """Every plot of a single run, by name.

    Plots that do not apply to the model are left out: a model that is solved in closed form has no curves, a rating
    model no recall, popularity no item vectors.
    """
    loaded, figures = [_LoadedRun(run)], {}
    for name, draw in _PLOTS.items():
        if name in ("comparison", "trials"):
            continue
        try:
            figures[name] = draw(loaded)
        except NotApplicableError:
            continue
    return figures


def draw_all(run: Run, folder: str | os.PathLike[str]) -> list[Path]:
    """Writes every plot of a single run as a PNG file.

    Args:
        run: a finished run.
        folder: of the files; created if it does not exist.

    Returns:
        The files, one for each plot that applies to the model.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # matplotlib draws a box for it
        for name, figure in draw_figures(run).items():
            files.append(folder / f"{name}.png")
            figure.savefig(files[-1], dpi=150)
    return files


def _by_name(runs: Sequence[_LoadedRun], get: Callable[[_LoadedRun], Any]) -> dict[str, Any]:
    """A value for each run, by the name of its model, or of its folder if two models have the same name."""
    names = [run.run.metrics["model"] for run in runs]
    if len(set(names)) < len(names):
        names = [run.run.folder.name for run in runs]
    return {name: get(run) for name, run in zip(names, runs, strict=True)}


def _single(runs: Sequence[_LoadedRun]) -> _LoadedRun:
    if len(runs) > 1:
        raise ValueError(f"expected one run for this plot, got {len(runs)}")
    return runs[0]


def _shared_split(runs: Sequence[_LoadedRun]) -> Split:
    """The split of all runs: results on different test users cannot be compared."""
    first, *others = (run.split for run in runs)
    if any(other.test.inputs != first.test.inputs for other in others):
        raise ValueError("the runs have different test users. Fix: train them on the same split")
    return first
