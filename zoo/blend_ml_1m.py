"""Blend of DAN, ELSA and Mult-VAE on MovieLens 1M: held-out users.

Each member has the settings of its own recipe. The shares are chosen on validation users by NDCG@100.
"""

import dan_ml_1m
import elsa_ml_1m
import mult_vae_ml_1m
from recipe import Recipe, main

from kerasrec import Blend, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="Blend",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
MEMBERS = (dan_ml_1m, elsa_ml_1m, mult_vae_ml_1m)


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = Blend([member.train(split, seed, smoke) for member in MEMBERS])
    model.compile(metrics=RECIPE.metrics)
    model.fit(split.train, validation_data=split.validation, verbose=0)
    print("shares:", ", ".join(f"{m.RECIPE.model} {s:.2f}" for m, s in zip(MEMBERS, model.shares, strict=True)))
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
