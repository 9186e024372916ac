"""Each model's maths against numpy, written from its paper's formulas."""

import warnings

import keras
import numpy as np
import pytest
from kerasrec_testing.models import blocks, fitted, make, scores, table_for

from kerasrec import EASE, AutoRec, HeldOut, Interactions, MultVAE, OwnItems, Popularity, evaluate
from kerasrec.ops.sparse_rows import l2_normalize_rows, observed_rows


def dense(layer):
    return [np.asarray(keras.ops.convert_to_numpy(w), np.float64) for w in (layer.kernel, layer.bias)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_ease_is_the_closed_form():
    table = blocks()
    model = EASE(table.n_items, reg=7.0)
    model.fit(table, verbose=0)
    x = table.matrix.toarray().astype(np.float64)
    p = np.linalg.inv(x.T @ x + 7.0 * np.eye(table.n_items))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.kernel), b, atol=1e-5)
    np.testing.assert_allclose(scores(model, table), x @ b, atol=1e-5)
    assert not np.allclose(b, b.T)
    assert (b < 0).any()


def test_ease_solves_its_constrained_least_squares_better_than_any_neighbour():
    table = blocks()
    model = EASE(table.n_items, reg=7.0)
    model.fit(table, verbose=0)
    x, b = table.matrix.toarray().astype(np.float64), np.asarray(keras.ops.convert_to_numpy(model.kernel), np.float64)

    def objective(b):
        return ((x - x @ b) ** 2).sum() + 7.0 * (b**2).sum()

    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(scale=1e-2, size=b.shape)
        np.fill_diagonal(step, 0.0)
        assert objective(b + step) > objective(b)


def test_ease_ignores_values_and_learns_the_same_from_batches():
    table = blocks()
    rated = Interactions.from_arrays(
        table.user_ids[table.users], table.item_ids[table.items], np.arange(len(table)) % 5 + 1.0, table.times
    )
    one, two, three = (EASE(table.n_items, reg=7.0) for _ in range(3))
    one.fit(table, verbose=0)
    two.fit(rated, verbose=0)
    three.fit(three.batches(table, 17), verbose=0)
    four = EASE(table.n_items, reg=7.0)
    four.fit(four.batches(table, table.n_users)[0][0], verbose=0)
    np.testing.assert_array_equal(four.get_weights()[0], three.get_weights()[0])
    for other in (two, three):
        np.testing.assert_allclose(other.get_weights()[0], one.get_weights()[0], atol=1e-6)


def test_ease_says_when_it_cannot_be_solved():
    table = Interactions.from_arrays([1, 1, 2, 2], [1, 2, 1, 2])  # two equal columns: XᵀX has no inverse
    with pytest.raises(ValueError, match="`reg` = 1e-09 is too small"):
        EASE(2, reg=1e-9).fit(table, verbose=0)


def test_ease_refuses_what_the_machine_has_no_memory_for():
    model = EASE(10**6)
    with pytest.raises(MemoryError, match=r"EASE of 1,000,000 items needs 8,000 GB, this machine has \d+ GB"):
        model.fit(Interactions.from_arrays([1], [1]).with_catalogue(np.arange(10**6)), verbose=0)
    assert not model.built


def test_popularity_counts_users():
    table = blocks()
    model = Popularity(table.n_items)
    model.fit(table, verbose=0)
    np.testing.assert_array_equal(scores(model, table)[3], table.matrix.toarray().sum(0))


@pytest.mark.parametrize("rows", ["users", "items"])
def test_auto_rec_predicts_and_loses_as_its_formula(rows):
    table = table_for(f"auto_rec {rows}")
    model = AutoRec.for_interactions(table, rows=rows, hidden_dims=(9,), reg=0.3, seed=1)
    model.compile("adam")
    x = (table.T if rows == "items" else table).matrix.toarray().astype(np.float64)
    observed = x != 0  # this table has no rating of 0
    model.build()
    (v, mu), (w, b) = (dense(layer) for layer in model.dense)
    h = sigmoid(x @ v + mu) @ w + b
    np.testing.assert_allclose(scores(model, table), h, atol=1e-4)
    loss = (observed * (x - h) ** 2).sum() / len(x) + 0.3 / 2 * ((v**2).sum() + (w**2).sum())
    batch = model.batches(table, len(x))[0][0]
    assert float(model.compute_loss(batch, None, model(batch))) == pytest.approx(loss, rel=1e-5)


