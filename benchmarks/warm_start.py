"""Warm start against training from scratch on MovieLens 1M.

    python benchmarks/warm_start.py elsa mult_vae --seeds 3

The older table has the first 90 % of the training users' rows by time, the newer one has all rows. Test users and
settings are those of the recipes in `zoo/`. Each line is a model of the newer table: trained from scratch, from scratch
in a quarter of the steps, and from the model of the older table in a quarter of the steps. Each result is that of the
last epoch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from kerasrec import ELSA, HeldOutUsers, Interactions, MultVAE, Recommender, evaluate, read
from kerasrec.optimizers import Adam


class Settings(NamedTuple):
    """The settings of a recipe of the zoo."""

    model: type[Recommender]
    arguments: dict
    epochs: int
    batch_size: int
    rate: float
    optimizer: Callable


SETTINGS = {
    "elsa": Settings(ELSA, {"latent_dim": 512}, 30, 500, 0.05, keras.optimizers.Nadam),
    "mult_vae": Settings(MultVAE, {}, 50, 100, 0.004, Adam),
}


def older_part(train: Interactions) -> Interactions:
    """The first 90 % of the rows by time."""
    return train.select(train.times <= np.quantile(train.times, 0.9))


def from_scratch(settings: Settings, train: Interactions, epochs: int, seed: int) -> Recommender:
    """A model that is trained on a table for a number of epochs."""
    model = settings.model.for_interactions(train, epochs, settings.batch_size, seed=seed, **settings.arguments)
    model.compile(settings.optimizer(model.cosine_decay(settings.rate)))
    model.fit(train, batch_size=settings.batch_size, epochs=epochs, verbose=0)
    return model


def main() -> None:
    """Prints NDCG@100 of the test users for each model and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=SETTINGS)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    split = HeldOutUsers(held_out=500, seed=98765).split(read("ml-1m"))
    older = older_part(split.train)
    print(f"older table: {older!r}; newer table: {split.train!r}")
    for name in options.models:
        settings = SETTINGS[name]
        quarter = round(settings.epochs / 4)
        results: dict[str, list[float]] = {}
        for seed in range(1, options.seeds + 1):
            previous = from_scratch(settings, older, settings.epochs, seed)
            warm = previous.warm_start(split.train, older)
            warm.fit(split.train, batch_size=settings.batch_size, epochs=quarter, verbose=0)
            models = {
                f"scratch, {settings.epochs} epochs": from_scratch(settings, split.train, settings.epochs, seed),
                f"scratch, {quarter} epochs": from_scratch(settings, split.train, quarter, seed),
                f"warm, {quarter} epochs": warm,
                "warm, 0 epochs": previous.warm_start(split.train, older),
            }
            for label, model in models.items():
                result = evaluate(model, split.test, ["ndcg_100"])
                ndcg, error = result.means["ndcg_100"], result.standard_errors["ndcg_100"]
                results.setdefault(label, []).append(ndcg)
                print(f"{name}, seed {seed}, {label}: {ndcg:.4f} ± {error:.4f}", flush=True)
        for label, values in results.items():
            print(f"{name}, {label}: mean {np.mean(values):.4f}, standard deviation {np.std(values, ddof=1):.4f}")


if __name__ == "__main__":
    main()
