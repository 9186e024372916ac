"""DAN on MovieLens 1M: held-out users.

No paper reports this split. The settings were chosen on validation users: 38 combinations with powers of users of .25
to .5 and of items of -.05 to .05, p of .33 to .5, λ of 150 to 500 and ξ of 0 to .7.
"""

from recipe import Recipe, main

from kerasrec import DAN, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="DAN",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
USER_POWER = 0.35
ITEM_POWER = 0.0
DROPOUT = 0.33
REG = 400.0
MAX_DIAGONAL = 0.4


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = DAN(
        split.train.n_items,
        user_power=USER_POWER,
        item_power=ITEM_POWER,
        dropout=DROPOUT,
        reg=REG,
        max_diagonal=MAX_DIAGONAL,
    )
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
