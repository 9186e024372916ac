"""EASE on MovieLens 1M: time-ordered held-out users.

No paper reports EASE on this split. λ as in `ease_ml_1m.py`.
"""

from recipe import Recipe, main

from kerasrec import EASE, Recommender, Split, TemporalUsers

RECIPE = Recipe(
    model="EASE",
    data="ml-1m",
    protocol=TemporalUsers(held_out=750, seed=98765),
    metrics=("ndcg_100", "plain_recall_100", "ndcg_10", "plain_recall_10", "precision_10", "precision_100"),
    seeds=(1,),  # the model has no randomness
)
REG = 500.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = EASE(split.train.n_items, reg=REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
