"""Colours, axes, headings and labels that all plots share.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish. Lines also differ by marker and
dash, so that they can be distinguished in greyscale. An axis starts at 0, or its label states that it does not.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasrec.extras import install_command
from kerasrec.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", "-", "--", "-.")
GREY = "#999999"
GRID = "#dddddd"
GRADIENT = "viridis_r"
"""Colours of a number, from light to dark: their lightness falls evenly, so they are ordered in greyscale too."""

LABEL_OFFSETS = [
    (side * distance, height)
    for distance in (7, 16, 30, 48, 70, 96)
    for height in (4, -6, 12, -14, 22, -24, 34, -36, 48, -50)
    for side in (1, -1)
    if abs(height) <= 2 * distance
]
"""Places of a name, in points from its point, the nearest first."""

CHARACTERS_PER_INCH = 13
NOT_FROM_ZERO = "axis does not start at 0"


class NotApplicableError(ValueError):
    """A plot shows something that this model, history or table does not have.

    Example:
        >>> from kerasrec import plots
        >>> try:
        ...     plots.curves({"val_ndcg_100": [0.2]})
        ... except plots.NotApplicableError as error:
        ...     print(error)
        the history has no loss. Models that are solved in closed form have no curves
    """


def panels(width: float, height: float, n: int = 1, title: str = "", **kwargs: Any) -> tuple[Figure, list[Any]]:
    """A figure with `n` axes side by side.

    Args:
        width: in inches.
        height: in inches.
        n: number of axes.
        title: heading of the figure.
        **kwargs: as for `Figure.subplots`.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"plots need matplotlib. Fix: {install_command('plots')}") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    all_axes = list(figure.subplots(1, n, squeeze=False, **kwargs)[0])
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
    if title:
        text = "\n".join(textwrap.fill(line, int(CHARACTERS_PER_INCH * width)) for line in title.split("\n"))
        figure.suptitle(text, x=0.01, ha="left", fontsize=11, parse_math=False)
    return figure, all_axes


def headline(title: str, result: str) -> str:
    """A heading of two lines: what was measured, and the result. One line if `title` is empty."""
    return f"{title}\n{result}" if title else result


def add_note(figure: Any, text: str) -> None:
    """Writes a remark on how to read a figure below its axes."""
    width = int(1.25 * CHARACTERS_PER_INCH * figure.get_figwidth())
    figure.supxlabel(textwrap.fill(text, width), x=0.01, ha="left", fontsize=8.5, color="#555555")


def start_at_zero(axes: Any, dimension: str = "y") -> None:
    """Starts an axis at 0. If the values are far from 0, so that they would look equal, its label states it instead.

    Args:
        axes: with everything drawn, and with its labels.
        dimension: `"x"` or `"y"`.
    """
    axis = axes.xaxis if dimension == "x" else axes.yaxis
    low, high = axis.get_data_interval()
    if axis.get_scale() != "linear" or low < 0 < high or not np.isfinite([low, high]).all():
        return
    if low >= 0 and low <= high / 2:
        axes.set(**{f"{dimension}lim": (0, None)})
    elif high <= 0 and high >= low / 2:
        axes.set(**{f"{dimension}lim": (None, 0)})
    else:
        axis.set_label_text(f"{axis.get_label_text()}\n({NOT_FROM_ZERO})")


