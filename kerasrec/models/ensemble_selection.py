"""Ensemble selection: the shares of a blend, chosen on validation data. https://doi.org/10.1145/1015330.1015432."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from tqdm.auto import tqdm

from kerasrec.metrics import RankingMetric
from kerasrec.ops.ranking import rank
from kerasrec.types import FloatArray

ROUNDS = 20
"""Members that are selected at most, with repetition. The shares are multiples of 1 / rounds."""

PATIENCE = 3
"""Rounds without a better result after which the selection ends."""


def select_shares(
    scores: FloatArray, mask: FloatArray, targets: FloatArray, metric: RankingMetric, verbose: Any = 0
) -> FloatArray:
    """The shares of the members with the best validation result that ensemble selection finds.

    Each round adds the member that gives the best result together with those that were added before.

    Args:
        scores: `(n_members, n_users, n_items)`, standardised.
        mask: `(n_users, n_items)`, -inf at seen items, else 0.
        targets: `(n_users, n_items)`, 1 at held-out items, else 0.
        metric: the metric of the result.
        verbose: 0 for no progress bar.

    Returns:
        float32 `(n_members,)`, with the sum 1.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble Selection from Libraries of Models, ICML 2004.
    """

    def result_of(counts: FloatArray) -> float:
        blended = np.tensordot(counts / counts.sum(), scores, axes=1) + mask
        return float(ops.mean(metric.values(rank(blended, targets, metric.k))))

    counts = best_counts = np.zeros(len(scores), np.float32)
    best, rounds_without_gain = -np.inf, 0
    style = {"delay": 2, "leave": False, "disable": verbose == 0}
    for _ in tqdm(range(ROUNDS), "blending", unit="round", **style):
        steps = [counts + step for step in np.eye(len(counts), dtype=np.float32)]
        results = [result_of(step) for step in steps]
        counts = steps[int(np.argmax(results))]
        if max(results) > best:
            best, best_counts, rounds_without_gain = max(results), counts, 0
        else:
            rounds_without_gain += 1
        if rounds_without_gain == PATIENCE:
            break
    shares: FloatArray = best_counts / best_counts.sum()
    return shares
