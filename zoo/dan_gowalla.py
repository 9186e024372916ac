"""DAN on Gowalla: the data set's own split.

Papers on graph recommenders report plain Recall@20 on this split. The powers of users and items were chosen by it among
the 5,000 most popular items only, on 5,000 users of the data set's own valid.txt (paired standard error .003):

    EASE: reg 60 → .3505, 120 → .3573
    DAN, 0.25 and 0: reg 60 → .3603, 120 → .3647      0.5 and 0: reg 60 → .3487, 120 → .3533, 240 → .3580
    DAN, 0.25 and 0.1: reg 150 → .3663      0.25 and 0.3: reg 200 → .3687      0.3 and 0.2: reg 200 → .3681

`reg` is half of the best there, because the best `reg` of EASE among all items is half of its best there. The model is
trained on all but one in ten thousand of the interactions that are not for test. It needs 14 GB of memory.

    python zoo/search.py dan_gowalla ITEM_POWER=0.3,0.4 REG=60,100,150 --validation gowalla/valid.txt
"""

from provided_split import ProvidedSplit
from recipe import Recipe, main

from kerasrec import DAN, OwnItems, Recommender, Split

RECIPE = Recipe(
    model="DAN",
    data="gowalla",
    protocol=ProvidedSplit("gowalla/test.txt", "own split", validation=0.0001),
    metrics=("plain_recall_20", "ndcg_20"),
    seeds=(0,),
    smoke_protocol=OwnItems(),
)
USER_POWER = 0.25
ITEM_POWER = 0.3
DROPOUT = 0.0
REG = 100.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = DAN(split.train.n_items, user_power=USER_POWER, item_power=ITEM_POWER, dropout=DROPOUT, reg=REG)
    model.compile(metrics=RECIPE.metrics)
    model.fit(split.train)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
