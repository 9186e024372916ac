"""Plots of recall for groups of items and of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.data import HeldOut, Interactions, Split
from kerasrec.inference.evaluation import evaluate
from kerasrec.models import Recommender
from kerasrec.plots.style import NotApplicableError, group_means, panels
from kerasrec.types import Array, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

K = 20
"""Length of the lists."""


def recall_by_popularity(models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5) -> Figure:
    """Share of the held-out interactions whose item is in the user's top-K, from rare items to popular ones.

    Args:
        models: name → trained model.
        split: its test part is measured.
        k: length of the lists.
        n_groups: number of groups, each with about as many held-out interactions.

    Raises:
        NotApplicableError: a model predicts ratings.
        ValueError: the test part has no targets.
    """
    targets = _targets(split.test)
    groups, ranges = grouped(split.train.item_counts[targets.items], n_groups)
    figure, (axes,) = panels(6.4, 4)
    for n, (name, model) in enumerate(models.items()):
        hits = _hits(model, split.test, k)
        group_means(axes, [hits[groups == g] for g in range(len(ranges))], n, len(models), name)
    _label_groups(axes, ranges)
    axes.set(xlabel="training users of the item", ylabel=f"share in the top {k}", ylim=(0, None))
    axes.set_title("Recall by popularity of the held-out item", loc="left")
    axes.legend(frameon=False)
    return figure


def recall_by_history_length(models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5) -> Figure:
    """Mean recall of users, from short histories to long ones.

    Args:
        models: name → trained model.
        split: its test part is measured.
        k: length of the lists.
        n_groups: number of groups, each with about as many users.

    Raises:
        NotApplicableError: a model predicts ratings.
        ValueError: the test part has no targets.
    """
    measured = _targets(split.test).counts > 0
    groups, ranges = grouped(split.test.inputs.counts[measured], n_groups)
    figure, (axes,) = panels(6.4, 4)
    for n, (name, model) in enumerate(models.items()):
        _check_ranks(model)
        recall = evaluate(model, split.test, [f"recall_{k}"]).per_user[f"recall_{k}"]
        group_means(axes, [recall[groups == g] for g in range(len(ranges))], n, len(models), name)
    _label_groups(axes, ranges)
    axes.set(xlabel="items in the user's history", ylabel=f"Recall@{k}, mean over users", ylim=(0, None))
    axes.set_title("Recall by length of the history", loc="left")
    axes.legend(frameon=False)
    return figure


def grouped(values: Array, n_groups: int) -> tuple[IntArray, list[tuple[int, int]]]:
    """Groups of similar values and about equal size; equal values are in one group.

    Returns:
        The group of each value, and the (lowest, highest) value of each group.
    """
    bounds = np.unique(np.quantile(values, np.linspace(0, 1, n_groups + 1)[1:-1]).astype(np.int64))
    _, groups = np.unique(np.searchsorted(bounds, values, side="left"), return_inverse=True)
    members = [values[groups == g] for g in range(groups.max() + 1)]
    return groups, [(int(group.min()), int(group.max())) for group in members]


def _label_groups(axes: Any, ranges: list[tuple[int, int]]) -> None:
    labels = [f"{low:,}" if low == high else f"{low:,}–{high:,}" for low, high in ranges]
    axes.set_xticks(range(len(ranges)), labels)


def _targets(held_out: HeldOut) -> Interactions:
    if held_out.targets is None or not len(held_out.targets):
        raise ValueError("the test part of the split has no targets. Fix: use a split that holds out interactions")
    return held_out.targets


def _check_ranks(model: Recommender) -> None:
    if model.feedback == "ratings":
        raise NotApplicableError(f"{type(model).__name__} predicts ratings, which recall does not measure")


def _hits(model: Recommender, held_out: HeldOut, k: int) -> FloatArray:
    """For each held-out interaction 1 if its item is in the user's top-K, else 0."""
    _check_ranks(model)
    targets = _targets(held_out)
    batches = model.batches(HeldOut(held_out.inputs, rows=held_out.rows))
    hits = []
    for n in range(len(batches)):
        batch = batches[n][0]
        scores = np.asarray(model.mask_seen(model(batch, training=False), batch))
        kth_best = -np.partition(-scores, k - 1, axis=1)[:, k - 1] if k < scores.shape[1] else scores.min(axis=1)
        users = np.arange(n * batches.batch_size, n * batches.batch_size + len(scores))
        for user, user_scores, bound in zip(users, scores, kth_best, strict=True):
            hits.append(user_scores[targets.row(int(user))] >= bound)
    return np.concatenate(hits).astype(np.float32)