def test_auto_rec_gradient_is_that_of_observed_entries_only():
    import tensorflow as tf

    model = AutoRec(4, hidden_dims=(3,), reg=0.0, seed=1)
    model.build()
    x = {"ids": np.array([[0, 2]], np.int32), "values": np.array([[0.0, 4.0]], np.float32)}  # a rating of 0
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, None, model(x))
    gradient = tape.gradient(loss, model.dense[-1].bias.value).numpy()
    assert (gradient != 0).tolist() == [True, False, True, False]


def test_auto_rec_over_items_asked_by_user_is_a_column_of_its_reconstruction():
    model, table = fitted("auto_rec items"), table_for("auto_rec items")
    reconstruction = scores(model, table)  # (n_items, n_users)
    asked = model.as_user_model(table)
    rows = np.array([5, 0, 88], np.int32)
    answer = np.asarray(asked({"row": rows}))
    np.testing.assert_allclose(answer, reconstruction.T[rows], atol=1e-4)
    stranger = np.asarray(asked({"row": np.array([-1], np.int32)}))[0]
    np.testing.assert_allclose(stranger, reconstruction.mean(1), atol=1e-4)


def test_what_a_model_is_not_to_be_given_is_refused():
    table = blocks()
    split = OwnItems().split(table)
    model = EASE(table.n_items, reg=5.0)
    model.compile()
    model.fit(table, verbose=0)
    for k, message in ((3.0, "`k`: expected an integer, got 3.0"), (0, "`k`: expected at least 1, got 0")):
        with pytest.raises(ValueError, match=f"^{message}"):
            model.recommend(table, k=k)
    assert model.recommend(table, k=3).item_ids.shape == (table.n_users, 3)
    with pytest.raises(TypeError, match="`histories` must be Interactions, as .*, not HeldOut"):
        model.recommend(split.test)
    with pytest.raises(TypeError, match="`x` must be a held-out part, .*, not Interactions"):
        model.evaluate(table)
    learner = MultVAE(table.n_items, hidden_dims=(4,), latent_dim=2)
    learner.compile()
    for fits in (learner, model):
        with pytest.raises(TypeError, match=r"give it `split.train`"):
            fits.fit(split)
    with pytest.raises(ValueError, match="rows of 7 columns were given, 30 are due"):
        model.fit(np.ones((4, 7), np.float32))
    with pytest.raises(TypeError, match="`validation_data` must be a held-out part, .*, not Interactions"):
        learner.fit(table, validation_data=table)
    with pytest.raises(ValueError, match="`batch_size`: expected at least 1, got 0"):
        learner.fit(table, batch_size=0)
    with pytest.raises(ValueError, match=r"`hidden_dims` must be a width a layer, as in \(16,\), not 16"):
        MultVAE(table.n_items, hidden_dims=16)


def test_what_is_solved_must_be_fitted_first():
    table = blocks()
    for model in (EASE(table.n_items), Popularity(table.n_items)):
        for ask, given in ((model.recommend, [table]), (evaluate, [model, HeldOut(table, table)])):
            with pytest.raises(ValueError, match=r"^this \w+ has learned nothing yet: call `fit` first, or load it$"):
                ask(*given)
    with pytest.raises(ValueError, match="`reg` must be above 0, not 0"):
        EASE(5, reg=0)


def test_ratings_that_are_all_equal_are_refused():
    with pytest.raises(ValueError, match="every rating is 1, so there is nothing for AutoRec to predict"):
        AutoRec.for_interactions(blocks())


def test_rmse_by_name_clips_as_the_default_does():
    table = blocks("ratings")
    model = AutoRec.for_interactions(table, hidden_dims=(4,))
    for metrics in (None, "rmse", ["rmse", "mae"]):
        model.compile(metrics=metrics)
        assert all(m.value_range == (1.0, 5.0) for m in model.untracked.metrics)
    with pytest.raises(ValueError, match="`weighted_metrics` have no meaning"):
        model.compile(weighted_metrics=["mae"])


def numpy_mult_vae(model, x):
    """μ, log σ² and the logits at z = μ."""
    norm = np.sqrt((x**2).sum(1, keepdims=True))
    hidden = x / np.maximum(norm, 1e-12)
    for layer in model.encoder:
        w, b = dense(layer)
        hidden = np.tanh(hidden @ w + b)
    (wm, bm), (wv, bv) = dense(model.mean), dense(model.log_var)
    mean, log_var = hidden @ wm + bm, hidden @ wv + bv
    return mean, log_var, numpy_decode(model, mean)


def numpy_decode(model, code):
    for layer in model.decoder:
        w, b = dense(layer)
        code = np.tanh(code @ w + b)
    w, b = dense(model.logits)
    return code @ w + b