def label_log_ticks(axes: Any, dimension: str = "x") -> None:
    """Labels a logarithmic axis with plain numbers; with few of them if the axis spans many powers of ten.

    Args:
        axes: with everything drawn.
        dimension: `"x"` or `"y"`.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    axis = axes.xaxis if dimension == "x" else axes.yaxis
    low, high = axis.get_data_interval()
    if high < 1.01 * low:  # equal values, for which matplotlib draws an axis without a range
        axes.set(**{f"{dimension}lim": (low / 3, high * 3)})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:,g}")


def look(n: int) -> tuple[str, str, str]:
    """Colour, marker and dash of the `n`-th line: 49 lines differ in at least one of them."""
    colour, shape = n % len(COLOURS), (n + n // len(COLOURS)) % len(MARKERS)
    return COLOURS[colour], MARKERS[shape], DASHES[shape]


def line(axes: Any, x: Any, y: Any, n: int, label: str | None, markers: bool = False) -> None:
    """Draws the `n`-th line of the axes, with markers if `markers` is True or the line has few points."""
    colour, marker, dash = look(n)
    shown = marker if markers or len(x) < 30 else None
    axes.plot(x, y, dash, color=colour, marker=shown, ms=5, label=label)


def group_means(axes: Any, groups: Sequence[FloatArray], n: int, n_lines: int, label: str) -> None:
    """Draws mean and standard error of each group as the `n`-th of `n_lines` lines."""
    means = [group.mean() if len(group) else np.nan for group in groups]
    errors = [group.std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else 0 for group in groups]
    shift = min(0.08, 0.6 / n_lines)  # apart, so that no error bar hides another
    x = np.arange(len(groups)) + shift * (n - (n_lines - 1) / 2)
    colour, marker, dash = look(n)
    axes.errorbar(x, means, errors, fmt=marker + dash, color=colour, capsize=3, ms=5, label=label)


def size_with_legend(width: float, height: float, n_lines: int) -> tuple[float, float]:
    """The size of a figure, in inches, with room for a legend beside the axes if it has many lines."""
    return (width, height) if n_lines <= len(COLOURS) else (width + 1.8, max(height, 1 + 0.17 * n_lines))


def add_legend(figure: Any, axes: Any, n_lines: int) -> None:
    """Adds a legend in the axes, or beside them if it would hide the lines."""
    if n_lines <= len(COLOURS):
        axes.legend(frameon=False)
    else:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)


def name_points(figure: Any, axes: Any, points: FloatArray, names: Sequence[str], n_names: int) -> None:
    """Writes names beside the first points, without those that would overlap another name or leave the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # the size of a text is known only once it is drawn
    renderer = canvas.get_renderer()
    boxes: list[Any] = []
    for point, name in zip(points, names, strict=True):
        text = axes.annotate(name, point, (4, 3), textcoords="offset points", fontsize=7, annotation_clip=True)
        text.set_bbox({"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5})
        box = text.get_window_extent(renderer)
        inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 and axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
        if not inside or any(box.expanded(1.02, 1.1).overlaps(other) for other in boxes):
            text.remove()
            continue
        boxes.append(box)
        if len(boxes) == n_names:
            return


def label_points(figure: Any, axes: Any, points: FloatArray, names: Sequence[str]) -> None:
    """Writes a name beside each point, farther away and with a line where names would overlap.

    Args:
        figure: with everything else drawn.
        axes: with their final limits.
        points: `(n, 2)`, in the units of the axes.
        names: one for each point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # a further layout would move the points
    renderer = canvas.get_renderer()
    scale = figure.dpi / 72
    pixels = axes.transData.transform(points)
    taken = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in pixels]
    for point, pixel, name in zip(points, pixels, names, strict=True):
        text = axes.annotate(name, point, (0, 0), textcoords="offset points", fontsize=8, parse_math=False)
        text.set_in_layout(False)
        extent = text.get_window_extent(renderer)
        text.remove()
        for offset in LABEL_OFFSETS:
            x = pixel[0] + scale * offset[0] - (0 if offset[0] > 0 else extent.width)
            box = Bbox.from_bounds(x, pixel[1] + scale * offset[1] - extent.height / 2, extent.width, extent.height)
            if axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1) and not any(map(box.overlaps, taken)):
                break
        else:
            offset = LABEL_OFFSETS[0]  # there is no free place
        taken.append(box)
        is_far = np.hypot(*offset) > 20
        axes.annotate(
            name,
            point,
            offset,
            textcoords="offset points",
            ha="left" if offset[0] > 0 else "right",
            va="center",
            fontsize=8,
            parse_math=False,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkA": 1} if is_far else None,
        ).set_in_layout(False)


def metric_label(name: str) -> str:
    """The name of a metric on an axis: `val_ndcg_100` is NDCG@100, `val_rmse` is RMSE (rating points)."""
    name = name.removeprefix("val_")
    labels = {"loss": "loss, mean over rows", "beta": "β", "rmse": "RMSE (rating points)", "mae": "MAE (rating points)"}
    if name in labels:
        return labels[name]
    metric, _, k = name.rpartition("_")
    families = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "recall": "Recall", "hit_rate": "Hit rate"}
    return f"{families.get(metric, metric.replace('_', ' ').capitalize())}@{k}" if k.isdigit() else name


def shortened(title: str, length: int = 26) -> str:
    """A title of at most `length` characters."""
    return title if len(title) <= length else title[: length - 1].rstrip() + "…"
