"""SVAE on MovieLens 1M: time-ordered held-out users.

Sachdeva et al. 2019 report the published results on this split. β, the learning rate, the batch size and the epochs
were chosen on validation users, by NDCG@100: .285 after 10 epochs from a rate of .003, .329 after 20 epochs from
.005. The docstring of `SVAE` lists the differences from the paper.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import SVAE, Recommender, Split, TemporalUsers

RECIPE = Recipe(
    model="SVAE",
    data="ml-1m",
    protocol=TemporalUsers(held_out=750, seed=98765),
    metrics=("ndcg_100", "plain_recall_100", "ndcg_10", "plain_recall_10", "precision_10", "precision_100"),
    published={"ndcg_100": 0.2993, "plain_recall_100": 0.4909, "ndcg_10": 0.1781},
)
EPOCHS = 20
BATCH_SIZE = 32


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = SVAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
