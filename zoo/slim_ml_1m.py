"""SLIM on MovieLens 1M: held-out users.

Ning and Karypis 2011 report other data sets. The settings were not searched: one fit takes three minutes of CPU time.
"""

from recipe import Recipe, main

from kerasrec import SLIM, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="SLIM",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 100.0
L1_REG = 5.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = SLIM(split.train.n_items, reg=REG, l1_reg=L1_REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