def test_mult_vae_scores_and_loss_are_the_formula():
    table = blocks()
    model = MultVAE(table.n_items, hidden_dims=(13, 7), latent_dim=5, beta=0.2, anneal_steps=100, reg=0.3, seed=1)
    model.build()
    x = table.matrix.toarray().astype(np.float64)
    mean, log_var, logits = numpy_mult_vae(model, x)
    np.testing.assert_allclose(scores(model, table), logits, atol=1e-5)
    model.step.assign(10)  # β = 10 / 100
    batch = model.batches(table, len(x))[0][0]
    loss = float(model.compute_loss(batch, None, model(batch)))
    log_softmax = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    kl = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var).sum(1)
    kernels = [*model.encoder, model.mean, model.log_var, *model.decoder, model.logits]
    decay = 0.3 * sum((dense(layer)[0] ** 2).sum() for layer in kernels)
    assert loss == pytest.approx((-(x * log_softmax).sum(1) + 0.1 * kl).mean() + decay, rel=1e-5)


def test_mult_vae_anneals_to_its_cap_and_counts_training_steps_only():
    table = blocks()
    model = make("mult_vae", table, beta=0.2, anneal_steps=10)
    model.fit(table, batch_size=45, epochs=1, validation_data=None, verbose=0)
    assert int(model.step.value) == 2
    assert float(model.current_beta()) == pytest.approx(0.2)
    model.predict(table.matrix.toarray(), verbose=0)
    assert int(model.step.value) == 2
    model.step.assign(1)
    assert float(model.current_beta()) == pytest.approx(0.1)


def test_mult_vae_annealing_is_scaled_to_the_run():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=350, batch_size=45)  # 2 updates an epoch
    assert model.anneal_steps * model.beta == pytest.approx(600, abs=1)
    assert MultVAE.for_interactions(table, epochs=350, anneal_steps=5).anneal_steps == 5
    assert MultVAE.for_interactions(table).anneal_steps == 200_000
    assert MultVAE(table.n_items).anneal_steps == 200_000


def test_a_run_of_another_length_than_planned_is_told():
    table = blocks()
    model = MultVAE.for_interactions(table, epochs=2, batch_size=45, hidden_dims=(4,), latent_dim=2)
    model.compile()
    with pytest.warns(UserWarning, match="sized for a run of 4 updates and this one has 2, so"):
        model.fit(table, epochs=1, batch_size=45, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table, epochs=2, batch_size=45, verbose=0)


def test_mult_vae_noise_has_unit_variance_and_the_latent_width_is_that_of_z():
    table = blocks()
    model = MultVAE(table.n_items, hidden_dims=(8,), latent_dim=50, seed=1)
    model.build()
    mean = np.zeros((400, 50), np.float32)
    z = keras.ops.convert_to_numpy(model.sampling(mean, mean, training=True))
    assert z.shape == (400, 50)
    assert z.std() == pytest.approx(1.0, abs=0.02)
    assert model.mean.units == model.log_var.units == 50


def test_mult_vae_normalises_before_dropout_and_survives_an_empty_row():
    model = MultVAE(6, hidden_dims=(4,), latent_dim=2, dropout=0.5, seed=1)
    model.build()
    x = np.array([[1.0] * 4 + [0.0] * 2, [0.0] * 6], np.float32)
    normalised = keras.ops.convert_to_numpy(l2_normalize_rows(observed_rows(x)).values)
    np.testing.assert_allclose(normalised[0, :4], 0.5, atol=1e-6)
    assert (normalised[1] == 0).all()
    dropped = keras.ops.convert_to_numpy(model.drop(normalised, training=True))
    assert set(np.round(dropped[0], 5)) <= {0.0, 1.0}  # 0.5 kept and scaled by 1 / (1 - 0.5), never renormalised


def test_sampled_answers_spread_around_the_mean_as_q_says():
    table = table_for("mult_vae")
    model = fitted("mult_vae", epochs=20)
    mean = scores(model, table)
    drawn = np.stack([scores(model.sampled(seed), table) for seed in range(40)])
    np.testing.assert_array_equal(drawn[3], scores(model.sampled(3), table))
    assert (drawn.std(0) > 0).all()
    _, log_var = model.encode(model.batches(table, len(table.indptr))[0][0])
    model.log_var.bias.assign(model.log_var.bias - 30.0)  # σ of next to nothing: every draw is the mean
    np.testing.assert_allclose(scores(model.sampled(5), table), mean, atol=1e-3)
    assert np.isfinite(log_var).all()
    np.testing.assert_array_equal(scores(model, table), mean)  # the model itself goes on answering with the mean
