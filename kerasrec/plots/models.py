"""Plots of a trained model: its reconstruction of one row, and a map of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.data import HeldOut, Interactions
from kerasrec.models import Recommender
from kerasrec.plots.style import (
    COLOURS,
    DASHES,
    GRADIENT,
    GREY,
    MARKERS,
    NotApplicableError,
    name_points,
    panels,
    shortened,
    start_at_zero,
)
from kerasrec.types import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reconstruction(model: Recommender, train: Interactions, user: Any = None, title: str = "") -> Figure:
    """A model's reconstruction of one user's row: predicted against given ratings, or all scores by rank.

    Args:
        model: a trained model.
        train: the training table.
        user: id of a user. Default: one with a history of about the mean length.
        title: heading, such as the model, the data and the protocol.

    Raises:
        ValueError: `user` is not in the training table.
    """
    row = _row_of(train, user)
    user_model = model.as_user_model(train)
    batch = user_model.batches(HeldOut(train.take_users([row]), rows=np.array([row])), 1)[0][0]
    scores = np.asarray(user_model(batch, training=False), np.float32)[0]
    name, columns = f"user {train.user_ids[row]!s}", train.row(row)
    if model.feedback == "ratings":
        return _predicted_ratings(train.values[train.indptr[row] : train.indptr[row + 1]], scores[columns], name, title)
    return _ranked_scores(scores, columns, name, title)


def _predicted_ratings(ratings: FloatArray, predicted: FloatArray, user: str, title: str) -> Figure:
    figure, (axes,) = panels(6.4, 4, title=title)
    jitter = np.random.default_rng(0).uniform(-0.12, 0.12, len(ratings))
    axes.plot(ratings + jitter, predicted, MARKERS[0], color=COLOURS[0], alpha=0.6, ms=5, mec="none")
    ends = np.array([ratings.min() - 0.3, ratings.max() + 0.3])
    axes.plot(ends, ends, DASHES[1], color=COLOURS[1], label="predicted = given")
    error = float(np.sqrt(np.mean((ratings - predicted) ** 2)))
    axes.set(xlabel="given rating, with jitter", ylabel="predicted rating")
    axes.set_title(f"{len(ratings)} training ratings of {user}: RMSE {error:.2f}", loc="left")
    axes.legend(frameon=False)
    for dimension in ("x", "y"):
        start_at_zero(axes, dimension)
    return figure


def _ranked_scores(scores: FloatArray, seen: IntArray, user: str, title: str) -> Figure:
    figure, (axes,) = panels(6.4, 4, title=title)
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(1, len(scores) + 1)
    axes.plot(np.arange(1, len(scores) + 1), scores[order], color=GREY, lw=1.5, label="all items")
    axes.plot(rank[seen], scores[seen], MARKERS[0], color=COLOURS[1], ms=5, label="items of the history")
    axes.set(xlabel="rank of the item (log scale)", ylabel="score", xscale="log")
    start_at_zero(axes)
    top = min(2 * len(seen), len(scores))
    n_top = int((rank[seen] <= top).sum())
    axes.set_title(f"{n_top} of the {len(seen)} items of {user} are in the top {top}", loc="left")
    axes.legend(frameon=False)
    return figure


def latent_map(
    model: Recommender, train: Interactions, n_items: int = 400, n_titles: int = 40, title: str = ""
) -> Figure:
    """The vectors of the most popular items on their first two principal components, with titles.

    Args:
        model: a trained model with item vectors.
        train: the training table.
        n_items: number of items, the most popular ones: vectors of rare items are mostly noise.
        n_titles: the most titles, of the most popular items. Titles that would overlap are left out.
        title: heading, such as the model, the data and the protocol.

    Raises:
        NotApplicableError: the model has no item vectors, or they are equal or have one dimension.
    """
    if not model.has_item_vectors:
        raise NotApplicableError(f"{type(model).__name__} has no item vectors")
    shown = np.argsort(-train.item_counts, kind="stable")[:n_items]
    vectors = model.item_vectors(train)[shown].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)  # the length of a vector mostly reflects popularity
    vectors -= vectors.mean(axis=0)
    left, singular, _ = np.linalg.svd(vectors, full_matrices=False)
    if len(singular) < 2 or not singular[0]:
        raise NotApplicableError(
            "expected item vectors that differ and have at least two dimensions, "
            f"got {len(shown)} of dimension {vectors.shape[1]}"
        )
    from matplotlib.ticker import LogLocator

    points = left[:, :2] * singular[:2]
    share = singular[:2] ** 2 / (singular**2).sum()
    figure, (axes,) = panels(8, 6, title=title)
    dots = axes.scatter(*points.T, c=train.item_counts[shown], s=18, cmap=GRADIENT, norm="log", linewidths=0.3, ec=GREY)
    ticks = LogLocator(subs=(1, 2, 5))
    figure.colorbar(dots, label="training users (log scale)", shrink=0.8, ticks=ticks, format="%d").minorticks_off()
    axes.set(xlabel=f"first component, {share[0]:.0%} of the variance", ylabel=f"second component, {share[1]:.0%}")
    axes.set_title(f"Item vectors of the {len(shown)} most popular items", loc="left")
    titles = train.item_ids if train.item_titles is None else train.item_titles
    name_points(figure, axes, points, [shortened(str(titles[i])) for i in shown], n_titles)
    return figure


def _row_of(train: Interactions, user: Any) -> int:
    if user is None:
        return int(np.argmin(np.abs(train.counts - train.counts.mean())))
    rows = np.flatnonzero(train.user_ids == user)
    if not len(rows):
        raise ValueError(f"`user`: expected the id of a user of the training table, got {user!r}")
    return int(rows[0])
