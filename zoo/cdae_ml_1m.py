"""CDAE on MovieLens 1M: held-out users, all of them unknown users, so there are no user nodes.

No paper reports this split. Without user nodes the model is the paper's DAE. Width and corruption were chosen on
validation users, by NDCG@100:

    loss on sampled items: 50 units (the paper's width, on other data) → .390, 200 units → .408,
        200 units with four fifths of a row masked out → .410
    loss on all unseen items: 50 units → .376, 200 units → .399
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import CDAE, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="CDAE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
EPOCHS = 60
BATCH_SIZE = 100
SETTINGS = {"latent_dim": 200, "dropout": 0.8, "reg": 0.001, "user_node": False}


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = CDAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed, **SETTINGS)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
