"""Writes zoo/README.md from zoo/results/*.json: `python zoo/table.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
HEAD = """# Measured

Each row is one script of this folder; run it to measure it again. Figures are on test rows, with the epoch and the
settings chosen on validation. `±` is the standard error over the runs, or over test rows where there is a single run.
The paper's figure stands beside it where the paper reports the same data under the same protocol. Seconds are the mean
of a run's training on one or two cores of a shared machine: read them as an order of magnitude. `python zoo/search.py`
searches a recipe's settings. Two pages have tables of their own: [refeeding.md](refeeding.md), DeepRec with and without
dense re-feeding, and [article.md](article.md), a popular article's figures measured its way and right.

| model | data | protocol | runs | figure | paper | gap | seconds | parameters | recipe |
|---|---|---|---|---|---|---|---|---|---|
"""


def spelled(metric: str) -> str:
    """`ndcg_100` as NDCG@100."""
    name, _, k = metric.rpartition("_")
    names = {"ndcg": "NDCG", "recall": "Recall", "plain_recall": "plain Recall", "map": "MAP", "hit_rate": "HR"}
    return f"{names.get(name, name)}@{k}" if k.isdigit() else metric.upper()


def row(result: dict[str, Any]) -> str:
    """One line of the table: the recipe's first metric with its gap, the others behind it."""
    cells = []
    for metric, figure in result["test"].items():
        error = figure["se_over_runs"] if figure["se_over_runs"] is not None else figure["se_over_test"]
        cells.append(f"{spelled(metric)} {figure['mean']:.4f}" + (f" ± {error:.4f}" if error is not None else ""))
    first = next(iter(result["test"].values()))
    published = first["published"]
    paper = "" if published is None else f"{published:.4f}"
    gap = "" if published is None else f"{first['mean'] - published:+.4f}"
    recipe = result["recipe"]
    return (
        f"| {result['model']} | {result['data']} | {result['protocol']['name']} | {len(result['runs'])} "
        f"| {'<br>'.join(cells)} | {paper} | {gap} | {result['seconds']:.0f} | {result['parameters']:,} "
        f"| [{recipe}]({recipe}.py) |\n"
    )


def table() -> str:
    """The whole page."""
    results = [json.loads(path.read_text()) for path in sorted((FOLDER / "results").glob("*.json"))]
    results.sort(key=lambda r: (r["data"], r["protocol"]["name"], next(iter(r["test"])), r["recipe"]))
    return HEAD + "".join(map(row, results))


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(table())
