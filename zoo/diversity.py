"""Measures how drawn codes and MMR re-ranking trade accuracy for diversity, and writes diversity.md.

python zoo/diversity.py            # trains Mult-VAE on MovieLens 100K, a minute
python zoo/diversity.py --smoke    # checks in seconds, on generated data, that the script runs
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from fit import fit_best
from keras import ops

import kerasrec
from kerasrec import HeldOutUsers, MultVAE, Recommender, Split, evaluate
from kerasrec.data import item_profiles
from kerasrec.metrics import beyond_accuracy
from kerasrec.ops.diversity import diverse_top_k

PAGE = """# Diversity against accuracy

Two ways to make lists more diverse, measured on Mult-VAE, MovieLens 100K, held-out users, top 20, by
`python zoo/diversity.py`. Coverage is the share of the catalogue that is recommended to any test user, novelty the mean
self-information of the items in bits, diversity the mean dissimilarity of the pairs of a list.

**Drawn codes** (`model.with_drawn_codes(seed, temperature, draws)`): the code is drawn from the posterior, whose
standard deviation is multiplied by the temperature. Scores are the mean over the draws.

**MMR** (`recommend(diversify=…)`, `kerasrec export --diversify`): similar items lower each other.

MMR gives more diversity for the same accuracy than a single draw. The mean over ten draws is as accurate as the mean of
the code, but it covers fewer items.

| lists | NDCG@20 | coverage | novelty, bits | diversity |
|---|---|---|---|---|
{rows}"""
TEMPERATURES = (0.5, 1.0, 2.0)
DRAWS = (1, 10)
STRENGTHS = (0.1, 0.3, 0.5)
K = 20


class Diversified(Recommender):
    """A model whose scores rank the list of `recommend(diversify=strength)` first, to be measured like any other."""

    def __init__(self, model: Recommender, split: Split, strength: float) -> None:
        super().__init__(model.n_columns, columns_digest=model.columns_digest)
        self.model = model
        self.profiles = item_profiles(split.train)
        self.strength = strength
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        batch = self.model.with_sparse_rows(inputs)
        scores = self.model.mask_seen(self.model(batch), batch)
        columns, _ = diverse_top_k(scores, K, self.profiles, self.strength)
        places = ops.one_hot(columns, self.n_columns) * ops.reshape(ops.arange(K, 0, -1, dtype="float32"), (1, K, 1))
        return ops.sum(places, axis=1)


def main() -> None:
    """Reads the command line, measures the lists and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data and two epochs; prints the page")
    smoke = parser.parse_args().smoke
    table = kerasrec.generate(n_users=300, n_items=120, seed=1) if smoke else kerasrec.read("ml-100k")
    split = HeldOutUsers(held_out=30 if smoke else 150).split(table)
    settings = MultVAE.config_for(split.train)
    settings = dataclasses.replace(settings, epochs=2) if smoke else settings
    model = MultVAE.for_interactions(split.train, settings.epochs, settings.batch_size, seed=1)
    model.compile(model.decaying_optimizer(settings.learning_rate))
    fit_best(model, split, settings.epochs, "val_ndcg_100", batch_size=settings.batch_size)
    rows = line("the mean of the code", model, split)
    for temperature in TEMPERATURES:
        for draws in DRAWS:
            drawn = model.with_drawn_codes(1, temperature, draws)
            rows += line(f"temperature {temperature:g}, {draws} draw{'s' if draws > 1 else ''}", drawn, split)
    for strength in STRENGTHS:
        rows += line(f"MMR, `diversify={strength}`", Diversified(model, split, strength), split)
    page = PAGE.format(rows=rows)
    if smoke:
        print(page)
    else:
        Path(__file__).with_suffix(".md").write_text(page)


def line(lists: str, model: Recommender, split: Split) -> str:
    """A row of the table."""
    metrics = [f"ndcg_{K}", *beyond_accuracy(split.train, K)]
    evaluation = evaluate(model, split.test, metrics)
    ndcg, error = evaluation.means[f"ndcg_{K}"], evaluation.standard_errors[f"ndcg_{K}"]
    coverage, novelty, diversity = (
        evaluation.means[f"{metric}_{K}"] for metric in ("coverage", "novelty", "diversity")
    )
    return f"| {lists} | {ndcg:.4f} ± {error:.4f} | {coverage:.3f} | {novelty:.2f} | {diversity:.3f} |\n"


if __name__ == "__main__":
    main()
