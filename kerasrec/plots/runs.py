"""Plots of finished runs, drawn from their folders."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.data import Split
from kerasrec.models import Recommender
from kerasrec.plots.coverage import coverage
from kerasrec.plots.differences import differences
from kerasrec.plots.efficiency import efficiency
from kerasrec.plots.history import History, curves, train_validation
from kerasrec.plots.models import latent_map, reconstruction
from kerasrec.plots.recall import recall_by_history_length, recall_by_popularity
from kerasrec.plots.results import comparison
from kerasrec.plots.style import NotApplicableError
from kerasrec.plots.tuning import trials
from kerasrec.runs.comparison import compare_runs
from kerasrec.runs.trial_table import read_trials

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kerasrec.runs import Run


MAX_NAMED = 4
"""The most models that a title names."""


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


def _from_history(draw: Callable[..., Figure]) -> _Draw:
    return lambda runs: draw(_single(runs).history, title=_title(runs))


def _from_model(draw: Callable[..., Figure]) -> _Draw:
    return lambda runs: draw(_single(runs).model, _single(runs).split.train, title=_title(runs))


def _from_models(draw: Callable[..., Figure]) -> _Draw:
    def draw_models(runs: Sequence[_LoadedRun]) -> Figure:
        split = _shared_split(runs)
        return draw(_by_name(runs, lambda run: run.model), split, title=_title(runs))

    return draw_models


def _comparison(runs: Sequence[_LoadedRun]) -> Figure:
    _shared_split(runs)
    return comparison(_by_name(runs, lambda run: run.run.metrics["test"]), title=_title(runs))


def _differences(runs: Sequence[_LoadedRun]) -> Figure:
    if len(runs) < 2:
        raise ValueError(f"expected two or more runs for this plot, got {len(runs)}")
    return differences(compare_runs([run.run for run in runs]), title=_title(runs))


def _efficiency(runs: Sequence[_LoadedRun]) -> Figure:
    _shared_split(runs)
    metrics = _by_name(runs, lambda run: run.run.metrics)
    seconds = {name: content["seconds"] for name, content in metrics.items() if "seconds" in content}
    return efficiency(
        {name: content["test"] for name, content in metrics.items()},
        seconds,
        _by_name(runs, lambda run: _served_megabytes(run.model)),
        runs[0].model.monitor.removeprefix("val_"),
        _title(runs),
    )


def _served_megabytes(model: Recommender) -> float:
    """Size of the weights that an export contains."""
    weights = model.as_served_model().inference_weights
    return sum(math.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in weights) / 1e6


def _trials(runs: Sequence[_LoadedRun]) -> Figure:
    run = _single(runs)
    return trials(read_trials(run.run.folder), run.model.monitor.removeprefix("val_"), _title(runs))


_PLOTS: dict[str, _Draw] = {
    "curves": _from_history(curves),
    "train-validation": _from_history(train_validation),
    "reconstruction": _from_model(reconstruction),
    "popularity": _from_models(recall_by_popularity),
    "history-length": _from_models(recall_by_history_length),
    "latent-map": _from_model(latent_map),
    "coverage": _from_models(coverage),
    "comparison": _comparison,
    "differences": _differences,
    "efficiency": _efficiency,
    "trials": _trials,
}


_NOT_OF_ONE_RUN = ("comparison", "differences", "efficiency", "trials")


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
        if name in _NOT_OF_ONE_RUN:
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


def run_title(runs: Sequence[Run]) -> str:
    """Models, data, protocol and seed of runs on the same data, as the heading of a plot.

    Example:
        >>> import tempfile
        >>> from kerasrec import HeldOutUsers, Popularity, generate
        >>> from kerasrec.plots import run_title
        >>> from kerasrec.runs import save_run
        >>> split = HeldOutUsers(held_out=30).split(generate(n_users=200, n_items=60, seed=1))
        >>> model = Popularity(60, seed=1)
        >>> _ = model.fit(split.train, verbose=0)
        >>> run_title([save_run(model, split, tempfile.mkdtemp(), "generated")])
        'popularity on generated, held-out-users, seed 1'
    """
    first = runs[0].metrics
    models = list(dict.fromkeys(run.metrics["model"] for run in runs))
    named = ", ".join(models) if len(models) <= MAX_NAMED else f"{len(models)} models"
    seeds = sorted({run.metrics["seed"] for run in runs}, key=str)
    data = Path(first["data"]).name or first["data"]
    seed = f", seed {seeds[0]}" if len(seeds) == 1 and seeds[0] is not None else ""
    return f"{named} on {data}, {first['protocol']}{seed}"


def _title(runs: Sequence[_LoadedRun]) -> str:
    return run_title([run.run for run in runs])


def _by_name(runs: Sequence[_LoadedRun], get: Callable[[_LoadedRun], Any]) -> dict[str, Any]:
    """A value for each run, by the name of its model. If two have the same: by the name of the folder, or its path."""
    names = [run.run.metrics["model"] for run in runs]
    n_folders = len({run.run.folder for run in runs})
    if len(set(names)) < len(names):
        names = [run.run.folder.name for run in runs]
    if len(set(names)) < n_folders:
        names = [str(run.run.folder) for run in runs]
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
