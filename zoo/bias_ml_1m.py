"""Bias on MovieLens 1M: random ratings, 90/10, five splits.

A baseline. The penalties were chosen on the validation ratings of one split (RMSE .9092) among 2, 5 and 10 for users
and 1 to 25 for items.
"""

from recipe import Recipe, main

from kerasrec import Bias, RandomRatings, Recommender, Split

RECIPE = Recipe(
    model="Bias",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
)
REG_USERS = 10.0
REG_ITEMS = 2.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = Bias.for_interactions(split.train, reg_users=REG_USERS, reg_items=REG_ITEMS)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
