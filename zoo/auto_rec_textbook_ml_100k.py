"""I-AutoRec on MovieLens 100K with the settings of a textbook: 25 epochs, result of the last epoch.

Item rows, 500 sigmoid units, dropout of .05 on the code, Adam at .002, batches of 256, weights from N(0, .01), random
ratings 90/10. The textbook's loss is the mean over the 943 users of a row of half the squared error, with a weight
decay of 1e-5. Beside a sum of squared errors that decay is 1e-5 · 2 · 943. `pictures/` has the textbook's picture.
Like the textbook, it shows the test RMSE of each epoch, but no setting is chosen by it.
"""

from pathlib import Path

import numpy as np
from recipe import Recipe, main

from kerasrec import AutoRec, RandomRatings, Recommender, Split
from kerasrec.callbacks import EpochBar
from kerasrec.optimizers import Adam
from kerasrec.plots.style import line, metric_label, panels, start_at_zero

RECIPE = Recipe(
    model="I-AutoRec, textbook",
    data="ml-100k",
    protocol=RandomRatings(test=0.1, validation=0.01),
    metrics=("rmse", "mae"),
    seeds=(0, 1, 2, 3, 4),
    reseed=True,
)
EPOCHS = 25
BATCH_SIZE = 256
DECAY = 1e-5
PICTURE = Path(__file__).with_name("pictures") / "auto_rec_textbook_ml_100k.png"


def train(split: Split, seed: int, smoke: bool) -> Recommender:
    epochs = 2 if smoke else EPOCHS
    reg = DECAY * 2 * split.train.n_users
    model = AutoRec.for_interactions(split.train, rows="items", dropout=0.05, reg=reg, seed=seed)
    rng = np.random.default_rng(seed)
    for layer in model.dense:
        layer.kernel.assign(rng.normal(0, 0.01, layer.kernel.shape))
    model.compile(Adam(0.002))
    history = model.fit(
        split.train,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        validation_data=split.test,  # for the picture only
        callbacks=[EpochBar()],
        verbose=0,
    ).history
    if seed == RECIPE.seeds[0] and not smoke:
        draw(history)
    return model


def draw(history: dict[str, list[float]]) -> None:
    """Draws training loss and test RMSE by epoch, as in the textbook."""
    title = f"I-AutoRec on {RECIPE.data}, {RECIPE.protocol.name}, seed {RECIPE.seeds[0]}"
    figure, all_axes = panels(8, 3.2, 2, title)
    for axes, (name, title) in zip(all_axes, {"loss": "training loss", "val_rmse": "test RMSE"}.items(), strict=True):
        line(axes, range(1, len(history[name]) + 1), history[name], 0, None)
        axes.set_title(f"{title}: {history[name][-1]:.3f} after {len(history[name])} epochs", loc="left")
        axes.set(xlabel="epoch", ylabel=metric_label(name))
        start_at_zero(axes)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main(RECIPE, train, __file__)
