"""FeatureVAE on MovieLens 1M: a tenth of the items has no training interaction, and only these are ranked.

No paper reports this split. The best epoch on the validation items is restored. Other settings were not searched.
"""

from cold_items import genres
from fit import fit_best
from recipe import Recipe, main

from kerasrec import ColdItems, FeatureVAE, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="FeatureVAE",
    data="ml-1m",
    protocol=ColdItems(seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1,),
)
EPOCHS = 20
BATCH_SIZE = 200
LEARNING_RATE = 4e-3
ITEM_DROPOUT = 0.5


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    settings = {"side": genres(split.train, smoke), "item_dropout": ITEM_DROPOUT, "seed": seed}
    model = FeatureVAE.for_interactions(split.train, epochs, BATCH_SIZE, **settings)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE)))
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
