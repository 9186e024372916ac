"""Greedy pre-training: the weights that each stage trains, and those that it freezes."""

import numpy as np
import pytest
from kerasrec_testing.models import N_ITEMS, PAPERS_CFN, SIDE, blocks

from kerasrec import CFN, EASE, AutoRec, MultDAE
from kerasrec.models.pretraining import pretrain

DEEP = {
    "auto_rec": (AutoRec, "ratings", {"rows": "users", "hidden_dims": (12, 6, 12), "reg": 0.01}),
    "auto_rec items": (AutoRec, "ratings", {"rows": "items", "hidden_dims": (12, 6, 12), "reg": 0.01}),
    "cfn": (CFN, "ratings", {"rows": "items", "hidden_dims": (12, 6, 12), "reg": 0.01, "side": SIDE, **PAPERS_CFN}),
    "mult_dae": (MultDAE, "likes", {"hidden_dims": (16, 12), "latent_dim": 6}),
}


def deep(case, epochs=1):
    kind, feedback, settings = DEEP[case]
    table = blocks(feedback)
    return kind.for_interactions(table, epochs, 30, seed=3, **settings), table


def weights(layers):
    return [w for layer in layers for w in layer.get_weights()]


@pytest.mark.parametrize("case", DEEP)
def test_the_first_stage_trains_the_shallow_model_and_later_stages_freeze_it(case):
    model, table = deep(case)
    shallow = model.truncated(1)
    shallow.planned_steps = shallow.steps_for(table.n_items if model.rows == "items" else table.n_users, 3, 30)
    shallow.compile()
    shallow.fit(table, epochs=3, batch_size=30, verbose=0)
    before = weights(model.layer_pairs()[1])
    pretrain(model, table, epochs=3, batch_size=30, verbose=0)
    for trained, expected in zip(weights(model.layer_pairs()[0]), weights(shallow.layer_pairs()[0]), strict=True):
        np.testing.assert_allclose(trained, expected, atol=1e-5)  # threads add in any order
    for trained, start in zip(weights(model.layer_pairs()[1]), before, strict=True):
        assert np.abs(trained - start).max() > 0


@pytest.mark.parametrize("case", ["auto_rec", "cfn", "mult_dae"])
def test_fine_tuning_starts_with_a_lower_loss_and_all_layers_trainable(case):
    losses = []
    for greedy in (False, True):
        model, table = deep(case)
        if greedy:
            pretrain(model, table, epochs=80, batch_size=30, verbose=0)
        assert all(layer.trainable for layer in sum(model.layer_pairs(), []))
        model.compile()
        losses.append(model.fit(table, batch_size=30, verbose=0).history["loss"][0])
    assert losses[1] < 0.9 * losses[0]


def test_models_without_mirrored_layers_are_refused():
    table = blocks()
    with pytest.raises(ValueError, match="EASE has no pairs of encoder and decoder layers to pre-train"):
        pretrain(EASE(N_ITEMS), table, epochs=1)
    for dims in ((12, 6), (12, 6, 6, 12), (12, 6, 10)):
        with pytest.raises(ValueError, match="`hidden_dims`: expected a palindrome"):
            pretrain(AutoRec(N_ITEMS, hidden_dims=dims), blocks("ratings"), epochs=1)
