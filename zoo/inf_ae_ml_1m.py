"""∞-AE on MovieLens 1M: held-out users.

Sachdeva et al. 2022 report own items at random. `reg` was chosen on validation users (NDCG@100 .4278) among 2, 5
and 10.
"""

from recipe import Recipe, main

from kerasrec import HeldOutUsers, InfAE, Recommender, Split

RECIPE = Recipe(
    model="∞-AE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 5.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = InfAE(split.train.n_items, reg=REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
