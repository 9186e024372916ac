"""Plots of a training history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.metrics import lower_is_better
from kerasrec.plots.style import COLOURS, NotApplicableError, line, metric_label, panels, start_at_zero
from kerasrec.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

History = Mapping[str, Sequence[float]]
"""The attribute `history` of Keras' `History`: name → one value per epoch."""


def curves(history: History, monitor: str | None = None, title: str = "") -> Figure:
    """Loss, β of a variational model, and a validation metric by epoch. The best epoch is marked.

    Args:
        history: `model.fit(…).history`, or `Run.history()`.
        monitor: the metric that selects the best epoch. Default: NDCG or RMSE on validation.
        title: heading, such as the model, the data and the protocol.

    Raises:
        NotApplicableError: the history has no loss, because the model was solved in closed form.
    """
    monitor = monitor or _monitor(history)
    names = [name for name in ("loss", "beta", monitor) if name and _has_values(history, name)]
    if "loss" not in names:
        raise NotApplicableError("the history has no loss. Models that are solved in closed form have no curves")
    figure, all_axes = panels(4.4 * len(names), 3.6, len(names), title)
    for axes, name in zip(all_axes, names, strict=True):
        epochs, values = _points(history, name)
        line(axes, epochs, values, 0, None)
        _label(axes, name)
        if name == "loss":
            axes.set_title("Training loss", loc="left")
        elif name == "beta":
            axes.set_title("Weight of the KL term", loc="left")
        else:
            best = int((np.argmin if lower_is_better(name) else np.argmax)(values))
            axes.plot(epochs[best], values[best], "s", ms=9, mfc="none", mew=2, color=COLOURS[1])
            axes.set_title(f"Validation: best {values[best]:.4f} at epoch {epochs[best]:.0f}", loc="left")
        start_at_zero(axes)
    return figure


def train_validation(history: History, metric: str | None = None, title: str = "") -> Figure:
    """A metric on training rows and on validation rows by epoch. Where the two part, the model overfits.

    Args:
        history: with `train_…` beside `val_…`, as `callbacks.TrainingMetrics` and `Run.history()` provide.
        metric: for example `"ndcg_100"` or `"rmse"`. Default: NDCG or RMSE.
        title: heading, such as the model, the data and the protocol.

    Raises:
        NotApplicableError: the history lacks the metric on training or on validation rows.
    """
    metric = metric or (_monitor(history) or "").removeprefix("val_")
    if 0 < len(history.get(f"val_{metric}", ())) < 2:
        raise NotApplicableError("expected a history of two or more epochs, got one, as of a closed-form model")
    if not _has_values(history, f"train_{metric}") or not _has_values(history, f"val_{metric}"):
        raise NotApplicableError(
            f"the history lacks `train_{metric}` or `val_{metric}`. "
            "Fix: fit with callbacks.TrainingMetrics(split.train) and validation_data=split.validation"
        )
    figure, (axes,) = panels(6, 4, title=title)
    for n, (part, label) in enumerate((("train", "training rows"), ("val", "validation"))):
        line(axes, *_points(history, f"{part}_{metric}"), n, label)
    _label(axes, metric)
    start_at_zero(axes)
    gap = _points(history, f"train_{metric}")[1][-1] - _points(history, f"val_{metric}")[1][-1]
    where = "above" if gap > 0 else "below"
    axes.set_title(f"After the last epoch training is {abs(gap):.3f} {where} validation", loc="left")
    axes.legend(frameon=False)
    return figure


def _label(axes: Any, name: str) -> None:
    axes.set(xlabel="epoch", ylabel=metric_label(name))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _monitor(history: History) -> str | None:
    """The validation metric to show if none is requested."""
    names = [name for name in history if name.startswith("val_") and name != "val_loss"]
    return next((name for name in names if "ndcg" in name or "rmse" in name), names[0] if names else None)


def _has_values(history: History, name: str) -> bool:
    return name in history and bool(np.isfinite(np.array(history[name], np.float64)).any())


def _points(history: History, name: str) -> tuple[FloatArray, FloatArray]:
    """Epochs, counted from 1, and values of the epochs that have one."""
    values = np.array(history[name], np.float64)
    has_value = np.isfinite(values)
    return np.flatnonzero(has_value) + 1.0, values[has_value]
