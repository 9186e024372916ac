"""Mult-VAE on Gowalla: the data set's own split.

Papers on graph recommenders report plain Recall@20 on this split. The recipe trains for 30 epochs and not for the
paper's 200, to take less than twenty minutes on two cores. The learning rate falls from four times the paper's rate
to 0.
"""

from fit import fit_best
from provided_split import ProvidedSplit
from recipe import Recipe, main

from kerasrec import MultVAE, OwnItems, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="Mult-VAE",
    data="gowalla",
    protocol=ProvidedSplit("gowalla/test.txt", "own split"),
    metrics=("plain_recall_20", "ndcg_20"),
    smoke_protocol=OwnItems(),
)
EPOCHS = 30
BATCH_SIZE = 500
LEARNING_RATE = 4e-3


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = MultVAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE)), metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_plain_recall_20", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
