"""Warm start against training from scratch on MovieLens 1M.

    python benchmarks/warm_start.py elsa mult_vae rec_vae svae auto_rec --seeds 3

The older table has the first 90 % of the training users' rows by time, the newer one has all rows. Test users and
settings are those of the recipes in `zoo/`; AutoRec has user rows, and its tables have all ratings of the same users.
Each line is a model of the newer table: from the model of the older table in a quarter of the steps, from scratch, and
from scratch in a quarter of the steps. Each result is that of the last epoch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np

from kerasrec import ELSA, SVAE, AutoRec, HeldOutUsers, Interactions, MultVAE, Recommender, RecVAE, evaluate, read
from kerasrec.data.ids import lookup
from kerasrec.data.splits import HeldOut
from kerasrec.optimizers import Adam


class Settings(NamedTuple):
    """The settings of a recipe of the zoo."""

    model: type[Recommender]
    arguments: dict
    epochs: int
    batch_size: int
    rate: float
    optimizer: Callable = Adam
    metric: str = "ndcg_100"


SETTINGS = {
    "elsa": Settings(ELSA, {"latent_dim": 512}, 30, 500, 0.05, keras.optimizers.Nadam),
    "mult_vae": Settings(MultVAE, {}, 50, 100, 0.004),
    "rec_vae": Settings(RecVAE, {"gamma": 0.005}, 40, 100, 0.002),
    "svae": Settings(SVAE, {}, 20, 32, 0.005),
    "auto_rec": Settings(AutoRec, {"rows": "users", "reg": 0.06}, 120, 1000, 0.003, metric="rmse"),
}


def tables(name: str) -> tuple[Interactions, Interactions, HeldOut]:
    """The older table, the newer table, and the test users: likes, or all ratings of the same users."""
    table = read("ml-1m")
    split = HeldOutUsers(held_out=500, seed=98765).split(table)
    train, test = split.train, split.test
    if SETTINGS[name].model.feedback == "ratings":
        train = table.take_users(lookup(table.user_ids, split.train.user_ids))
        test_users = table.take_users(lookup(table.user_ids, split.test.inputs.user_ids))
        is_target = np.random.default_rng(0).random(len(test_users)) < 0.2
        test = HeldOut(*(test_users.select(part, compact=False) for part in (~is_target, is_target)))
    return train.select(train.times <= np.quantile(train.times, 0.9)), train, test


def from_scratch(settings: Settings, train: Interactions, epochs: int, seed: int) -> Recommender:
    """A model that is trained on a table for a number of epochs."""
    model = settings.model.for_interactions(train, epochs, settings.batch_size, seed=seed, **settings.arguments)
    model.compile(settings.optimizer(model.cosine_decay(settings.rate)))
    model.fit(train, batch_size=settings.batch_size, epochs=epochs, verbose=0)
    return model


def models(
    settings: Settings, older: Interactions, newer: Interactions, seed: int
) -> Iterator[tuple[str, int, Recommender]]:
    """The models of the newer table, each with its name and its steps on that table."""
    epochs, quarter = settings.epochs, round(settings.epochs / 4)
    warm = from_scratch(settings, older, epochs, seed).warm_start(newer, older)
    steps = warm.steps_for(newer.n_users, 1, settings.batch_size)
    yield "warm start, 0 epochs", 0, warm
    warm.fit(newer, batch_size=settings.batch_size, epochs=quarter, verbose=0)
    yield f"warm start, {quarter} epochs", quarter * steps, warm
    yield f"from scratch, {epochs} epochs", epochs * steps, from_scratch(settings, newer, epochs, seed)
    yield f"from scratch, {quarter} epochs", quarter * steps, from_scratch(settings, newer, quarter, seed)


def main() -> None:
    """Prints the metric of the test users and the steps for each model and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", choices=SETTINGS)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for name in options.models:
        settings, metric = SETTINGS[name], SETTINGS[name].metric
        older, newer, test = tables(name)
        print(f"{name}: older table {older!r}; newer table {newer!r}")
        results: dict[str, list[float]] = {}
        for seed in range(1, options.seeds + 1):
            for label, steps, model in models(settings, older, newer, seed):
                result = evaluate(model, test, [metric])
                value, error = result.means[metric], result.standard_errors[metric]
                results.setdefault(f"{label}, {steps:,} steps", []).append(value)
                print(f"{name}, seed {seed}, {label}, {steps:,} steps: {metric} {value:.4f} ± {error:.4f}", flush=True)
        for label, values in results.items():
            deviation = np.std(values, ddof=1) if len(values) > 1 else float("nan")
            print(f"{name}, {label}: mean {np.mean(values):.4f}, standard deviation {deviation:.4f}")


if __name__ == "__main__":
    main()
