"""Stacked denoising autoencoder on MovieLens 1M: held-out users, Mult-DAE (600, 200) with greedy pre-training.

No paper reports this split. Settings as in `mult_dae_ml_1m`, which has one layer.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import HeldOutUsers, MultDAE, Recommender, Split
from kerasrec.models.pretraining import pretrain

RECIPE = Recipe(
    model="Stacked DAE",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
)
EPOCHS = 100
PRETRAIN = 30
BATCH_SIZE = 500


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs, before = (2, 1) if smoke else (EPOCHS, PRETRAIN)
    model = MultDAE.for_interactions(split.train, epochs, BATCH_SIZE, hidden_dims=(600,), seed=seed)
    pretrain(model, split.train, before, BATCH_SIZE, verbose=0)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
