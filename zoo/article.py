"""Measures a popular article's table of MovieLens 1M in the article's way and correctly, and writes article.md.

python zoo/article.py            # trains eleven models
python zoo/article.py --smoke    # checks in seconds, on generated data, that the script runs
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

# The article's results: RMSE, or Precision@100, plain Recall@100 and NDCG@100.
PRINTED = {
    "AutoRec": (0.910,),
    "DeepRec": (0.931,),
    "CDAE": (0.0894, 0.4137, 0.2528),
    "Mult-VAE": (0.0886, 0.4115, 0.2508),
    "SVAE": (0.0818, 0.5850, 0.3807),
    "EASE": (0.0757, 0.4181, 0.2561),
}
MISTAKES = {
    "AutoRec": "the test ratings are part of the input",
    "DeepRec": "the mean of each user's RMSE instead of the RMSE of all ratings; no re-feeding, "
    "although [re-feeding costs accuracy here](refeeding.md)",
    "CDAE": "training items stay in the top 100; the best epoch is chosen on test",
    "Mult-VAE": "training items stay in the top 100; the best epoch is chosen on test",
    "SVAE": "measured on training users",
    "EASE": "training items stay in the top 100",
}
PAGE = """# A popular article, measured again

Many people start from an article with a table of six autoencoders on MovieLens 1M. Its results are no target, because
its code does not measure what the protocols of the papers measure. The tables below have the same models, measured in
the article's way and correctly, by `python zoo/article.py`, one run each.

As in the article, every rating is a like, and a fifth of each user's items (or of all ratings) is test data. For SVAE
whole users are held out, in time order, with ratings above 3. `±` is the standard error over users or ratings.

## Ratings: RMSE

| model | article | the article's way | correct | mistake of the article's way |
|---|---|---|---|---|
{rated}
## Likes: Precision@100 / plain Recall@100 / NDCG@100

| model | article | the article's way | correct | mistake of the article's way |
|---|---|---|---|---|
{ranked}
If the training items stay in the ranking, they fill the top of the list. Every model is then far better than its row
shows, and the order of the models changes too. Both columns count each rating as a like, whatever its value, as the
article does. The results in [README.md](README.md) are from other protocols and cannot be compared with these.
"""


def main() -> None:
    """Reads the command line, measures the models and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data and few epochs; prints the page")
    smoke = parser.parse_args().smoke
    table = kerasrec.generate(n_users=300, n_items=120, seed=1) if smoke else kerasrec.read("ml-1m")
    rows: dict[str, dict[bool, str]] = {name: {} for name in PRINTED}
    for articles_way in (True, False):
        for name, measure in (("AutoRec", auto_rec), ("DeepRec", deep_rec)):
            rows[name][articles_way] = measure(table, articles_way, smoke)
            print(name, articles_way, rows[name][articles_way], flush=True)
        for name, measure in (("CDAE", cdae), ("Mult-VAE", mult_vae), ("EASE", ease)):
            rows[name][articles_way] = measure(OWN_ITEMS.split(table), articles_way, smoke)
            print(name, articles_way, rows[name][articles_way], flush=True)
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
    """A row of the page's tables."""
    digits = ".3f" if len(PRINTED[name]) == 1 else ".4f"
    printed = " / ".join(format(value, digits) for value in PRINTED[name])
    return f"| {name} | {printed} | {measured[True]} | {measured[False]} | {MISTAKES[name]} |\n"


def cell(model: Recommender, held_out: HeldOut, metrics: list[str]) -> str:
    """The results of a model as text."""
    evaluation = evaluate(model, held_out, metrics)
    return " / ".join(f"{evaluation.means[m]:.4f} ± {evaluation.standard_errors[m]:.4f}" for m in metrics)


def auto_rec(table: Interactions, articles_way: bool, smoke: bool) -> str:
    """U-AutoRec, with or without the test ratings in its input."""
    split = RATINGS.split(table)
    epochs = 2 if smoke else 100
    model = AutoRec.for_interactions(split.train, epochs, rows="users", reg=0.06, seed=1)
    model.compile()
    fit_best(model, split, epochs, "val_rmse")
    test = HeldOut(table, split.test.targets) if articles_way else split.test
    return cell(model, test, ["rmse"])


def deep_rec(table: Interactions, articles_way: bool, smoke: bool) -> str:
    """DeepRec: the mean of each user's RMSE without re-feeding, or the RMSE with re-feeding."""
    split = RATINGS.split(table)
    epochs, size = 2 if smoke else DeepRec.default_epochs, DeepRec.default_batch_size
    model = DeepRec.for_interactions(split.train, epochs, size, refeeds=0 if articles_way else 1, seed=1)
    model.compile()
    fit_best(model, split, epochs, "val_rmse", batch_size=size)
    if not articles_way:
        return cell(model, split.test, ["rmse"])
    users = split.test.targets.users
    squares = np.bincount(users, evaluate(model, split.test, ["rmse"]).per_rating["rmse"])
    counts = np.bincount(users)
    user_rmse = np.sqrt(squares[counts > 0] / counts[counts > 0])
    return f"{user_rmse.mean():.4f} ± {user_rmse.std(ddof=1) / len(user_rmse) ** 0.5:.4f}"


def ranked(model: Recommender, split: Split, articles_way: bool, fit: Callable[[Split], Any]) -> str:
    """Fits and measures: correctly, or with seen items in the ranking and test data as validation data."""
    if articles_way:
        model.mask_seen = lambda scores, inputs: scores
        split = dataclasses.replace(split, validation=split.test)
    model.compile(metrics=RANKED)
    fit(split)
    return cell(model, split.test, RANKED)


def cdae(split: Split, articles_way: bool, smoke: bool) -> str:
    """CDAE, trained for the best epoch on validation data."""
    epochs = 2 if smoke else 60
    model = CDAE.for_interactions(split.train, epochs, latent_dim=50, reg=0.001, seed=1)
    return ranked(model, split, articles_way, lambda s: fit_best(model, s, epochs, "val_ndcg_100"))


def mult_vae(split: Split, articles_way: bool, smoke: bool) -> str:
    """Mult-VAE, trained for the best epoch on validation data."""
    epochs = 2 if smoke else 100
    model = MultVAE.for_interactions(split.train, epochs, seed=1)
    return ranked(model, split, articles_way, lambda s: fit_best(model, s, epochs, "val_ndcg_100"))


def ease(split: Split, articles_way: bool, smoke: bool) -> str:
    """EASE with the regularisation of the article."""
    model = EASE(split.train.n_items, reg=1000.0)
    return ranked(model, split, articles_way, lambda s: model.fit(s.train, verbose=0))


def svae(split: Split, smoke: bool) -> dict[bool, str]:
    """SVAE: measured on training users and on held-out users."""
    epochs, size = 2 if smoke else SVAE.default_epochs, 32
    model = SVAE.for_interactions(split.train, epochs, size, seed=1)
    model.compile(metrics=RANKED)
    fit_best(model, split, epochs, "val_ndcg_100", batch_size=size)
    train = split.train
    place = np.arange(len(train)) - train.indptr[:-1][train.users]  # position in the user's history
    is_input = place < (0.8 * train.counts).astype(int)[train.users]
    training_users = HeldOut(train.select(is_input, compact=False), train.select(~is_input, compact=False))
    return {True: cell(model, training_users, RANKED), False: cell(model, split.test, RANKED)}


if __name__ == "__main__":
    main()
