"""Compressed ELSA on MovieLens 1M: held-out users; each item vector keeps 32 of its 512 entries.

The other settings are those of elsa_ml_1m.py.
"""

import keras
from elsa_ml_1m import BATCH_SIZE, EPOCHS, LATENT_DIM, LEARNING_RATE
from fit import fit_best
from recipe import Recipe, main

from kerasrec import ELSA, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="compressed ELSA",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
N_KEPT = 32


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = ELSA.for_interactions(split.train, epochs, BATCH_SIZE, latent_dim=LATENT_DIM, n_kept=N_KEPT, seed=seed)
    model.compile(keras.optimizers.Nadam(model.cosine_decay(LEARNING_RATE)))
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
