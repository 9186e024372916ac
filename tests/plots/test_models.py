"""The reconstruction shows one user's row, and the names on the map of items can be read."""

import numpy as np
import pytest

from kerasrec import AutoRec, MultDAE, generate, plots


def test_a_reconstruction_shows_the_ratings_of_the_user():
    table = generate(n_users=60, n_items=30, seed=3)
    model = AutoRec.for_interactions(table, rows="users", hidden_dims=(8,), seed=1)
    axes = plots.reconstruction(model, table, user=7).axes[0]
    row = table.user_ids.tolist().index(7)
    assert axes.get_title(loc="left").startswith(f"{table.counts[row]} training ratings of user 7: RMSE")
    predicted = model.predict(table, verbose=0)[row, table.row(row)]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), predicted, rtol=1e-5)
    with pytest.raises(ValueError, match="expected the id of a user of the training table, got -5"):
        plots.reconstruction(model, table, user=-5)


def test_a_reconstruction_of_likes_shows_all_scores_by_rank(models, split):
    axes = plots.reconstruction(models["popularity"], split.train).axes[0]
    scores, seen = axes.lines
    assert scores.get_ydata().tolist() == sorted(split.train.item_counts.tolist(), reverse=True)
    np.testing.assert_array_equal(scores.get_ydata()[seen.get_xdata().astype(int) - 1], seen.get_ydata())


def test_names_on_the_map_do_not_overlap(models, split):
    figure = plots.latent_map(models["EASE"], split.train)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_models_without_two_dimensional_vectors_have_no_map(models, split):
    with pytest.raises(plots.NotApplicableError, match="Popularity has no item vectors"):
        plots.latent_map(models["popularity"], split.train)
    with pytest.raises(plots.NotApplicableError, match="got 60 of dimension 1"):
        plots.latent_map(MultDAE(split.train.n_items, latent_dim=1, seed=1), split.train)
