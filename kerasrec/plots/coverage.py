"""Plot of what recommendations contain: the share of the catalogue, and the share of popular items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from kerasrec.data import Split
from kerasrec.models import Recommender
from kerasrec.plots.recall import K, targets_of, unseen_scores
from kerasrec.plots.style import COLOURS, GRID, add_note, line, panels
from kerasrec.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_POINTS = 201
"""Most points of a curve."""


def coverage(models: Mapping[str, Recommender], split: Split, k: int = K, title: str = "") -> Figure:
    """Coverage of the catalogue by the lists of the test users, and popularity bias of these lists.

    The second panel shows the share of all recommendations that go to the most popular items. The dashed line is the
    share of the training interactions. A curve above it recommends popular items more often than users choose them.

    Args:
        models: name → trained model.
        split: the lists are those of its test users with held-out items.
        k: length of the lists.
        title: heading, such as the data and the protocol.

    Raises:
        ValueError: the test part has no targets.
    """
    train = split.train
    by_popularity = np.argsort(-train.item_counts, kind="stable")
    height = max(3.9, 2 + 0.4 * len(models))
    figure, (covered, concentration) = panels(9.4, height, 2, title)
    places = range(len(models) - 1, -1, -1)
    for n, (place, (name, model)) in enumerate(zip(places, models.items(), strict=True)):
        counts = _recommended(model, split, k)
        share = float((counts > 0).mean())
        covered.barh(place, 100 * share, height=0.5, color=COLOURS[n % len(COLOURS)])
        covered.annotate(f" {share:.0%}", (100 * share, place), va="center", fontsize=9)
        line(concentration, *_cumulative(counts[by_popularity]), n, name)
    covered.set_yticks(list(places), list(models))
    free = max(0.5, (3 - len(models)) / 2)  # a single bar must not fill the panel
    covered.set_ylim(-0.5 - free + 0.25, len(models) - 0.75 + free)
    covered.set(xlabel=f"items in at least one list of {k} (% of the catalogue)", xlim=(0, 112))
    covered.set_title("Coverage of the catalogue", loc="left")
    x, y = _cumulative(train.item_counts[by_popularity])
    concentration.plot(x, y, "--", color=COLOURS[6], lw=1.5, label="training interactions")
    concentration.set(xlabel="most popular items (% of the catalogue)", ylabel="cumulative share (%)")
    concentration.set(xlim=(0, 100), ylim=(0, 102))
    concentration.set_title("Popularity bias of the lists", loc="left")
    concentration.grid(color=GRID, lw=0.8)
    concentration.legend(frameon=False, fontsize=9, loc="lower right")
    n_users = int((targets_of(split.test).counts > 0).sum())
    add_note(
        figure,
        f"Top-{k} lists of {n_users:,} test users. A curve above the dashed line recommends popular items more often "
        "than users choose them; below it, less often.",
    )
    return figure


def _recommended(model: Recommender, split: Split, k: int) -> IntArray:
    """How many lists of users with held-out items contain each item, `(n_items,)`."""
    is_measured = targets_of(split.test).counts > 0
    counts = np.zeros(split.train.n_items, np.int64)
    for users, scores in unseen_scores(model.as_user_model(split.train), split.test):
        listed = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        is_new = np.isfinite(np.take_along_axis(scores, listed, axis=1)) & is_measured[users][:, np.newaxis]
        np.add.at(counts, listed[is_new], 1)
    return counts


def _cumulative(counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Per cent of the items, and per cent of the counts that they have, at most `N_POINTS` points from (0, 0)."""
    shares = np.concatenate([[0.0], np.cumsum(counts) / max(counts.sum(), 1)])
    places = np.unique(np.linspace(0, len(counts), N_POINTS).astype(np.int64))
    return 100 * places / len(counts), 100 * shares[places]
