"""EASE on MovieLens 1M: held-out users.

Steck 2019 reports ML-20M, Netflix and Million Songs; no paper reports this split. λ was chosen on validation users
among 100, 200, 500 and 1000.
"""

from recipe import Recipe, main

from kerasrec import EASE, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="EASE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 500.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = EASE(split.train.n_items, reg=REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
