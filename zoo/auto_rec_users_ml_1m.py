"""U-AutoRec on MovieLens 1M: random ratings, 90/10, five splits.

Sedhain et al. 2015 report an RMSE of .874 with 500 sigmoid units, trained by resilient propagation on all rows at once.
This recipe has the same architecture and uses Adam with a learning rate that falls to 0 over the run. `reg` is the
paper's λ divided by the number of rows. `reg`, the epochs and the batch size were chosen with 10 % of the training
ratings as validation. The results are of models trained on 99 % of the training ratings.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import AutoRec, RandomRatings, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="U-AutoRec",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
    published={"rmse": 0.874},
)
EPOCHS = 120
BATCH_SIZE = 1000
LEARNING_RATE = 0.003
REG = 0.06


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = AutoRec.for_interactions(split.train, epochs, BATCH_SIZE, rows="users", reg=REG, seed=seed)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE)))
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
