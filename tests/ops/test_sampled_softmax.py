"""The sampled softmax: loss against numpy, unbiased estimate, cost independent of the catalogue."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasrec import Interactions, MultDAE, MultVAE
from kerasrec.inference.item_vectors import item_vectors
from kerasrec.layers import RowDense, SampledLogits
from kerasrec.losses import MultinomialNLL
from kerasrec.ops.sampled_softmax import SampledItems, sample_items
from kerasrec.ops.sparse_rows import from_padded_ids

N_ITEMS, DIM = 40, 6
IDS = np.array([[3, 0, 5, -1], [-1, 2, -1, -1], [-1, -1, -1, -1], [1, 2, 3, 39]], np.int32)
LIKES = (IDS[..., None] == np.arange(N_ITEMS)).any(1).astype(np.float64)
RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(4, DIM)).astype(np.float32)


def sampled_logits(n_sampled, n_items=N_ITEMS):
    layer = SampledLogits(n_items, n_sampled, keras.initializers.RandomNormal(stddev=2.0, seed=1), "uniform", seed=2)
    layer.build((None, DIM))
    return layer


def logits_of(layer):
    return HIDDEN.astype(np.float64) @ np.asarray(layer.kernel, np.float64).T + np.asarray(layer.bias, np.float64)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_the_loss_equals_the_formula(jit_compile):
    layer = sampled_logits(8)
    items = np.array([0, 2, 2, 3, 11, 17, 30, 39], np.int32)  # some are liked in some rows, and one occurs twice
    expected = RNG.uniform(0.1, 2.0, 8).astype(np.float32)
    f = logits_of(layer)
    loss = np.zeros(4)
    for u in range(4):
        liked = np.flatnonzero(LIKES[u])
        others = sum(np.exp(f[u, s]) / e for s, e in zip(items, expected, strict=True) if not LIKES[u, s])
        loss[u] = -sum(f[u, i] - np.log(np.exp(f[u, liked]).sum() + others) for i in liked)

    @tf.function(jit_compile=jit_compile)
    def sampled_loss(hidden, ids, items, expected):
        return layer.nll(hidden, ids, SampledItems(items, expected))

    np.testing.assert_allclose(sampled_loss(HIDDEN, IDS, items, expected), loss, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer(HIDDEN), f, atol=1e-4)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_sample_of_every_item_gives_the_full_softmax_and_its_gradient(jit_compile):
    layer, weights = sampled_logits(N_ITEMS), np.array([1.0, 2.0, 3.0, 0.5], np.float32)

    @tf.function(jit_compile=jit_compile)
    def loss_and_gradients(sampled):
        with tf.GradientTape() as tape:
            hidden = tf.constant(HIDDEN)
            tape.watch(hidden)
            if sampled:
                loss = layer.nll(hidden, IDS, layer.draw(IDS))
            else:
                loss = MultinomialNLL(reduction="none")(tf.constant(LIKES, tf.float32), layer(hidden))
            total = tf.reduce_sum(weights * loss)
        gradients = tape.gradient(total, [hidden, *(w.value for w in layer.weights)])
        return loss, [tf.convert_to_tensor(g) for g in gradients]

    (loss, gradients), (full, full_gradients) = loss_and_gradients(True), loss_and_gradients(False)
    np.testing.assert_allclose(loss, full, rtol=1e-5)
    for sampled_gradient, full_gradient in zip(gradients, full_gradients, strict=True):
        np.testing.assert_allclose(sampled_gradient, full_gradient, atol=1e-4)
        assert abs(full_gradient.numpy()).max() > 0.1


@pytest.mark.parametrize("n", [2, 7, 20])
def test_the_partition_is_estimated_without_bias(n):
    seed = keras.random.SeedGenerator(1)
    mass = np.exp(RNG.normal(size=(3, N_ITEMS)))  # any numbers, one per item

    @tf.function(reduce_retracing=True)
    def sample():
        return sample_items(from_padded_ids(IDS), N_ITEMS, n, seed)

    samples = [[part.numpy() for part in sample()] for _ in range(1500)]
    estimates = np.stack([(mass[:, items] / expected).sum(1) for items, expected in samples])
    error = estimates.std(0) / np.sqrt(len(estimates))
    assert (abs(estimates.mean(0) - mass.sum(1)) < 4 * error).all()
    assert (error < 0.05 * mass.sum(1)).all()
    # Each item occurs as often as the formula says: half by its share of the batch, half uniform.
    share = LIKES.sum(0) / LIKES.sum()
    expected = n // 2 * share + (n - n // 2) / N_ITEMS
    observed = np.bincount(np.concatenate([items for items, _ in samples]), minlength=N_ITEMS) / len(samples)
    np.testing.assert_allclose(observed, expected, atol=4 * np.sqrt(expected.max() / len(samples)))
    for items, stored in samples[:20]:
        np.testing.assert_allclose(stored, expected[items], rtol=1e-5)
        assert (np.diff(items) >= 0).all()


def test_a_sample_of_a_large_catalogue_covers_all_of_it():
    n_items = 30_000_000  # float32 does not represent every integer of this size
    sample = sample_items(from_padded_ids(IDS), n_items, 1000, keras.random.SeedGenerator(1))
    items, expected = (np.asarray(part) for part in sample)
    uniform = items[~np.isin(items, IDS)]
    np.testing.assert_allclose(uniform, (np.arange(len(uniform)) + 0.5) * n_items / 500, atol=n_items / 500)
    assert len(set((uniform % 16).tolist())) == 16
    assert (expected > 0).all()


def test_strata_are_equal_however_many():
    """From 93,000 strata on, the index of a stratum times the remainder of the catalogue overflows int32."""
    m, n_items = 100_000, 1_049_999
    items, _ = sample_items(from_padded_ids(np.full((1, 1), 3)), n_items, 2 * m, keras.random.SeedGenerator(1))
    items = np.asarray(items)
    uniform = np.delete(items, np.flatnonzero(items == 3)[:m])  # the batch's half is its only entry, item 3
    np.testing.assert_allclose(uniform, (np.arange(m) + 0.5) * n_items / m, atol=n_items / m)


def test_a_batch_without_entries_has_a_loss_of_0():
    layer, ids = sampled_logits(10), np.full((4, 3), -1, np.int32)
    np.testing.assert_array_equal(layer.nll(HIDDEN, ids, layer.draw(ids)), np.zeros(4))


def test_large_logits_do_not_overflow():
    layer = sampled_logits(10)
    assert np.isfinite(layer.nll(1e4 * HIDDEN, IDS, layer.draw(IDS))).all()


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_sparse_row_layer_equals_the_dense_one(jit_compile):
    x = {"ids": tf.constant(IDS)}
    results = []
    for sparse in (True, False):
        layer = RowDense(5, "tanh", sparse=sparse, kernel_initializer=keras.initializers.GlorotUniform(1))
        layer.build((None, N_ITEMS))

        @tf.function(jit_compile=jit_compile)
        def output_and_gradient(layer=layer):
            with tf.GradientTape() as tape:
                output = layer(x)
                total = tf.reduce_sum(output * tf.constant(np.arange(20.0).reshape(4, 5), tf.float32))
            return output, tf.convert_to_tensor(tape.gradient(total, layer.kernel.value))

        results.append(output_and_gradient())
        np.testing.assert_allclose(layer(tf.constant(LIKES, tf.float32)), results[-1][0], atol=1e-6)
    for of_sparse, of_dense in zip(*results, strict=True):
        np.testing.assert_allclose(of_sparse, of_dense, atol=1e-5)


MODELS = [(MultDAE, {"hidden_dims": (7,)}), (MultVAE, {"hidden_dims": (7,)})]


def likes(n_items):
    items = RNG.integers(0, 900, size=(60, 8))
    table = Interactions.from_arrays(np.repeat(np.arange(60), 8), items.ravel())
    return table.with_catalogue(np.arange(n_items))


@pytest.mark.parametrize(("cls", "arguments"), MODELS)
def test_no_tensor_of_a_training_step_is_as_large_as_the_catalogue(cls, arguments):
    n_items = 104_729
    table = likes(n_items)
    model = cls(n_items, latent_dim=5, n_sampled=20, seed=1, **arguments)
    model.compile()
    batch = model.batches(table, 60)[0][0]

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, None, model(x, training=True))
        gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
        model.optimizer.apply(gradients, model.trainable_weights)
        sparse.extend(
            w.shape
            for w, g in zip(model.trainable_weights, gradients, strict=True)
            if len(w.shape) and isinstance(g, tf.IndexedSlices)
        )
        return loss

    sparse = []
    model.optimizer.build(model.trainable_variables)
    x = {name: tf.constant(value) for name, value in batch.items()}
    graph = step.get_concrete_function(x).graph
    assert sparse == [(n_items, 7), (n_items, 7), (n_items,)]
    for op in graph.get_operations():
        for tensor in op.outputs:
            assert tensor.dtype == tf.resource or n_items not in (
                tensor.shape.as_list() if tensor.shape.rank else []
            ), op
    before = [w.numpy() for w in model.trainable_weights]
    assert np.isfinite(float(step(x)))
    n_changed_rows = [
        (w.numpy() != b).reshape(len(b), -1).any(1).sum() for w, b in zip(model.trainable_weights, before, strict=True)
    ]
    largest = len(np.unique(batch["ids"])) + 20
    assert all(0 < n <= largest for n, b in zip(n_changed_rows, before, strict=True) if len(b) == n_items)


@pytest.mark.parametrize(("cls", "arguments"), MODELS)
def test_a_model_that_samples_every_item_learns_like_one_with_a_full_softmax(cls, arguments):
    table = likes(900)
    weights = None
    for n_sampled in (None, 900):
        model = cls(900, latent_dim=5, n_sampled=n_sampled, seed=1, **arguments)
        model.compile("sgd")
        if weights is not None:
            model.set_weights(weights)
        weights = [w.T if w.shape == (7, 900) else w for w in model.get_weights()]
        loss = model.fit(table, batch_size=30, epochs=2, shuffle=False, verbose=0).history["loss"]
        after = [w.T if w.shape == (7, 900) else w for w in model.get_weights()]
        if n_sampled is None:
            full = loss, after
    np.testing.assert_allclose(loss, full[0], rtol=1e-5)
    for of_sampled, of_full in zip(after, full[1], strict=True):
        np.testing.assert_allclose(of_sampled, of_full, atol=1e-5)
    assert item_vectors(model, table).shape == (900, 7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultDAE(30, n_sampled=1), "`n_sampled`: expected at least 2, got 1"),
        (lambda: MultDAE(30, n_sampled=5, noise=0.1), "`noise`: expected 0 with `n_sampled`, got 0.1"),
        (
            lambda: MultVAE(30, n_sampled=5, likelihood="gaussian"),
            "`n_sampled`: expected None with the gaussian likelihood, got 5",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sampled_training_on_dense_rows_raises_an_error():
    model = MultDAE(N_ITEMS, latent_dim=4, n_sampled=5)
    model.compile()
    with pytest.raises(ValueError, match="sampled softmax: expected batches of ids, got dense rows"):
        model.train_on_batch(np.eye(N_ITEMS, dtype=np.float32))


def test_targets_that_differ_from_the_input_have_the_loss_of_the_full_softmax(monkeypatch):
    monkeypatch.setenv("KERASREC_PRECISION", "float32")
    model = MultDAE(N_ITEMS, latent_dim=4, n_sampled=N_ITEMS, dropout=0.0, reg=0.0, seed=1)
    inputs, targets = {"ids": IDS}, {"ids": IDS[::-1].copy()}
    loss = model.compute_loss(inputs, targets, model(inputs, training=True))
    expected = MultinomialNLL()(LIKES[::-1].astype(np.float32), model(inputs))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_the_default_optimizer_is_lazy_if_items_are_sampled():
    for cls, _ in MODELS:
        assert cls(30, n_sampled=5).default_optimizer().lazy
        assert not cls(30).default_optimizer().lazy


def test_the_symbolic_output_has_the_shape_of_logits():
    assert SampledLogits(60, 10, seed=1)(keras.Input((8,))).shape == (None, 60)
