"""CFN over items on MovieLens 1M, ratings at random, 90/10, five splits.

Strub et al. 2016 report an RMSE of .8321. Architecture, α, β and the share of hidden entries are
theirs; `reg`, the learning rate and the epochs were chosen with 10 % of the training ratings for
validation. The figures are of models that learned from 99 % of them.
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
REG = 0.06


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    settings = {"rows": "items", "reg": REG, "seed": seed}
    model = CFN.for_interactions(split.train, epochs, BATCH_SIZE, **settings)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
