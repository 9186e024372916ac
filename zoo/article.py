"""A popular article's table of MovieLens 1M, measured its way and measured right: writes article.md.

python zoo/article.py            # trains eleven models
python zoo/article.py --smoke    # generated data, seconds: does it run?
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fit import fit_best

import kerasrec
from kerasrec import CDAE, EASE, SVAE, AutoRec, DeepRec, HeldOut, Interactions, MultVAE, Recommender, Split, evaluate

RANKED = ["precision_100", "plain_recall_100", "ndcg_100"]
OWN_ITEMS = kerasrec.OwnItems(min_value=0.0, validation=0.05)
RATINGS = kerasrec.RandomRatings(test=0.2, validation=0.05)

# What the article prints: RMSE, or P@100 / plain R@100 / NDCG@100.
PRINTED = {
    "AutoRec": (0.910,),
    "DeepRec": (0.931,),
    "CDAE": (0.0894, 0.4137, 0.2528),
    "Mult-VAE": (0.0886, 0.4115, 0.2508),
    "SVAE": (0.0818, 0.5850, 0.3807),
    "EASE": (0.0757, 0.4181, 0.2561),
}
WHY = {
    "AutoRec": "the ratings to be predicted are part of the input",
    "DeepRec": "the mean of each user's RMSE, which is not the RMSE of all ratings; no re-feeding, which "
    "[costs accuracy here](refeeding.md)",
    "CDAE": "training items stay in the top 100; the best epoch is chosen on test",
    "Mult-VAE": "training items stay in the top 100; the best epoch is chosen on test",
    "SVAE": "measured on the users it learned from",
    "EASE": "training items stay in the top 100",
}
PAGE = """# A popular article, measured again

An article that many start from lists six autoencoders on MovieLens 1M. Its figures are no target: the code behind them
measures something else than the protocols of the papers. Below, the same models measured the article's way and then
right, by `python zoo/article.py`, one run each. Likes are all ratings, as in the article, and a fifth of each user's
items (or of all ratings) is for test; SVAE's users are held out whole, in time order, with ratings above 3. `±` is the
standard error over users or ratings.

## Ratings: RMSE

| model | article | its way | right | what its way does |
|---|---|---|---|---|
{rated}
## Likes: Precision@100 / plain Recall@100 / NDCG@100

| model | article | its way | right | what its way does |
|---|---|---|---|---|
{ranked}
Leaving the training items in the ranking fills it with what the model has seen, so that every model is far better than
its row says; and the order of the models changes with it. That each rating counts as a like, whatever its value, is the
article's choice, kept in both columns: the figures of [README.md](README.md) are of other protocols and cannot be
compared with these.
"""


def main() -> None:
    """Reads the command line, measures, writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data, few epochs; prints the page")
    smoke = parser.parse_args().smoke
    table = kerasrec.generate(n_users=300, n_items=120, seed=1) if smoke else kerasrec.read("ml-1m")
    rows: dict[str, dict[bool, str]] = {name: {} for name in PRINTED}
    for its_way in (True, False):
        for name, measure in (("AutoRec", auto_rec), ("DeepRec", deep_rec)):
            rows[name][its_way] = measure(table, its_way, smoke)
            print(name, its_way, rows[name][its_way], flush=True)
        for name, measure in (("CDAE", cdae), ("Mult-VAE", mult_vae), ("EASE", ease)):
            rows[name][its_way] = measure(OWN_ITEMS.split(table), its_way, smoke)
            print(name, its_way, rows[name][its_way], flush=True)
    protocol = kerasrec.TemporalUsers(held_out=30 if smoke else 750)
    rows["SVAE"] = svae(protocol.split(table), smoke)
    page = PAGE.format(
        rated="".join(line(name, rows[name]) for name in PRINTED if len(PRINTED[name]) == 1),
        ranked="".join(line(name, rows[name]) for name in PRINTED if len(PRINTED[name]) == 3),
    )
    if smoke:
        print(page)
    else:
        Path(__file__).with_name("article.md").write_text(page)


