"""Measures the paired gains of Blend and of DAN over the splits of MovieLens 1M, and writes blend.md.

python zoo/blend.py            # six splits; takes about a quarter of an hour on two cores
python zoo/blend.py --smoke    # checks in seconds, on generated data, that the script runs
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import blend_ml_1m
import edlae_ml_1m
from tqdm import tqdm

import kerasrec
from kerasrec import Comparison, HeldOutUsers, Split, compare, evaluate

METRIC = "ndcg_100"
SEEDS = (1, 2, 3, 4, 5, 98765)
PAGE = """# Blend on several splits

Test NDCG@100 on MovieLens 1M, held-out users, 500 users for validation and for test, measured by `python zoo/blend.py`.
The seed draws the users. Blend combines DAN, ELSA and Mult-VAE; its shares are chosen on the validation users of the
split. The settings of all models are those of their recipes, which were chosen on the validation users of seed 98765.
A gain is the mean difference over the test users with its standard error. The best member is the one with the best test
result.

{table}
"""


def main() -> None:
    """Reads the command line, measures every split and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="generated data; prints the page")
    smoke = parser.parse_args().smoke
    table = kerasrec.generate(n_users=300, n_items=80, seed=1) if smoke else kerasrec.read("ml-1m")
    names = ["EDLAE", *(member.RECIPE.model for member in blend_ml_1m.MEMBERS), "Blend"]
    lines = [["split seed", *names, "gain of DAN over EDLAE", "gain of Blend over its best member"]]
    for seed in tqdm(SEEDS):
        split = HeldOutUsers(held_out=30 if smoke else 500, seed=seed).split(table)
        lines.append([str(seed), *measure(split, names, smoke)])
    lines.insert(1, ["---"] * len(lines[0]))
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    page = PAGE.format(table=rows)
    if smoke:
        print(page)
    else:
        Path(__file__).with_suffix(".md").write_text(page)


def measure(split: Split, names: list[str], smoke: bool) -> list[str]:
    """The cells of one split."""
    edlae = edlae_ml_1m.train(split, 1, smoke)
    blend = blend_ml_1m.train(split, 1, smoke)
    models = dict(zip(names, [edlae, *blend.members, blend], strict=True))
    tests: dict[str, Any] = {name: evaluate(model, split.test, [METRIC]) for name, model in models.items()}
    best = max(names[1:-1], key=lambda name: float(tests[name].means[METRIC]))
    gains = [compare(tests["DAN"], tests["EDLAE"]), compare(tests["Blend"], tests[best])]
    return [*(f"{test.means[METRIC]:.4f}" for test in tests.values()), *(cell(gain[METRIC]) for gain in gains)]


def cell(gain: Comparison) -> str:
    """A paired difference and its standard error."""
    return f"{gain.difference:+.4f} ± {gain.standard_error:.4f}"


if __name__ == "__main__":
    main()
