"""EDLAE on MovieLens 1M: held-out users.

Steck 2020 reports ML-20M, Netflix and Million Songs; no paper reports this split. (p, λ) were chosen on validation
users among p of 0, .1, .2, .33, .5, .6 and λ of 20, 50, 100, 200, 300, 500.
"""

from recipe import Recipe, main

from kerasrec import EDLAE, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="EDLAE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
DROPOUT = 0.5
REG = 300.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = EDLAE(split.train.n_items, dropout=DROPOUT, reg=REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
