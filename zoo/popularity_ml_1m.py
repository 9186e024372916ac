"""Popularity on MovieLens 1M: held-out users. It is the baseline of every result on this split."""

from recipe import Recipe, main

from kerasrec import HeldOutUsers, Popularity, Recommender, Split

RECIPE = Recipe(
    model="Popularity",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = Popularity(split.train.n_items)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
