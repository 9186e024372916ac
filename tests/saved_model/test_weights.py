"""Weights of half the size."""

import json

import numpy as np
import pytest
from kerasrec_testing.exports import N_ITEMS, call, fitted, interactions, model_scores, requests

from kerasrec import EASE, ELSA, generate
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
    assert 1e-5 < np.abs(answer - model_scores(model, table)).max() < 0.05
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


def test_an_export_of_compressed_elsa_stores_the_kept_entries(tmp_path):
    table = generate(n_users=200, n_items=300, seed=1)
    sizes = {}
    for n_kept in (None, 8):
        model = ELSA.for_interactions(table, latent_dim=256, n_kept=n_kept, seed=1)
        version = export_saved_model(model, tmp_path, table)
        sizes[n_kept] = sum(p.stat().st_size for p in (version / "variables").glob("*data*"))
        answer = call(version, "score", **requests(model, table))["scores"]
        np.testing.assert_allclose(answer, model_scores(model, table), atol=1e-5)
    # 256 floats become 8 floats and 8 bytes.
    assert sizes[None] - sizes[8] == pytest.approx(300 * (4 * 256 - 5 * 8), rel=0.01)
    # A vector of zeros stays one, and a model that keeps entries of equal magnitude keeps all of them.
    model = ELSA(table.n_items, latent_dim=4, n_kept=2, seed=1)
    model.set_weights([np.ones((table.n_items, 4), np.float32) * (np.arange(table.n_items) > 0)[:, np.newaxis]])
    version = export_saved_model(model, tmp_path, table)
    answer = call(version, "score", **requests(model, table))["scores"]
    np.testing.assert_allclose(answer, model_scores(model, table), atol=1e-5)
