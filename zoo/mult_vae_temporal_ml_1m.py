"""Mult-VAE on MovieLens 1M: time-ordered held-out users, the baseline of SVAE.

The published results are those of Sachdeva et al. 2019, table 3. Settings are those of `mult_vae_ml_1m`.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import MultVAE, Recommender, Split, TemporalUsers
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="Mult-VAE",
    data="ml-1m",
    protocol=TemporalUsers(held_out=750, seed=98765),
    metrics=("ndcg_100", "plain_recall_100", "ndcg_10", "plain_recall_10", "precision_10", "precision_100"),
    published={"ndcg_100": 0.2301, "plain_recall_100": 0.4143, "ndcg_10": 0.1169},
)
EPOCHS = 50
BATCH_SIZE = 100
LEARNING_RATE = 4e-3


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = MultVAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE)), metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
