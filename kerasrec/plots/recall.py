"""Plots of recall for groups of items and of users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.data import HeldOut, Interactions, Split
from kerasrec.inference.evaluation import candidate_mask, evaluate
from kerasrec.models import Recommender
from kerasrec.plots.style import NotApplicableError, add_legend, add_note, group_means, panels, size_with_legend
from kerasrec.types import Array, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

K = 20
"""Length of the lists."""


def recall_by_popularity(
    models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5, title: str = ""
) -> Figure:
    """Share of the held-out interactions whose item is in the user's top-K, from rare items to popular ones.

    Args:
        models: name → trained model.
        split: its test part is measured.
        k: length of the lists.
        n_groups: number of groups, each with about as many held-out interactions.
        title: heading, such as the data and the protocol.

    Raises:
        NotApplicableError: a model predicts ratings.
        ValueError: the test part has no targets.
    """
    targets = targets_of(split.test)
    groups, ranges = grouped(split.train.item_counts[targets.items], n_groups)
    figure, (axes,) = panels(*size_with_legend(6.4, 4.4, len(models)), title=title)
    for n, (name, model) in enumerate(models.items()):
        hits = _hits(model, split.test, k)
        group_means(axes, [hits[groups == g] for g in range(len(ranges))], n, len(models), name)
    _label_groups(axes, ranges)
    axes.set(xlabel="training users of the item", ylabel=f"share in the top {k}", ylim=(0, None))
    axes.set_title("Recall by popularity of the held-out item", loc="left")
    add_legend(figure, axes, len(models))
    fitting = float(np.minimum(targets.counts, k).sum() / targets.counts.sum())
    if fitting < 0.995:
        add_note(figure, f"Some users have more than {k} held-out items: the highest possible share is {fitting:.0%}.")
    return figure


def recall_by_history_length(
    models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5, title: str = ""
) -> Figure:
    """Mean recall of users, from short histories to long ones.

    Recall is capped: hits / min(k, held-out items). Users with long histories have more held-out items. If a curve
    falls although the lists of these users have more hits, a note states it.

    Args:
        models: name → trained model.
        split: its test part is measured.
        k: length of the lists.
        n_groups: number of groups, each with about as many users.
        title: heading, such as the data and the protocol.

    Raises:
        NotApplicableError: a model predicts ratings.
        ValueError: the test part has no targets.
    """
    n_held_out = targets_of(split.test).counts
    measured = n_held_out > 0
    groups, ranges = grouped(split.test.inputs.counts[measured], n_groups)
    figure, (axes,) = panels(*size_with_legend(6.4, 4.6, len(models)), title=title)
    note = f"Recall@{k} is capped: hits / min({k}, held-out items)."
    for n, (name, model) in enumerate(models.items()):
        _check_ranks(model)
        recall = evaluate(model, split.test, [f"recall_{k}"]).per_user[f"recall_{k}"]
        group_means(axes, [recall[groups == g] for g in range(len(ranges))], n, len(models), name)
        note += explained_fall(name, recall, np.minimum(n_held_out[measured], k), groups)
    held_out = [f"{n_held_out[measured][groups == g].mean():.1f} held out" for g in range(len(ranges))]
    _label_groups(axes, ranges, held_out)
    axes.set(
        xlabel="items in the user's history, and mean number of held-out items",
        ylabel=f"Recall@{k}, mean over users",
        ylim=(0, None),
    )
    axes.set_title("Recall by length of the history", loc="left")
    add_legend(figure, axes, len(models))
    add_note(figure, note)
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


def explained_fall(name: str, recall: FloatArray, divisors: IntArray, groups: IntArray) -> str:
    """A sentence if recall falls from the first group of users to the last one, although their lists have more hits."""
    first, last = groups == 0, groups == groups.max()
    hits = recall * divisors
    if not (recall[last].mean() < recall[first].mean() and hits[last].mean() > hits[first].mean()):
        return ""
    hits_text = f"{hits[first].mean():.1f} → {hits[last].mean():.1f} per user"
    divisors_text = f"{divisors[first].mean():.1f} → {divisors[last].mean():.1f}"
    return (
        f" The curve of {name} falls although its lists have more hits ({hits_text}), because the divisor rises "
        f"({divisors_text})."
    )


def _label_groups(axes: Any, ranges: list[tuple[int, int]], second_lines: Sequence[str] = ()) -> None:
    labels = [f"{low:,}" if low == high else f"{low:,}–{high:,}" for low, high in ranges]
    if second_lines:
        labels = [f"{label}\n{second}" for label, second in zip(labels, second_lines, strict=True)]
    axes.set_xticks(range(len(ranges)), labels)


def targets_of(held_out: HeldOut) -> Interactions:
    """The held-out interactions.

    Raises:
        ValueError: nothing is held out.
    """
    if held_out.targets is None or not len(held_out.targets):
        raise ValueError("the test part of the split has no targets. Fix: use a split that holds out interactions")
    return held_out.targets


def _check_ranks(model: Recommender) -> None:
    if model.feedback == "ratings":
        raise NotApplicableError(f"{type(model).__name__} predicts ratings, which recall does not measure")


def _hits(model: Recommender, held_out: HeldOut, k: int) -> FloatArray:
    """For each held-out interaction 1 if its item is in the user's top-K, else 0."""
    _check_ranks(model)
    targets = targets_of(held_out)
    hits = []
    for users, scores in unseen_scores(model, held_out):
        kth_best = -np.partition(-scores, k - 1, axis=1)[:, k - 1] if k < scores.shape[1] else scores.min(axis=1)
        for user, user_scores, bound in zip(users.tolist(), scores, kth_best, strict=True):
            of_targets = user_scores[targets.row(user)]
            hits.append((of_targets >= bound) & np.isfinite(of_targets))  # a list can have fewer than k items
    return np.concatenate(hits).astype(np.float32)


def unseen_scores(model: Recommender, held_out: HeldOut) -> Iterator[tuple[IntArray, FloatArray]]:
    """Rows of the users of each batch, and their scores `(batch, n_items)`.

    The scores of the items of their histories, and of items that are no candidates, are -inf.
    """
    mask = candidate_mask(held_out)
    batches = model.batches(HeldOut(held_out.inputs, rows=held_out.rows))
    for n in range(len(batches)):
        batch = batches[n][0]
        scores = np.asarray(model.mask_seen(model(batch, training=False), batch))
        yield n * batches.batch_size + np.arange(len(scores)), scores + mask
