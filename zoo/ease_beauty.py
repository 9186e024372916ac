"""EASE on Amazon Beauty: the last item of each user, ranked among all items.

Many papers rank it among sampled negatives. Such results cannot be compared with a full ranking. `reg` was chosen on
the last but one item of each user.
"""

from recipe import Recipe, main

from kerasrec import EASE, LeaveOneOut, Recommender, Split

RECIPE = Recipe(
    model="EASE",
    data="amazon-beauty/Beauty.txt",
    protocol=LeaveOneOut(),
    metrics=("ndcg_10", "hit_rate_10"),
    seeds=(0,),
)
REG = 300.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = EASE(split.train.n_items, reg=REG)
    model.compile(metrics=RECIPE.metrics)
    model.fit(split.train)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
