"""RecVAE on MovieLens 1M, held-out users, with the paper's architecture."""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import HeldOutUsers, Recommender, RecVAE, Split

RECIPE = Recipe(
    model="RecVAE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
EPOCHS = 50
BATCH_SIZE = 500
GAMMA = 0.005


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = RecVAE.for_interactions(split.train, epochs, BATCH_SIZE, gamma=GAMMA, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
