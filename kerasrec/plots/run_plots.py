"""Pictures of finished runs: which of `kerasrec.plots` a run has the figures for, drawn from its folder.

from kerasrec.runs import Run
pictures.draw_all(Run("runs/vae"), "pictures")
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasrec import plots
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import Split
from kerasrec.models.base import Recommender
from kerasrec.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _by_name(runs: Sequence[Run], get: Callable[[Run], Any]) -> dict[str, Any]:
    """What each run has, under its model's name, or its folder's where two models are the same."""
    models = [run.metrics["model"] for run in runs]
    names = models if len(set(models)) == len(models) else [run.folder.name for run in runs]
    return {name: get(run) for name, run in zip(names, runs, strict=True)}


def _only(runs: Sequence[Run]) -> Run:
    if len(runs) > 1:
        raise ValueError(f"this is a picture of one run: give one, not {len(runs)}")
    return runs[0]


def _shared_split(runs: Sequence[Run]) -> Split:
    """The split of all the runs; figures of different ones have no meaning side by side."""
    first, *others = (run.split() for run in runs)
    if any(other.test.inputs != first.test.inputs for other in others):
        raise ValueError("these runs were measured on other users: train them on the same split")
    return first


def _comparison(runs: Sequence[Run]) -> Figure:
    _shared_split(runs)
    return plots.comparison(_by_name(runs, lambda run: run.metrics["test"]))


def _of_history(draw: Callable[[plots.History], Figure]) -> Callable[[Sequence[Run]], Figure]:
    return lambda runs: draw(_only(runs).history())


def _of_models(draw: Callable[[Mapping[str, Recommender], Split], Figure]) -> Callable[[Sequence[Run]], Figure]:
    def drawn(runs: Sequence[Run]) -> Figure:
        split = _shared_split(runs)
        return draw(_by_name(runs, lambda run: run.model()), split)

    return drawn


def _of_model(draw: Callable[[Recommender, Interactions], Figure]) -> Callable[[Sequence[Run]], Figure]:
    return lambda runs: draw(_only(runs).model(), _only(runs).split().train)


PICTURES: dict[str, Callable[[Sequence[Run]], Figure]] = {
    "curves": _of_history(plots.curves),
    "train-validation": _of_history(plots.train_validation),
    "reconstruction": _of_model(plots.reconstruction),
    "popularity": _of_models(plots.recall_by_popularity),
    "history-length": _of_models(plots.recall_by_history_length),
    "latent-map": _of_model(plots.latent_map),
    "comparison": _comparison,
}
"""Pictures of finished runs, by the name that `kerasrec plot` takes."""


def draw_all(run: Run, folder: str | os.PathLike[str]) -> list[Path]:
    """Draws every picture that has a meaning for one run as PNG files.

    Args:
        run: a finished run.
        folder: where; made if need be.

    Returns:
        The files written. A picture that this model has no figures for is left out.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in PICTURES.items():
        if name == "comparison":
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # in a title: a box stands for it
            try:
                figure = draw([run])
            except ValueError:  # a solved model has no curves, a rating model no ranking, popularity no map
                continue
            figure.savefig(folder / f"{name}.png", dpi=150)
        written.append(folder / f"{name}.png")
    return written
