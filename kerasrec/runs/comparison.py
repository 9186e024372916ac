"""Comparison of finished runs on the same test users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kerasrec.inference.comparison import ComparisonTable, compare_all
from kerasrec.inference.evaluation import evaluate
from kerasrec.runs.run import Run


def compare_runs(
    runs: Sequence[Run],
    metrics: Sequence[str] | None = None,
    baseline: Run | None = None,
    verbose: int = 0,
    part: Literal["test", "validation"] = "test",
) -> ComparisonTable:
    """Evaluates the models of runs on their common test users, and compares them with paired tests.

    Args:
        runs: two or more runs on the same data, protocol and split seed.
        metrics: names of metrics, the first of which sorts the models. Default: those of the first model.
        baseline: one of `runs`, the only one that the others are compared with. Default: every pair is compared.
        verbose: 1 for progress bars.
        part: `"validation"` compares the runs on their validation users.

    Returns:
        The table; see `compare_all`. A run has the name of its folder, or its path if two folders have the same name.

    Raises:
        ValueError: `runs` has fewer than two entries, a run is given twice or was refitted on all rows, or the test
            users, the held-out items or the settings of the protocol of two runs differ.

    Example:
        >>> import tempfile
        >>> from kerasrec import EASE, HeldOutUsers, Popularity, generate
        >>> from kerasrec.runs import compare_runs, save_run
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> models = {"ease": EASE(60, reg=20.0), "popularity": Popularity(60)}
        >>> histories = [model.fit(split.train, verbose=0) for model in models.values()]
        >>> folder = tempfile.mkdtemp()
        >>> runs = [save_run(model, split, f"{folder}/{name}", "generated") for name, model in models.items()]
        >>> list(compare_runs(runs).results)
        ['ease', 'popularity']
    """
    names = run_names(runs)
    for run in runs:
        run.check_has_metrics()
    _check_equal_protocols(runs)
    results = {}
    for name, run in zip(names, runs, strict=True):
        model = run.model()
        if metrics is None:
            chosen = model.monitor.removeprefix("val_")
            metrics = [chosen, *(metric for metric in model.default_metrics() if metric != chosen)]
        held_out = run.split().validation if part == "validation" else run.split().test
        results[name] = evaluate(model, held_out, metrics, verbose=verbose)
    return compare_all(
        results, None if baseline is None else dict(zip(map(id, runs), names, strict=True))[id(baseline)]
    )


def _check_equal_protocols(runs: Sequence[Run]) -> None:
    """Checks that all runs were split by one protocol with the same settings."""
    first, *others = ({"protocol": run.metrics["protocol"], **run.metrics["protocol_settings"]} for run in runs)
    for run, other in zip(runs[1:], others, strict=True):
        for name in first | other:
            if first.get(name) != other.get(name):
                raise ValueError(
                    f"expected runs with the same {name.replace('_', ' ')}, got {first.get(name)} in "
                    f"{runs[0].folder} and {other.get(name)} in {run.folder}. Fix: train both with the same options "
                    "of the split"
                )


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: its folder's, or its path if two folders have the same name.

    Raises:
        ValueError: two runs have the same folder.
    """
    paths = [str(run.folder) for run in runs]
    folders = [run.folder.resolve() for run in runs]
    repeated = {path for path, folder in zip(paths, folders, strict=True) if folders.count(folder) > 1}
    if repeated:
        raise ValueError(f"expected different runs, got {repeated.pop()} twice. Fix: give each run once")
    names = [run.folder.name for run in runs]
    return names if len(set(names)) == len(names) else paths
