"""Compares the RMSE of I-AutoRec and kernelNet on five splits of MovieLens 1M, and writes rating_accuracy.md.

python zoo/auto_rec_items_ml_1m.py && python zoo/kernel_net_ml_1m.py    # write the results that are compared
python zoo/rating_accuracy.py                                           # trains one more model
python zoo/rating_accuracy.py --smoke                                   # generated data; prints the page
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import auto_rec_items_ml_1m
import kernel_net_ml_1m
import numpy as np
from recipe import RESULTS, measure

from kerasrec import evaluate

PAGE = """# Rating accuracy on MovieLens 1M

RMSE on five random splits of 90/10, measured by `python zoo/rating_accuracy.py` from the results of
[auto_rec_items_ml_1m](auto_rec_items_ml_1m.py) and [kernel_net_ml_1m](kernel_net_ml_1m.py). The epoch is the best on a
hundredth of the training ratings. If the difference is negative, kernelNet is better.

| split seed | {base} | {other} | difference |
|---|---|---|---|
{rows}
The last row has the standard error of the mean difference over the splits.

Published results of such models are often those of the best epoch **on the test data**. On the split of seed {seed},
this choice gives kernelNet a test RMSE of {selected:.4f}, and the choice on validation data {honest:.4f}.
"""


def main() -> None:
    """Reads the command line, measures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data and few epochs; prints the page")
    smoke = parser.parse_args().smoke
    base, other = (rmse_by_seed(recipe, smoke) for recipe in (auto_rec_items_ml_1m, kernel_net_ml_1m))
    if base.keys() != other.keys():
        raise SystemExit(
            f"expected results of the same seeds, got {list(base)} and {list(other)}. Fix: run both recipes"
        )
    seed = next(iter(other))
    page = PAGE.format(
        base=auto_rec_items_ml_1m.RECIPE.model,
        other=kernel_net_ml_1m.RECIPE.model,
        rows=rows(base, other),
        selected=test_selected(seed, smoke),
        honest=other[seed],
        seed=seed,
    )
    if smoke:
        print(page)
    else:
        Path(__file__).with_suffix(".md").write_text(page)


def rmse_by_seed(recipe: Any, smoke: bool) -> dict[int, float]:
    """The test RMSE of each run of a recipe, from its result file; of new runs in a smoke test."""
    if smoke:
        runs = [measure(recipe.RECIPE, recipe.train, seed, smoke)[2] for seed in recipe.RECIPE.seeds[:2]]
    elif not (file := RESULTS / f"{recipe.__name__}.json").exists():
        raise SystemExit(f"expected the result file {file}, which does not exist. Fix: python zoo/{recipe.__name__}.py")
    else:
        runs = json.loads(file.read_text())["runs"]
    return {run["seed"]: run["test"]["rmse"] for run in runs}


def rows(base: dict[int, float], other: dict[int, float]) -> str:
    """The lines of the table."""
    differences = np.array([other[seed] - base[seed] for seed in base])
    lines = [
        f"| {seed} | {base[seed]:.4f} | {other[seed]:.4f} | {difference:+.4f} |\n"
        for seed, difference in zip(base, differences, strict=True)
    ]
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    means = " | ".join(f"{np.mean(list(values.values())):.4f}" for values in (base, other))
    return "".join([*lines, f"| mean | {means} | {differences.mean():+.4f} ± {error:.4f} |\n"])


def test_selected(seed: int, smoke: bool) -> float:
    """The test RMSE of kernelNet with the epoch chosen on the test data itself."""
    split = kernel_net_ml_1m.RECIPE.split(seed, smoke)
    model = kernel_net_ml_1m.train(dataclasses.replace(split, validation=split.test), seed, smoke)
    return float(evaluate(model, split.test, ["rmse"]).means["rmse"])


if __name__ == "__main__":
    main()
