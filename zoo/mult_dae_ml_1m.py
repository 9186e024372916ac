"""Mult-DAE on MovieLens 1M: held-out users.

Liang et al. 2018 report ML-20M, Netflix and Million Songs; no paper reports this split. Settings are those of the
reference code, except the batch size, which is scaled to the size of the data.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import HeldOutUsers, MultDAE, Recommender, Split

RECIPE = Recipe(
    model="Mult-DAE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
EPOCHS = 100
BATCH_SIZE = 500


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = MultDAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
