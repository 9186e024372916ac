"""Pictures of training, of figures and of models. Each function returns a matplotlib figure.

    figure = plots.curves(history)
    figure.savefig("curves.png", dpi=150)

In a notebook `%matplotlib inline` shows a returned figure. The colours are Okabe and Ito's, which
the colour-blind tell apart; lines also differ by marker and dash, so that print in grey will do.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut, Split
from kerasrec.inference.evaluation import Evaluation, evaluate
from kerasrec.inference.item_vectors import item_vectors
from kerasrec.metrics import lower_is_better
from kerasrec.models.base import Recommender
from kerasrec.types import Array, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", "-", "--", "-.")
K = 20
"""The cut-off of the recall pictures."""

History = Mapping[str, Sequence[float]]
"""What Keras' `fit` leaves in `history`: name → one value an epoch."""


def curves(history: History, monitor: str | None = None) -> Figure:
    """Loss, β where the model has one, and validation figures by epoch, the best epoch marked.

    Args:
        history: `model.fit(…).history`, or `Run.history()`.
        monitor: the figure that picks the epoch; NDCG or RMSE on validation where absent.
    """
    monitor = monitor or _monitor(history)
    panels = [name for name in ("loss", "beta", monitor) if name and _finite(history, name)]
    if "loss" not in panels:
        raise ValueError("there is nothing to draw: a solved model has no curves")
    figure, all_axes = _panels(4.4 * len(panels), 3.4, len(panels))
    for axes, name in zip(all_axes, panels, strict=True):
        epochs, values = _points(history, name)
        _line(axes, epochs, values, 0, None)
        axes.set(xlabel="epoch", ylabel=_spelled(name))
        if name == "loss":
            axes.set_title("What training minimises", loc="left")
        elif name == "beta":
            axes.set_title("The weight of the KL term", loc="left")
        else:
            best = int((np.argmin if lower_is_better(name) else np.argmax)(values))
            axes.plot(epochs[best], values[best], "s", ms=9, mfc="none", mew=2, color=COLOURS[1])
            axes.set_title(f"On validation: best {values[best]:.4f} at epoch {epochs[best]:.0f}", loc="left")
    return figure


def train_validation(history: History, metric: str | None = None) -> Figure:
    """One figure on training rows and on validation, by epoch: where they part, the model learns by heart.

    Args:
        history: with `train_…` beside `val_…`, as `callbacks.TrainingMetrics` and `Run.history()` have it.
        metric: `"ndcg_100"`, `"rmse"`, …; whichever is there where absent.
    """
    metric = metric or (_monitor(history) or "").removeprefix("val_")
    if not _finite(history, f"train_{metric}") or not _finite(history, f"val_{metric}"):
        raise ValueError(
            f"the history has no train_{metric} beside val_{metric}: fit with callbacks.TrainingMetrics(split.train)"
        )
    figure, (axes,) = _panels(6, 3.8)
    for n, (part, label) in enumerate((("train", "training rows"), ("val", "validation"))):
        _line(axes, *_points(history, f"{part}_{metric}"), n, label)
    axes.set(xlabel="epoch", ylabel=_spelled(metric))
    better = "below" if lower_is_better(metric) else "above"
    gap = _points(history, f"train_{metric}")[1][-1] - _points(history, f"val_{metric}")[1][-1]
    axes.set_title(f"Training ends {abs(gap):.3f} {better if _ahead(metric, gap) else 'behind'} validation", loc="left")
    axes.legend(frameon=False)
    return figure


def reconstruction(model: Recommender, train: Interactions, user: Any = None) -> Figure:
    """What a model makes of one user's row: given ratings and their reconstruction, or all scores in order.

    Args:
        model: a trained model whose rows are users, or one that is asked by user.
        train: the table that it learned from.
        user: id of the user; one with a history of about the mean length where absent.
    """
    row = _row_of(train, user)
    whose = f"user {train.user_ids[row]!s}"
    answering = model.as_user_model(train)
    one = HeldOut(train.take_users([row]), rows=np.array([row]))
    batch = answering.batches(one, 1)[0][0]
    scores = np.asarray(answering(batch, training=False), np.float32)[0]
    seen, given = train.row(row), train.values[train.indptr[row] : train.indptr[row + 1]]
    figure, (axes,) = _panels(6.4, 3.8)
    if model.feedback == "ratings":
        jitter = np.random.default_rng(0).uniform(-0.12, 0.12, len(given))
        axes.plot(given + jitter, scores[seen], MARKERS[0], color=COLOURS[0], alpha=0.6, ms=5, mec="none")
        ends = np.array([given.min() - 0.3, given.max() + 0.3])
        axes.plot(ends, ends, DASHES[1], color=COLOURS[1], label="given = reconstructed")
        error = float(np.sqrt(np.mean((given - scores[seen]) ** 2)))
        axes.set(xlabel="given rating, spread a little sideways", ylabel="reconstructed rating")
        axes.set_title(f"{len(seen)} ratings of {whose}: RMSE {error:.2f} on what the model was shown", loc="left")
        axes.legend(frameon=False)
        return figure
    order = np.argsort(-scores)
    place = np.empty(len(scores), np.int64)
    place[order] = np.arange(1, len(scores) + 1)
    axes.plot(np.arange(1, len(scores) + 1), scores[order], color="#999999", lw=1.5, label="all items")
    axes.plot(place[seen], scores[seen], MARKERS[0], color=COLOURS[1], ms=5, label="in the history")
    axes.set(xlabel="place of the item among all", ylabel="score", xscale="log")
    among = int((place[seen] <= 2 * len(seen)).sum())
    axes.set_title(f"{among} of the {len(seen)} items of {whose} are among the first {2 * len(seen)}", loc="left")
    axes.legend(frameon=False)
    return figure


