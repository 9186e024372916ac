"""Blends the models of several runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasrec.models import Blend
from kerasrec.runs.comparison import run_names
from kerasrec.runs.run import Run
from kerasrec.runs.saving import check_is_free, save_run


def blend(runs: Sequence[Run], folder: str | os.PathLike[str], verbose: int = 0) -> Run:
    """Blends the models of runs on one split, and stores the blend as a run.

    Args:
        runs: two or more runs of models of likes, on the same data, protocol and split seed.
        folder: where to store the run; created if necessary.
        verbose: 1 for a progress bar.

    Returns:
        The run. All commands that take a run folder accept it, except `kerasrec refit`.

    Raises:
        FileExistsError: `folder` is not empty.
        ValueError: `runs` has fewer than two entries or one of them twice, they have different splits, or a model
            predicts ratings.

    Example:
        >>> import tempfile
        >>> from kerasrec import generate
        >>> from kerasrec.runs import RunConfig, blend, train
        >>> def run_of(model, **options):
        ...     split_options = {"held_out": 30}
        ...     config = RunConfig(model, "generated", "held-out-users", 1, 2, 50, split_options, options)
        ...     return train(config, lambda: generate(n_users=200, n_items=60, seed=1), tempfile.mkdtemp())
        >>> runs = [run_of("ease", reg=50.0), run_of("elsa", latent_dim=8)]
        >>> blend(runs, tempfile.mkdtemp()).model().members[0].reg
        50.0
    """
    if len(runs) < 2:
        raise ValueError(f"expected two or more runs, got {len(runs)}")
    run_names(runs)  # refuses a run that is given twice
    check_is_free(Path(folder))  # before the models are loaded and compared
    split = runs[0].split()
    for run in runs[1:]:
        other = run.split()
        same_targets = other.test.targets == split.test.targets and other.validation.targets == split.validation.targets
        if other.train != split.train or not same_targets:
            raise ValueError(
                f"{run.folder} has another split than {runs[0].folder}. Fix: train both with the same data, protocol "
                "and split seed"
            )
    model = Blend([run.model() for run in runs])
    model.compile()
    model.fit(split.train, validation_data=split.validation, verbose=verbose)
    return save_run(model, split, folder, runs[0].metrics["data"])


def describe_shares(model: Blend, names: Sequence[str]) -> str:
    """The members of a blend with their shares, as one line: `ease .40, rec_vae .60`."""
    order = np.argsort(model.shares)[::-1]
    return ", ".join(f"{names[i]} {model.shares[i]:.2f}" for i in order)
