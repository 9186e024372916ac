"""I-AutoRec on MovieLens 100K: the data set's own split, u1.base and u1.test.

Han et al. 2021 (GLocal-K) report .8889 for their model on this split. Epochs, batch size and decay were chosen on a
tenth of the ratings of u1.base. There, decoupled weight decay gives an RMSE of .879. Weight decay as a term of the
loss gives .885, because Adam rescales it per weight. A twentieth of u1.base is validation data here.
"""

from fit import fit_best
from provided_split import ProvidedSplit
from recipe import Recipe, main

from kerasrec import AutoRec, RandomRatings, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="I-AutoRec",
    data="ml-100k",
    protocol=ProvidedSplit("ml-100k/u1.test", "u1", validation=0.05),
    metrics=("rmse", "mae"),
    smoke_protocol=RandomRatings(),
)
EPOCHS = 100
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 4.5


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = AutoRec.for_interactions(split.train, epochs, BATCH_SIZE, rows="items", reg=0.0, seed=seed)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE), weight_decay=WEIGHT_DECAY))
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
