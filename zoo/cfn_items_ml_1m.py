"""CFN over items on MovieLens 1M, ratings at random, 90/10, five splits.

Strub et al. 2016 report an RMSE of .8321. Architecture, α, β and the share of hidden entries are
theirs; `reg` was chosen with 9 % of all ratings for validation, the rest is as in `auto_rec_items_ml_1m`. The figures
are of models that learned from 99 % of the training ratings.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import CFN, RandomRatings, Recommender, Split

RECIPE = Recipe(
    model="CFN",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
    published={"rmse": 0.8321},
)
EPOCHS = 100
BATCH_SIZE = 500
REG = 0.08


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    settings = {"rows": "items", "reg": REG, "seed": seed}
    model = CFN.for_interactions(split.train, epochs, BATCH_SIZE, **settings)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