def recall_by_popularity(models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5) -> Figure:
    """Share of the held-out items that are found in the top-K, from the rarest items to the most popular.

    Args:
        models: name → trained model.
        split: whose test part is asked.
        k: length of the list.
        n_groups: how many groups, each with about as many held-out interactions.
    """
    targets = _targets(split.test)
    popularity = split.train.item_counts[targets.items]
    groups, edges = _groups(popularity, n_groups)
    figure, (axes,) = _panels(6.4, 4)
    for n, (name, model) in enumerate(models.items()):
        found = _found(model, split.test, k)
        _points_with_errors(axes, [found[groups == g] for g in range(len(edges))], n, name, len(models))
    axes.set_xticks(range(len(edges)), [f"{low:,}–{high:,}" for low, high in edges])
    axes.set(xlabel="training users of the item", ylabel=f"share found in the top {k}", ylim=(0, None))
    axes.set_title("Popular items are easy: look at the left", loc="left")
    axes.legend(frameon=False)
    return figure


def recall_by_history_length(models: Mapping[str, Recommender], split: Split, k: int = K, n_groups: int = 5) -> Figure:
    """Recall of users by how much is known of them, from the shortest histories to the longest.

    Args:
        models: name → trained model.
        split: whose test part is asked.
        k: length of the list.
        n_groups: how many groups, each with about as many users.
    """
    asked = _targets(split.test).counts > 0
    groups, edges = _groups(split.test.inputs.counts[asked], n_groups)
    figure, (axes,) = _panels(6.4, 4)
    for n, (name, model) in enumerate(models.items()):
        _refuse_ratings(model)
        recall = evaluate(model, split.test, [f"recall_{k}"]).per_user[f"recall_{k}"]
        _points_with_errors(axes, [recall[groups == g] for g in range(len(edges))], n, name, len(models))
    axes.set_xticks(range(len(edges)), [f"{low:,}–{high:,}" for low, high in edges])
    axes.set(xlabel="items in the user's history", ylabel=f"Recall@{k}, mean over users", ylim=(0, None))
    axes.set_title("What a longer history is worth", loc="left")
    axes.legend(frameon=False)
    return figure


def latent_map(model: Recommender, train: Interactions, n_items: int = 400, n_titles: int = 40) -> Figure:
    """The popular items' vectors on their two main axes (PCA), many with titles: neighbours are alike.

    Args:
        model: a trained model with vectors of items (see `embeddings.item_vectors`).
        train: the table that it learned from.
        n_items: how many items are shown, the most popular ones: of rare items a model knows little.
        n_titles: at most how many are named, the most popular first; names that would overlap are left out.
    """
    shown = np.argsort(-train.item_counts, kind="stable")[:n_items]
    vectors = item_vectors(model, train)[shown].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0, lengths, 1)  # the direction tells the taste, the length the popularity
    vectors -= vectors.mean(0)
    left, strength, _ = np.linalg.svd(vectors, full_matrices=False)
    if len(strength) < 2 or not strength[0]:
        raise ValueError("there is no map of a single item, of items that are all alike, or of one-dimensional vectors")
    points = left[:, :2] * strength[:2]
    share = strength[:2] ** 2 / (strength**2).sum()
    figure, (axes,) = _panels(8, 6)
    dots = axes.scatter(*points.T, c=train.item_counts[shown], s=16, cmap="viridis_r", norm="log", linewidths=0)
    figure.colorbar(dots, label="training users (log scale)", shrink=0.8)
    axes.set(xlabel=f"first axis, {share[0]:.0%} of the variance", ylabel=f"second axis, {share[1]:.0%}")
    axes.set_title(f"Items near each other go to the same people ({len(shown)} most popular)", loc="left")
    titles = train.item_ids if train.item_titles is None else train.item_titles
    _name_points(figure, axes, points, [_short(str(titles[i])) for i in shown], n_titles)
    return figure


