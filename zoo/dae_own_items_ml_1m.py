"""CDAE without user nodes (the paper's DAE) on MovieLens 1M: own items at random.

Wu et al. 2016 report MAP@10 on ML-10M, Netflix and Yelp; no paper reports this data. `cdae_own_items_ml_1m.py` is the
same model with user nodes. Width, corruption and epochs are those chosen for `cdae_ml_1m.py`.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import CDAE, OwnItems, Recommender, Split

RECIPE = Recipe(
    model="DAE (CDAE without user nodes)",
    data="ml-1m",
    protocol=OwnItems(),
    metrics=("map_10", "ndcg_10", "recall_10"),
)
EPOCHS = 60
BATCH_SIZE = 100
SETTINGS = {"latent_dim": 200, "dropout": 0.8, "reg": 0.001, "user_node": False}


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = CDAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed, **SETTINGS)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_map_10", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
