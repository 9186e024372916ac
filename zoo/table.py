"""Writes zoo/README.md from zoo/results/*.json: `python zoo/table.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
HEAD = """# Results of the zoo

Each row is the result of one script of this folder. Run the script to measure it again.

- **result**: metrics on test data. Epoch and settings were chosen on validation data. `±` is the standard error over
  the runs, or over test rows if there is one run. Recall is capped recall, hits / min(k, held out), unless it is called
  plain. MAP@k divides by min(k, held out).
- **paper**, **gap**: the first metric in the paper, and the difference to it. Both are empty if the paper does not
  report the same data under the same protocol.
- **seconds**: mean training time of a run on one or two cores of a shared machine. Read it as an order of magnitude.

`python zoo/search.py` searches the settings of a recipe. Five pages have tables of their own:

- [defaults.md](defaults.md): default settings against tuned ones.
- [blend.md](blend.md): the gain of a blend on several splits.
- [refeeding.md](refeeding.md): DeepRec with and without dense re-feeding.
- [diversity.md](diversity.md): accuracy, coverage and diversity of lists.
- [article.md](article.md): the results of a popular article, measured in its way and correctly.

| model | data | protocol | runs | result | paper | gap | seconds | parameters | recipe |
|---|---|---|---|---|---|---|---|---|---|
"""


def spelled(metric: str) -> str:
    """Spells `ndcg_100` as NDCG@100."""
    name, _, k = metric.rpartition("_")
    names = {"ndcg": "NDCG", "recall": "Recall", "plain_recall": "plain Recall", "map": "MAP", "hit_rate": "HR"}
    return f"{names.get(name, name)}@{k}" if k.isdigit() else metric.upper()


def row(result: dict[str, Any]) -> str:
    """One line of the table. The gap is that of the recipe's first metric."""
    cells = []
    for metric, value in result["test"].items():
        error = value["se_over_runs"] if value["se_over_runs"] is not None else value["se_over_test"]
        cells.append(f"{spelled(metric)} {value['mean']:.4f}" + (f" ± {error:.4f}" if error is not None else ""))
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
    """The complete page."""
    results = [json.loads(path.read_text()) for path in sorted((FOLDER / "results").glob("*.json"))]
    results.sort(key=lambda r: (r["data"], r["protocol"]["name"], next(iter(r["test"])), r["recipe"]))
    return HEAD + "".join(map(row, results))


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(table())
