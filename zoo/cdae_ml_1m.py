"""CDAE on MovieLens 1M, held-out users: strangers all, whose user node is zero.

No paper reports this split. Without nodes to learn from it is the paper's DAE that is asked here.
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
EPOCHS = 100
BATCH_SIZE = 100


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = CDAE.for_interactions(split.train, epochs, BATCH_SIZE, user_node=False, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
