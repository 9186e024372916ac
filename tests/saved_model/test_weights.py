"""Weights of half the size."""

import json

import numpy as np
import pytest
from kerasrec_testing.exports import N_ITEMS, call, fitted, interactions, model_scores, requests

from kerasrec import EASE, generate
from kerasrec.saved_model import export_saved_model


@pytest.mark.parametrize("case", ["mult_vae", "auto_rec items", "cdae", "svae"])
def test_bfloat16_halves_the_matrices_and_keeps_the_scores_close(tmp_path, case):
    table = interactions()
    model = fitted(case, table)
    sizes, overlaps = [], []
    for weights in ("float32", "bfloat16"):
        version = export_saved_model(model, tmp_path, table, weights=weights)
        sizes.append(sum(p.stat().st_size for p in (version / "variables").glob("*data*")))
        about = json.loads((version / "assets.extra" / "kerasrec.json").read_text())
        assert about["weights"] == weights
        overlaps.append(about.get(f"top_{N_ITEMS}_overlap"))
        answer = call(version, "score", **requests(model, table))["scores"]
        error = np.abs(answer - model_scores(model, table)).max()
        assert (error < 1e-5) == (weights == "float32")
        assert error < 0.05
    assert sizes[1] < 0.8 * sizes[0]
    assert overlaps == [None, 1.0]  # the list is the whole catalogue
    with pytest.raises(ValueError, match="`weights`: expected one of float32, bfloat16, got 'int8'"):
        export_saved_model(model, tmp_path, table, weights="int8")
    if case == "svae":
        with pytest.raises(ValueError, match="`items`: expected the training table, which the effect of bfloat16"):
            export_saved_model(model, tmp_path, table.item_ids, weights="bfloat16")


def test_the_overlap_is_the_share_of_unchanged_items_among_the_best_100(tmp_path):
    table = generate(n_users=300, n_items=400, seed=1)
    model = EASE.for_interactions(table, reg=20.0)
    model.fit(table, verbose=0)
    version = export_saved_model(model, tmp_path, table, weights="bfloat16")
    overlap = json.loads((version / "assets.extra" / "kerasrec.json").read_text())["top_100_overlap"]
    histories = np.full((table.n_users, int(table.counts.max())), -1)
    for user in range(table.n_users):
        histories[user, : table.counts[user]] = table.item_ids[table.row(user)]
    exported = call(version, "serving_default", history=histories)["item_ids"]
    exact = model.recommend(table, k=100).item_ids
    expected = np.mean([np.isin(a, b).mean() for a, b in zip(exact, exported, strict=True)])
    assert overlap == pytest.approx(expected, abs=1e-6)
    assert 0.9 < overlap < 1
