"""ELSA on Gowalla, the split that came with it."""

import keras
from fit import fit_best
from given import Given
from recipe import Recipe, main

from kerasrec import ELSA, OwnItems, Recommender, Split

RECIPE = Recipe(
    model="ELSA",
    data="gowalla",
    protocol=Given("gowalla/test.txt", "own split"),
    metrics=("plain_recall_20", "ndcg_20"),
    smoke_protocol=OwnItems(),
)
EPOCHS = 20
BATCH_SIZE = 1000
LATENT_DIM = 512
LEARNING_RATE = 0.05


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = ELSA.for_interactions(split.train, epochs, BATCH_SIZE, latent_dim=LATENT_DIM, seed=seed)
    model.compile(keras.optimizers.Nadam(model.falling(LEARNING_RATE)), metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_plain_recall_20", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
