"""Measures DeepRec on MovieLens 1M with and without dense re-feeding, and writes refeeding.md and its picture.

python zoo/refeeding.py            # trains six models
python zoo/refeeding.py --smoke    # checks in seconds, on generated data, that the script runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure

import kerasrec
from kerasrec import DeepRec, RandomRatings, Split, evaluate
from kerasrec.callbacks import EpochBar
from kerasrec.plots.style import GRID, NOT_FROM_ZERO, line, metric_label, panels

PROTOCOL = RandomRatings(test=0.1, validation=0.09)
EPOCHS = 30
OPTIMIZERS = {
    "SGD, .001": lambda model: model.paper_optimizer(0.001),
    "SGD, .005": lambda model: model.paper_optimizer(0.005),
    "Adam, .001, weight decay": lambda model: model.default_optimizer(),
}
PAGE = """# Dense re-feeding, off and on

DeepRec with the layers of its paper (512, 512, 1024, dropout .8, SELU) and batches of 128 on MovieLens 1M. Of the
ratings, 81 % are training data, 9 % validation and 10 % test. Each row is one run of {epochs} epochs by
`python zoo/refeeding.py`. Nothing is chosen on test data: the result is that of the last epoch.

The paper's optimizer is stochastic gradient descent with momentum .9 whose rate is halved five times during the run. On
Netflix the paper reports that a rate of .005 diverges without re-feeding and is the best rate with it.

| optimizer, rate | re-feeding | validation RMSE | test RMSE |
|---|---|---|---|
{rows}
![Validation RMSE by epoch](pictures/refeeding.png)

With the paper's optimizer, re-feeding helps at both rates, and no run diverges. An epoch has 47 batches here and 3,700
on Netflix, so the models are far from converged when the rate has become small. With Adam and weight decay the same
epochs give a much lower RMSE, and re-feeding raises it.
"""


def main() -> None:
    """Reads the command line, trains the models and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data and few epochs; prints the page")
    smoke = parser.parse_args().smoke
    epochs = 2 if smoke else EPOCHS
    split = PROTOCOL.split(kerasrec.generate(n_users=300, n_items=120, seed=1) if smoke else kerasrec.read("ml-1m"))
    rows, histories = "", {}
    for optimizer in OPTIMIZERS:
        for refeeds in (0, 1):
            validation, test = train(split, optimizer, refeeds, epochs)
            histories[optimizer, refeeds] = validation
            rows += f"| {optimizer} | {'on' if refeeds else 'off'} | {validation[-1]:.4f} | {test} |\n"
            print(rows.splitlines()[-1], flush=True)
    page, picture = PAGE.format(epochs=epochs, rows=rows), draw(histories)
    if smoke:
        print(page)
        return
    Path(__file__).with_name("refeeding.md").write_text(page)
    picture.savefig(Path(__file__).with_name("pictures") / "refeeding.png", dpi=100)


def train(split: Split, optimizer: str, refeeds: int, epochs: int) -> tuple[list[float], str]:
    """Trains a model; returns the validation RMSE of each epoch and the test RMSE after the last."""
    model = DeepRec.for_interactions(split.train, epochs, refeeds=refeeds, seed=1)
    model.compile(OPTIMIZERS[optimizer](model))
    history = model.fit(
        split.train, epochs=epochs, validation_data=split.validation, callbacks=[EpochBar()], verbose=0
    ).history
    test = evaluate(model, split.test, ["rmse"])
    return history["val_rmse"], f"{test.means['rmse']:.4f} ± {test.standard_errors['rmse']:.4f}"


def draw(histories: dict[tuple[str, int], list[float]]) -> Figure:
    """Draws a panel for each optimizer: validation RMSE by epoch, with re-feeding off and on."""
    figure, all_axes = panels(9, 3.6, len(OPTIMIZERS), f"DeepRec on ml-1m, {PROTOCOL.name}, seed 1", sharey=True)
    for axes, optimizer in zip(all_axes, OPTIMIZERS, strict=True):
        for refeeds in (0, 1):
            rmse = histories[optimizer, refeeds]
            line(axes, range(1, len(rmse) + 1), rmse, refeeds, f"re-feeding {'on' if refeeds else 'off'}")
        axes.set_title(optimizer, loc="left")
        axes.set(xlabel="epoch", ylim=(0.84, 1.16))
        axes.grid(color=GRID, lw=0.8, axis="y")
    all_axes[0].set_ylabel(f"validation {metric_label('rmse')}\n({NOT_FROM_ZERO})")
    all_axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
