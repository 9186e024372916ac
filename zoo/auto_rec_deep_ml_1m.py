"""Deep I-AutoRec (500, 250, 500) on MovieLens 1M: random ratings, 90/10, five splits, greedy pre-training.

Sedhain et al. 2015 report an RMSE of .827. Settings as in `auto_rec_items_ml_1m`, plus pre-training of `PRETRAIN`
epochs per stage. RMSE on the validation ratings of the first split:

    batch 500: reg .06 → .877, reg .012 → .855, reg .003 → .861
    batch 100 (five times the updates): reg .02 → .837, reg .04 → .849 after 40 of 60 epochs

A smaller `reg` with batches of 100 was not tried. It is the first thing to try to close the gap of .003 to the paper.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import AutoRec, RandomRatings, Recommender, Split
from kerasrec.models.pretraining import pretrain

RECIPE = Recipe(
    model="I-AutoRec, deep",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
    published={"rmse": 0.827},
)
EPOCHS = 60
PRETRAIN = 30
BATCH_SIZE = 100
REG = 0.02


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs, before = (2, 1) if smoke else (EPOCHS, PRETRAIN)
    settings = {"rows": "items", "hidden_dims": (500, 250, 500), "reg": REG, "seed": seed}
    model = AutoRec.for_interactions(split.train, epochs, BATCH_SIZE, **settings)
    pretrain(model, split.train, before, BATCH_SIZE, verbose=0)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
