"""VASP on MovieLens 1M: held-out users, with a narrower network than the paper's.

Vančura and Kordík 2021 report ML-20M and Netflix; no paper reports this split. The widths are a seventh of the paper's
and the learning rate is higher. No setting has been searched.

    python zoo/search.py vasp_ml_1m SHALLOW_PATH=False,True ALPHA=0.25,0.5
    python zoo/search.py vasp_ml_1m EPOCHS=20,40 LEARNING_RATE=0.0005,0.001
"""

import keras
from fit import fit_best
from recipe import Recipe, main

from kerasrec import VASP, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="VASP",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),
)
EPOCHS = 20
BATCH_SIZE = 100
HIDDEN_DIM = 600
LATENT_DIM = 300
SHALLOW_PATH = True
ALPHA = 0.25
LEARNING_RATE = 1e-3


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    widths = {"hidden_dim": HIDDEN_DIM, "latent_dim": LATENT_DIM}
    model = VASP.for_interactions(
        split.train, epochs, BATCH_SIZE, **widths, alpha=ALPHA, shallow_path=SHALLOW_PATH, seed=seed
    )
    model.compile(keras.optimizers.Nadam(model.cosine_decay(LEARNING_RATE)))
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
