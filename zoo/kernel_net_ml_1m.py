"""kernelNet on MovieLens 1M: random ratings, 90/10, five splits.

Muller et al. 2018 report an RMSE of .823. Widths and penalties are those of the authors' code: λ₂ = 60 and λ_s = 0.013,
divided by the number of items. Adam with a learning rate that falls to 0 replaces L-BFGS. The epochs were chosen with
10 % of the training ratings as validation: RMSE .8431 with 60 epochs, .8283 with 200 (I-AutoRec: .8324).

    python zoo/search.py kernel_net_ml_1m EPOCHS=60,200 --validation 0.09
    python zoo/search.py kernel_net_ml_1m REG=0 WEIGHT_DECAY=2,4,8 --validation 0.09    # decoupled weight decay
"""

from fit import fit_best
from recipe import Recipe, main

from kerasrec import KernelNet, RandomRatings, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="kernelNet",
    data="ml-1m",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
    published={"rmse": 0.823},
)
EPOCHS = 200
BATCH_SIZE = 128
LEARNING_RATE = 2e-3
REG = 0.016
SIMILARITY_REG = 3.5e-6
WEIGHT_DECAY = 0.0


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = KernelNet.for_interactions(
        split.train, epochs, BATCH_SIZE, reg=REG, similarity_reg=SIMILARITY_REG, seed=seed
    )
    optimizer = Adam(model.cosine_decay(LEARNING_RATE), weight_decay=WEIGHT_DECAY or None)
    optimizer.exclude_from_weight_decay(var_names=["vectors"])  # towards 0 they would make the kernel dense
    model.compile(optimizer)
    fit_best(model, split, epochs, "val_rmse", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
