"""`config_for`: settings that follow from the training table."""

import numpy as np
import pytest

from kerasrec import (
    CDAE,
    CFN,
    EASE,
    EDLAE,
    ELSA,
    IALS,
    SVAE,
    AutoRec,
    DeepRec,
    HeldOutUsers,
    MultVAE,
    OwnItems,
    evaluate,
    generate,
)
from kerasrec.models import table_defaults
from kerasrec.ops.spectrum import largest_singular_value


@pytest.fixture(scope="module")
def split():
    return HeldOutUsers(held_out=60, seed=1).split(generate(n_users=500, n_items=60, seed=1))


def test_the_largest_singular_value_equals_numpys():
    rng = np.random.default_rng(0)
    matrix = (rng.random((40, 25)) < 0.3).astype(np.float32)
    import scipy.sparse as sp

    assert largest_singular_value(sp.csr_array(matrix)) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-3)
    assert largest_singular_value(sp.csr_array((3, 4), dtype=np.float32)) == 0


@pytest.mark.parametrize(("cls", "factor"), [(EASE, 1.5), (EDLAE, 0.75)])
def test_reg_follows_from_the_largest_singular_value_without_validation_data(split, cls, factor):
    expected = factor * np.linalg.norm(split.train.matrix.toarray(), 2)
    assert cls.config_for(split.train).arguments["reg"] == pytest.approx(expected, rel=1e-3)
    assert cls.for_interactions(split.train).reg == pytest.approx(expected, rel=1e-3)
    assert cls(60).reg in (500.0, 300.0), "the constructor's default is the paper's"
    assert cls.config_for(split.train, reg=7.0).arguments == {"reg": 7.0}


def test_ials_has_settings_for_the_number_and_the_density_of_the_likes(split):
    n_likes = len(split.train)
    density = n_likes / (split.train.n_users * split.train.n_items)
    expected = {"latent_dim": 32, "unobserved_weight": min(10 * density, 1.0), "reg": 0.1 * n_likes**-0.22}
    assert IALS.config_for(split.train).arguments == pytest.approx(expected)
    assert IALS.config_for(split.train, reg=7.0, latent_dim=4).arguments["latent_dim"] == 4
    assert IALS(60).latent_dim == 256, "the constructor's default is the authors'"


def test_reg_is_the_best_of_the_grid_on_validation_data(split):
    config = EASE.config_for(split.train, split.validation)
    results = {trial["reg"]: result for trial, result in config.trials}
    assert {20.0, 50.0, 100.0, 200.0, 500.0, 1000.0} <= set(results)
    for reg, result in results.items():
        model = EASE(split.train.n_items, reg=reg)
        model.fit(split.train, verbose=0)
        assert evaluate(model, split.validation, ["ndcg_100"]).means["ndcg_100"] == pytest.approx(result, abs=1e-5)
    best = max(results, key=results.get)
    assert config.chosen == {"reg": best} and config.arguments["reg"] == best
    text = config.describe_trials()
    assert text.startswith("reg 20 → 0.") and ", 50 → 0." in text
    assert not EASE.config_for(split.train, split.validation, reg=3.0).trials


def test_a_grid_is_extended_if_its_best_value_is_at_one_end(split, monkeypatch):
    monkeypatch.setattr(EASE, "validation_grid", {"reg": (1.0, 2.0)})
    config = EASE.config_for(split.train, split.validation)
    values = [trial["reg"] for trial, _ in config.trials]
    assert values == [2.0**power for power in range(len(values))] and 2 < len(values) <= 6
    assert len(values) == 6 or config.chosen["reg"] < values[-1]


def test_a_large_catalogue_is_reduced_to_its_popular_items(split, monkeypatch):
    monkeypatch.setattr(table_defaults, "MAX_ITEMS_OF_TRIALS", 20)
    train, validation, _ = table_defaults._reduced(split.train, split.validation, None)
    assert train.n_items == 20 and train.n_users == split.train.n_users
    assert train.item_counts.min() >= np.sort(split.train.item_counts)[-20]
    assert validation.inputs.item_ids.tolist() == validation.targets.item_ids.tolist() == train.item_ids.tolist()
    assert EASE.config_for(split.train, split.validation).chosen


def test_the_length_of_a_run_is_a_number_of_updates(split):
    for n_rows, size in ((300, 100), (10_000, 200), (10**6, 500)):
        assert MultVAE.batch_size_for(n_rows) == size
    config = MultVAE.config_for(split.train)
    assert (config.batch_size, config.epochs, config.patience) == (100, 60, 20)  # 4 updates per epoch
    large = generate(n_users=5000, n_items=40, mean_items=5, seed=1)
    assert MultVAE.config_for(large).epochs == 2500 / 50
    assert (EASE.config_for(large).epochs, SVAE.config_for(large).batch_size) == (1, 32)


@pytest.mark.parametrize("cls", [EASE, MultVAE])
def test_an_empty_table_is_refused(split, cls):
    with pytest.raises(ValueError, match="`train`: expected a table with interactions, got none"):
        cls.for_interactions(split.train.take_users([]))


def test_a_size_that_is_not_that_of_the_table_is_refused(split):
    message = f"`n_items`: expected {split.train.n_items}, as in the table, got 3. Fix: omit it"
    with pytest.raises(ValueError, match=message):
        MultVAE.for_interactions(split.train, n_items=3)
    assert EASE.for_interactions(split.train, n_items=split.train.n_items).n_items == split.train.n_items


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"epochs": 1.5}, {"epochs": 1, "batch_size": -5}])
def test_runs_without_steps_are_refused(split, arguments):
    with pytest.raises(ValueError, match=f"`{list(arguments)[-1]}`: expected"):
        MultVAE.for_interactions(split.train, **arguments)
    with pytest.raises(TypeError, match="`train`: expected Interactions, got list"):
        MultVAE.for_interactions([[1, 2]])


def test_models_get_the_variant_that_suits_the_table_and_the_protocol(split):
    assert ELSA.config_for(split.train).arguments == {"latent_dim": 256}
    assert ELSA.config_for(split.train, latent_dim=9).arguments == {"latent_dim": 9}
    assert CDAE.config_for(split.train, split.validation).arguments["user_node"] is False
    own = OwnItems(min_items=2).split(generate(n_users=200, n_items=60, seed=1))
    assert "user_node" not in CDAE.config_for(own.train, own.validation).arguments
    ratings = generate(n_users=60, n_items=40, seed=1)
    assert AutoRec.for_interactions(ratings).rows == "items"
    assert DeepRec.for_interactions(ratings, hidden_dims=(4,)).refeeds == 0
    cfn = CFN.for_interactions(ratings, hidden_dims=(4,), side=np.ones((ratings.n_items, 2)))
    assert (cfn.rows, cfn.activation, cfn.centre_input) == ("items", "sigmoid", False)
    assert (AutoRec(5).rows, DeepRec(5).refeeds, CFN(5).activation) == ("users", 1, "tanh")