def line(name: str, measured: dict[bool, str]) -> str:
    """A row of the page."""
    digits = ".3f" if len(PRINTED[name]) == 1 else ".4f"
    printed = " / ".join(format(figure, digits) for figure in PRINTED[name])
    return f"| {name} | {printed} | {measured[True]} | {measured[False]} | {WHY[name]} |\n"


def shown(model: Recommender, part: HeldOut, metrics: list[str]) -> str:
    """The figures of a model."""
    figures = evaluate(model, part, metrics)
    return " / ".join(f"{figures.means[m]:.4f} ± {figures.standard_errors[m]:.4f}" for m in metrics)


def auto_rec(table: Interactions, its_way: bool, smoke: bool) -> str:
    """U-AutoRec, with the test ratings in its input or without them."""
    split = RATINGS.split(table)
    epochs = 2 if smoke else 100
    model = AutoRec.for_interactions(split.train, epochs, reg=0.06, seed=1)
    model.compile()
    fit_best(model, split, epochs, "val_rmse")
    test = HeldOut(table, split.test.targets) if its_way else split.test
    return shown(model, test, ["rmse"])


def deep_rec(table: Interactions, its_way: bool, smoke: bool) -> str:
    """DeepRec, by the mean of each user's RMSE without re-feeding, or by the RMSE with it."""
    split = RATINGS.split(table)
    epochs, size = 2 if smoke else DeepRec.default_epochs, DeepRec.default_batch_size
    model = DeepRec.for_interactions(split.train, epochs, size, refeeds=0 if its_way else 1, seed=1)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=size)
    if not its_way:
        return shown(model, split.test, ["rmse"])
    users = split.test.targets.users
    squares = np.bincount(users, evaluate(model, split.test, ["rmse"]).per_rating["rmse"])
    counts = np.bincount(users)
    each = np.sqrt(squares[counts > 0] / counts[counts > 0])
    return f"{each.mean():.4f} ± {each.std(ddof=1) / len(each) ** 0.5:.4f}"


def ranked(model: Recommender, split: Split, its_way: bool, fit: Callable[[Split], Any]) -> str:
    """Fits and measures, with seen items in the ranking and test as validation, or as one should."""
    if its_way:
        model.mask_seen = lambda scores, inputs: scores
        split = dataclasses.replace(split, validation=split.test)
    model.compile(metrics=RANKED)
    fit(split)
    return shown(model, split.test, RANKED)


def cdae(split: Split, its_way: bool, smoke: bool) -> str:
    """CDAE."""
    epochs = 2 if smoke else 60
    model = CDAE.for_interactions(split.train, epochs, seed=1)
    return ranked(model, split, its_way, lambda s: fit_best(model, s, epochs, "val_ndcg_100"))


def mult_vae(split: Split, its_way: bool, smoke: bool) -> str:
    """Mult-VAE."""
    epochs = 2 if smoke else 100
    model = MultVAE.for_interactions(split.train, epochs, seed=1)
    return ranked(model, split, its_way, lambda s: fit_best(model, s, epochs, "val_ndcg_100"))


def ease(split: Split, its_way: bool, smoke: bool) -> str:
    """EASE with the article's regularisation."""
    model = EASE(split.train.n_items, reg=1000.0)
    return ranked(model, split, its_way, lambda s: model.fit(s.train, verbose=0))


def svae(split: Split, smoke: bool) -> dict[bool, str]:
    """SVAE: on users it learned from, and on those held out."""
    epochs, size = 2 if smoke else SVAE.default_epochs, 32
    model = SVAE.for_interactions(split.train, epochs, size, seed=1)
    model.compile(metrics=RANKED)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=size)
    train = split.train
    place = np.arange(len(train)) - train.indptr[:-1][train.users]
    first = place < (0.8 * train.counts).astype(int)[train.users]
    learned_from = HeldOut(train.select(first, compact=False), train.select(~first, compact=False))
    return {True: shown(model, learned_from, RANKED), False: shown(model, split.test, RANKED)}


if __name__ == "__main__":
    main()
