"""Popularity, ItemKNN and iALS on every data set and protocol that has other results.

    python zoo/baselines.py            # all; takes about an hour on two cores
    python zoo/baselines.py beauty     # one of them; writes zoo/results/item_knn_beauty.json and others
    python zoo/baselines.py --smoke    # checks in seconds, on generated data, that the script runs

Each split is that of a recipe. The settings are the best of a grid on validation data, by the first metric of that
recipe. The baselines on held-out users of MovieLens 1M have recipes of their own.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from pathlib import Path
from typing import Any

import cdae_own_items_ml_1m
import click
import ease_beauty
import ease_gowalla
import ease_temporal_ml_1m
import numpy as np
from recipe import RESULTS, Recipe, measure, summary
from tqdm import tqdm

import kerasrec
from kerasrec import IALS, ItemKNN, Popularity, Recommender, Split

SPLITS = {
    "beauty": ease_beauty.RECIPE,
    "gowalla": ease_gowalla.RECIPE,
    "own_items_ml_1m": cdae_own_items_ml_1m.RECIPE,
    "temporal_ml_1m": ease_temporal_ml_1m.RECIPE,
}
VALIDATION_FILES = {"gowalla": "gowalla/valid.txt"}
"""Validation data that choose the settings, where the recipe leaves too little for that."""

BASELINES: dict[str, tuple[str, type[Recommender], dict[str, tuple[float, ...]]]] = {
    "popularity": ("Popularity", Popularity, {}),
    "item_knn": ("ItemKNN", ItemKNN, {"n_neighbours": (20, 50, 100, 200), "shrinkage": (0.0, 10.0, 50.0)}),
    "ials": ("iALS", IALS, {"latent_dim": (64, 128), "unobserved_weight": (0.03, 0.1, 0.3), "reg": (0.001, 0.003)}),
}
"""Name in the file → name in the table, class, and the values of each setting."""


@click.command(help=__doc__.splitlines()[0])
@click.argument("splits", nargs=-1, type=click.Choice(list(SPLITS)))
@click.option("--baseline", "names", multiple=True, type=click.Choice(list(BASELINES)), help="[default: all]")
@click.option("--smoke", is_flag=True, help="Check with generated data and few settings that the script runs.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the results.  [default: zoo/results]")
def main(splits: tuple[str, ...], names: tuple[str, ...], smoke: bool, out: Path | None) -> None:
    """Measures what the command line names."""
    for name, place in itertools.product(names or BASELINES, splits or SPLITS):
        label, model, values = BASELINES[name]
        recipe = dataclasses.replace(SPLITS[place], model=label, seeds=(1,), published={})
        settings = chosen(recipe, model, values, VALIDATION_FILES.get(place), smoke)
        _, _, run = measure(recipe, functools.partial(trained, model, settings), 1, smoke)
        result = {**summary(recipe, "baselines", [run]), "settings": settings}
        if out is not None or not smoke:
            path = (out or RESULTS) / f"{name}_{place}.json"
            path.write_text(json.dumps(result, indent=2) + "\n")


def chosen(
    recipe: Recipe, model: type[Recommender], values: dict[str, Any], validation: str | None, smoke: bool
) -> dict[str, float]:
    """The settings of a grid with the best validation result.

    Args:
        recipe: names the data, the protocol and the metric.
        model: class of the baseline.
        values: setting → its values.
        validation: file with the validation data; `None` for those of the recipe.
        smoke: whether to compare two settings on generated data.
    """
    grid = [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]
    if len(grid) == 1:
        return grid[0]
    if validation is not None and not smoke:
        recipe = dataclasses.replace(recipe, protocol=dataclasses.replace(recipe.protocol, validation=validation))
    split, metric, results = recipe.split(1, smoke), recipe.metrics[0], []
    grid = grid[:2] if smoke else grid
    for settings in tqdm(grid, desc=f"settings of {recipe.model}, {recipe.data}"):
        result = kerasrec.evaluate(trained(model, settings, split, 1, smoke), split.validation, [metric])
        results.append(result.means[metric])
        tqdm.write(f"{settings}: {metric} {results[-1]:.4f}")
    return grid[int(np.argmax(results))]


def trained(model: type[Recommender], settings: dict[str, float], split: Split, seed: int, smoke: bool) -> Recommender:
    """A baseline with some settings, trained on a split."""
    baseline = model.for_interactions(split.train, seed=seed, **settings)
    baseline.fit(split.train, verbose=0)
    return baseline


if __name__ == "__main__":
    main()
