"""EASE on Gowalla, the split that came with it.

Plain Recall@20 is what the graph recommenders' papers report on this split. `reg` is a first guess, not tuned: a
solve of 40,981 items takes minutes.
"""

from given import Given
from recipe import Recipe, main

from kerasrec import EASE, OwnItems, Recommender, Split

RECIPE = Recipe(
    model="EASE",
    data="gowalla",
    protocol=Given("gowalla/test.txt", "own split"),
    metrics=("plain_recall_20", "ndcg_20"),
    seeds=(0,),
    smoke_protocol=OwnItems(),
)
REG = 200.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = EASE(split.train.n_items, reg=REG)
    model.compile(metrics=RECIPE.metrics)
    model.fit(split.train)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
