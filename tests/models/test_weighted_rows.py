"""Sample weights of rows in the losses of training and evaluation."""

import numpy as np
import pytest

from kerasrec import EASE, ELSA, MultVAE, generate

TABLE = generate(n_users=60, n_items=30, seed=1)
DENSE = TABLE.matrix.toarray().astype(np.float32)
WEIGHTS = np.full(len(DENSE), 2.0, np.float32)


@pytest.mark.parametrize("model", [EASE(30, reg=5.0), ELSA(30, latent_dim=4, seed=1)], ids=["ease", "elsa"])
def test_the_loss_of_evaluate_is_proportional_to_the_weights(model):
    model.compile()
    model.fit(TABLE, epochs=1, verbose=0)
    once, twice = (
        model.evaluate(DENSE, DENSE, batch_size=len(DENSE), sample_weight=weights, verbose=0, return_dict=True)["loss"]
        for weights in (None, WEIGHTS)
    )
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


def test_weights_that_keras_would_ignore_are_refused():
    model = MultVAE(30, hidden_dims=(8,), latent_dim=4, seed=1)
    model.compile()
    for method in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="Keras ignores it"):
            method(DENSE, sample_weight=WEIGHTS, verbose=0)


def test_batches_without_targets_can_have_weights():
    losses = []
    for weights in (WEIGHTS / 2, WEIGHTS):
        model = MultVAE(30, hidden_dims=(8,), latent_dim=4, dropout=0.0, seed=1)
        model.compile()
        losses += model.fit(
            ((DENSE, None, weights) for _ in range(2)), steps_per_epoch=1, shuffle=False, verbose=0
        ).history["loss"]
    np.testing.assert_allclose(losses[1], 2 * losses[0], rtol=1e-5)
