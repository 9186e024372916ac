"""ELSA on MovieLens 1M, held-out users."""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import ELSA, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="ELSA",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
EPOCHS = 20
BATCH_SIZE = 500
LATENT_DIM = 256
LEARNING_RATE = 0.1
FALLS = False
KIND = "Nadam"


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    import keras

    epochs = 2 if smoke else EPOCHS
    model = ELSA.for_interactions(split.train, epochs, BATCH_SIZE, latent_dim=LATENT_DIM, seed=seed)
    rate = model.falling(LEARNING_RATE) if FALLS else LEARNING_RATE
    model.compile(getattr(keras.optimizers, KIND)(rate))
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
