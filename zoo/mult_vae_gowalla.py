"""Mult-VAE on Gowalla, the split that came with it.

Plain Recall@20 is what the graph recommenders' papers report on this split. Fewer epochs than the paper's 200, to
take less than twenty minutes on two cores, and a learning rate that falls from four times the paper's to 0.
"""

from fit import fit_best
from given import Given
from recipe import Recipe, main

from kerasrec import MultVAE, OwnItems, Recommender, Split
from kerasrec.optimizers import Adam

RECIPE = Recipe(
    model="Mult-VAE",
    data="gowalla",
    protocol=Given("gowalla/test.txt", "own split"),
    metrics=("plain_recall_20", "ndcg_20"),
    smoke_protocol=OwnItems(),
)
EPOCHS = 30
BATCH_SIZE = 500
LEARNING_RATE = 4e-3


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    model = MultVAE.for_interactions(split.train, epochs, BATCH_SIZE, seed=seed)
    model.compile(Adam(model.cosine_decay(LEARNING_RATE)), metrics=RECIPE.metrics)
    fit_best(model, split, epochs, "val_plain_recall_20", batch_size=BATCH_SIZE)
    return model


if __name__ == "__main__":
    main(RECIPE, train, __file__)
