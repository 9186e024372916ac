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
