"""DeepRec on MovieLens 1M, ratings at random, 90/10.

Kuchaiev and Ginsburg 2017 report Netflix by time; no trustworthy figure of MovieLens is published. Architecture,
optimizer, batch size and learning rates are the paper's, with one re-feeding.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import DeepRec, RandomRatings, Recommender, Split

RECIPE = Recipe(
    model="DeepRec",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2),
    reseed=True,
)
EPOCHS = 100
BATCH_SIZE = 128


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = DeepRec.for_interactions(split.train, epochs, BATCH_SIZE, refeeds=1, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
