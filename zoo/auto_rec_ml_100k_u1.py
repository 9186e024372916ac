"""I-AutoRec on MovieLens 100K, the data's own split u1.base / u1.test.

Han et al. 2021 (GLocal-K) report .8889 for their model on this split. `reg`, epochs and batch size were chosen on
ratings held out from u1.base; a twentieth of it is kept to watch.
"""

from fit import fit_best
from given import Given
from recipe import Recipe, main

from kerasrec import AutoRec, RandomRatings, Recommender, Split

RECIPE = Recipe(
    model="I-AutoRec",
    data="ml-100k",
    protocol=Given("ml-100k/u1.test", "u1", validation=0.05),
    metrics=("rmse", "mae"),
    smoke_protocol=RandomRatings(),
)
EPOCHS = 100
BATCH_SIZE = 128
REG = 0.1


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = AutoRec.for_interactions(split.train, epochs, BATCH_SIZE, rows="items", reg=REG, seed=seed)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
