"""FeatureEASE on Amazon Beauty: a tenth of the items has no training interaction, and only these are ranked.

No paper reports this split. The penalties were chosen on the validation items.
"""

from cold_items import attributes
from recipe import Recipe, main

from kerasrec import ColdItems, FeatureEASE, Recommender, Split

RECIPE = Recipe(
    model="FeatureEASE",
    data="amazon-beauty/Beauty.txt",
    protocol=ColdItems(seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),  # the model has no randomness
)
REG = 20.0
FEATURE_REG = 10.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    side = attributes(split.train, smoke)
    model = FeatureEASE.for_interactions(split.train, side=side, reg=REG, feature_reg=FEATURE_REG)
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