def comparison(measured: Mapping[str, Evaluation | Mapping[str, float]], metrics: Sequence[str] = ()) -> Figure:
    """Figures of several models side by side, with bars of one standard error to each side.

    Args:
        measured: name → `Evaluation`, or a dictionary such as `Run.figures["test"]`.
        metrics: which; all that every one has where empty.
    """
    figures = {name: m.as_dict() if isinstance(m, Evaluation) else m for name, m in measured.items()}
    if not figures:
        raise ValueError("there is nothing to compare: `measured` is empty")
    shared = [m for m in next(iter(figures.values())) if all(f"{m}_se" in f for f in figures.values())]
    metrics = list(metrics) or shared
    if not metrics or not set(metrics) <= set(shared):
        raise ValueError(f"these have in common: {', '.join(shared) or 'no metric'}")
    figure, panels = _panels(3.2 * len(metrics) + 1.2, 1.4 + 0.38 * len(figures), len(metrics), sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        for n, figures_of in enumerate(reversed(figures.values())):
            colour = (len(figures) - 1 - n) % len(COLOURS)
            axes.errorbar(
                figures_of[metric],
                n,
                xerr=figures_of[f"{metric}_se"],
                fmt=MARKERS[colour],
                color=COLOURS[colour],
                capsize=3,
            )
        axes.set(xlabel=_spelled(metric) + (" (lower is better)" if lower_is_better(metric) else ""))
        axes.grid(axis="x", color="#dddddd", lw=0.8)
        axes.margins(y=0.15)
    panels[0].set_yticks(range(len(figures)), list(reversed(figures)))
    figure.suptitle("Bars: one standard error to each side", x=0.01, ha="left", fontsize=11)
    return figure


def costs(points: Mapping[str, Sequence[tuple[float, float]]], size: str = "interactions", unit: str = "s") -> Figure:
    """Cost by size on logarithmic axes, one line a candidate: a straight line is a power, its slope the exponent.

    Args:
        points: name → (size, cost) pairs.
        size: what is counted, as the axis says it.
        unit: of the cost: `"s"`, `"MB"`, `"ms a request"`.
    """
    figure, (axes,) = _panels(6, 4)
    for n, (name, pairs) in enumerate(points.items()):
        sizes, cost = np.array(sorted(pairs), np.float64).T
        slope = f", grows as n^{np.polyfit(np.log(sizes), np.log(cost), 1)[0]:.1f}" if len(sizes) > 1 else ""
        _line(axes, sizes, cost, n, name + slope, marked=True)
    axes.set(xscale="log", yscale="log", xlabel=size, ylabel=f"cost ({unit})")
    axes.set_title("What a larger data set costs", loc="left")
    axes.grid(color="#dddddd", lw=0.8)
    axes.legend(frameon=False)
    return figure


def read_costs(path: str | os.PathLike[str]) -> dict[str, list[tuple[float, float]]]:
    """What `costs` takes, from a CSV file with the columns `name`, `size` and `cost`.

    Raises:
        ValueError: a column is missing, or a cell is no positive number.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text file: expected a CSV file with the columns name, size and cost") from None
    for n, row in enumerate(rows, 2):
        try:
            size, cost = float(row["size"]), float(row["cost"])
            name = row["name"]
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{path}, line {n}: expected the columns name, size and cost, the last two numbers"
            ) from None
        if min(size, cost) <= 0:
            raise ValueError(f"{path}, line {n}: size and cost must be above 0 to stand on logarithmic axes")
        points.setdefault(name, []).append((size, cost))
    if not points:
        raise ValueError(f"{path} holds no rows")
    return points


# ---- drawing ------------------------------------------------------------------------------------


def _panels(width: float, height: float, n: int = 1, **kwargs: Any) -> tuple[Figure, list[Any]]:
    """A figure of `n` panels side by side."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'kerasrec[plots]'") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = list(figure.subplots(1, n, squeeze=False, **kwargs)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _line(axes: Any, x: Any, y: Any, n: int, label: str | None, marked: bool = False) -> None:
    n %= len(COLOURS)
    marker = MARKERS[n] if marked or len(x) < 30 else None
    axes.plot(x, y, DASHES[n], color=COLOURS[n], marker=marker, ms=5, label=label)


def _points_with_errors(axes: Any, groups: Sequence[FloatArray], n: int, label: str, n_lines: int) -> None:
    """Mean and standard error of each group, lines a little apart so that no bar hides another."""
    means = [g.mean() if len(g) else np.nan for g in groups]
    errors = [g.std(ddof=1) / np.sqrt(len(g)) if len(g) > 1 else 0 for g in groups]
    x = np.arange(len(groups)) + 0.08 * (n - (n_lines - 1) / 2)
    n %= len(COLOURS)
    axes.errorbar(x, means, errors, fmt=MARKERS[n] + DASHES[n], color=COLOURS[n], capsize=3, ms=5, label=label)


def _name_points(figure: Any, axes: Any, points: FloatArray, names: Sequence[str], at_most: int) -> None:
    """Writes names beside the first points, leaving out those that would cover another name or leave the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # sizes of texts are known only once drawn
    renderer = canvas.get_renderer()
    taken: list[Any] = []
    for point, name in zip(points, names, strict=True):
        text = axes.annotate(name, point, (4, 3), textcoords="offset points", fontsize=7, annotation_clip=True)
        text.set_bbox({"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5})
        box = text.get_window_extent(renderer)
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
        if not inside or any(box.expanded(1.02, 1.1).overlaps(other) for other in taken):
            text.remove()
            continue
        taken.append(box)
        if len(taken) == at_most:
            return


# ---- figures ------------------------------------------------------------------------------------


def _monitor(history: History) -> str | None:
    """The validation figure to look at first."""
    there = [name for name in history if name.startswith("val_") and name != "val_loss"]
    return next((name for name in there if "ndcg" in name or "rmse" in name), there[0] if there else None)


def _finite(history: History, name: str) -> bool:
    return name in history and bool(np.isfinite(np.array(history[name], np.float64)).any())


def _points(history: History, name: str) -> tuple[FloatArray, FloatArray]:
    """Epochs, counted from 1, and values, where there are any."""
    values = np.array(history[name], np.float64)
    there = np.isfinite(values)
    return np.flatnonzero(there) + 1.0, values[there]


def _ahead(metric: str, gap: float) -> bool:
    return gap < 0 if lower_is_better(metric) else gap > 0


def _spelled(name: str) -> str:
    """`val_ndcg_100` as NDCG@100, `val_rmse` as RMSE in the ratings' unit."""
    name = name.removeprefix("val_")
    if name == "loss":
        return "loss, mean over rows"
    if name == "beta":
        return "β"
    if name in ("rmse", "mae"):
        return f"{name.upper()} (rating points)"
    metric, _, k = name.rpartition("_")
    known = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "recall": "Recall", "hit_rate": "Hit rate"}
    return f"{known.get(metric, metric.replace('_', ' ').capitalize())}@{k}" if k.isdigit() else name


