"""ItemKNN on MovieLens 1M: held-out users, with tuned exponents.

The baseline of neighbourhood models. k was chosen on validation users among 20, 50, 100 and 200, the shrinkage among 0,
10 and 50. With these, the cosine (exponents 0, .5, .5) gives NDCG@100 .360 on validation users and .365 on test users.
The exponents were chosen after that; on validation users .75, .75, .5 give .378 and 1, .75, .5 give .376.
"""

from recipe import Recipe, main

from kerasrec import HeldOutUsers, ItemKNN, Recommender, Split

RECIPE = Recipe(
    model="ItemKNN",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
NEIGHBOURS = 100
SHRINKAGE = 0.0
USER_POWER = 0.75
HISTORY_POWER = 0.75
SCORE_POWER = 0.5


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = ItemKNN(
        split.train.n_items,
        n_neighbours=NEIGHBOURS,
        shrinkage=SHRINKAGE,
        user_power=USER_POWER,
        history_power=HISTORY_POWER,
        score_power=SCORE_POWER,
    )
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
