"""FeatureEASE on MovieLens 1M: a tenth of the items has no training interaction, and only these are ranked.

No paper reports this split. The penalties were chosen on the validation items.
"""

from cold_items import genres
from recipe import Recipe, main

from kerasrec import ColdItems, FeatureEASE, Recommender, Split

RECIPE = Recipe(
    model="FeatureEASE",
    data="ml-1m",
    protocol=ColdItems(seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 100.0
FEATURE_REG = 0.1


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    side = genres(split.train, smoke)
    model = FeatureEASE.for_interactions(split.train, side=side, reg=REG, feature_reg=FEATURE_REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
