"""iALS on MovieLens 1M: held-out users.

Rendle et al. 2022 report other data sets. With 64 dimensions, `unobserved_weight` was chosen on validation users
(NDCG@100 .4234) among .03, .1 and .3, and `reg` among .001, .003 and .01 at a weight of .1. More dimensions were not
searched.
"""

from recipe import Recipe, main

from kerasrec import IALS, HeldOutUsers, Recommender, Split

RECIPE = Recipe(
    model="iALS",
    data="ml-1m",
    protocol=HeldOutUsers(held_out=500, seed=98765),
    metrics=("ndcg_100", "recall_20", "recall_50"),
    seeds=(1, 2, 3),
)
LATENT_DIM = 64
REG = 0.003
UNOBSERVED_WEIGHT = 0.3
REG_EXPONENT = 1.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    model = IALS(
        split.train.n_items,
        latent_dim=LATENT_DIM,
        unobserved_weight=UNOBSERVED_WEIGHT,
        reg=REG,
        reg_exponent=REG_EXPONENT,
        seed=seed,
    )
    model.fit(split.train, verbose=0)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