def _row_of(train: Interactions, user: Any) -> int:
    if user is None:
        return int(np.argmin(np.abs(train.counts - train.counts.mean())))
    found = np.flatnonzero(train.user_ids == user)
    if not len(found):
        raise ValueError(f"no user {user!r} in the training table")
    return int(found[0])


def _targets(held_out: HeldOut) -> Interactions:
    if held_out.targets is None:
        raise ValueError("nothing is held out: `targets` is empty")
    return held_out.targets


def _refuse_ratings(model: Recommender) -> None:
    if model.feedback == "ratings":
        raise ValueError(f"{type(model).__name__} predicts ratings: recall is not what it is made for")


def _found(model: Recommender, held_out: HeldOut, k: int) -> FloatArray:
    """1 for each held-out interaction that is in its user's top-K, 0 for the others."""
    _refuse_ratings(model)
    targets = _targets(held_out)
    made = model.batches(HeldOut(held_out.inputs, rows=held_out.rows))
    hits = []
    for n in range(len(made)):
        batch = made[n][0]
        scores = np.asarray(model.mask_seen(model(batch, training=False), batch))
        kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1] if k < scores.shape[1] else scores.min(1)
        rows = np.arange(n * made.batch_size, n * made.batch_size + len(scores))
        for row, own, bound in zip(rows, scores, kth, strict=True):
            hits.append(own[targets.row(int(row))] >= bound)
    return np.concatenate(hits).astype(np.float32)


def _groups(values: Array, n_groups: int) -> tuple[IntArray, list[tuple[int, int]]]:
    """Each value's group and the groups' lowest and highest value; equal values share a group."""
    bounds = np.unique(np.quantile(values, np.linspace(0, 1, n_groups + 1)[1:-1]).astype(np.int64))
    groups = np.searchsorted(bounds, values, side="left")
    _, groups = np.unique(groups, return_inverse=True)
    return groups, [(int(values[groups == g].min()), int(values[groups == g].max())) for g in range(groups.max() + 1)]


def _short(title: str, width: int = 26) -> str:
    return title if len(title) <= width else title[: width - 1].rstrip() + "…"
