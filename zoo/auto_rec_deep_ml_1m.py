"""Deep I-AutoRec (500, 250, 500) on MovieLens 1M, ratings at random, 90/10, five splits, pre-trained layer by layer.

Sedhain et al. 2015 report an RMSE of .827. As `auto_rec_items_ml_1m`, behind a greedy pre-training of as many epochs
a stage as `PRETRAIN` says. On the first split's validation ratings batches of 500 give .877 with a `reg` of .06, .855
with .012 and .861 with .003; batches of 100, five times the updates, .837 with .02 and .849, after 40 of 60 epochs,
with .04. Less decay with these batches was not tried, and is the first thing to try for the .003 between the figure
here and the paper's.
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
