"""SANSA on MovieLens 1M: held-out users, with EASE's penalty.

Spišák et al. 2023 report other data sets. EASE needs 3,533² weights here, SANSA stores 256 for each item.
"""

from recipe import Recipe, main

from kerasrec import SANSA, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="SANSA",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 500.0
N_FACTOR = 128


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = SANSA(split.train.n_items, reg=REG, n_factor=N_FACTOR)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
