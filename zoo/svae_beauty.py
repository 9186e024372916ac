"""SVAE on Amazon Beauty: the last item of each user, ranked among all items.

Many papers rank it among sampled negatives. Such results cannot be compared with a full ranking. The architecture is
that of MovieLens 1M; k is 1, because only the next item is held out. The best epoch was chosen on the last but one
item of each user.
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import SVAE, LeaveOneOut, Recommender, Split

RECIPE = Recipe(
    model="SVAE",
    data="amazon-beauty/Beauty.txt",
    protocol=LeaveOneOut(),
    metrics=("ndcg_10", "hit_rate_10"),
)
EPOCHS = 10
BATCH_SIZE = 64


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = SVAE.for_interactions(split.train, epochs, BATCH_SIZE, k=1, seed=seed)
    model.compile(metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_ndcg_10", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
