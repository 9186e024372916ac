"""What a model declares to the other packages is true: the documented members of `kerasrec.models.base.Recommender`.

A failure names the declaration and the file to edit.
"""

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
from kerasrec_testing.models import CASES, N_ITEMS, scores, table_for, trained, training

from kerasrec import ZOO, Interactions

pytestmark = pytest.mark.parametrize("case", CASES)
ROOT = Path(__file__).parents[2]


def declared_in(case, name):
    """The start of a message about a declaration: the class, its member, and the file."""
    model = ZOO[CASES[case][0]]
    file = Path(inspect.getsourcefile(model)).relative_to(ROOT)
    return f"{file}: `{model.__name__}.{name}`"


def rows_of(model, table):
    """The rows that the model reads, and their number."""
    return table.T if model.rows == "items" else table


def test_attributes_have_documented_values(case):
    model = trained(case)
    allowed = {"feedback": ("likes", "ratings"), "rows": ("users", "items"), "monitor": ("val_ndcg_100", "val_rmse")}
    for name, values in allowed.items():
        assert getattr(model, name) in values, f"{declared_in(case, name)} must be one of {values}"
    for name in ("ordered", "linear", "closed_form", "variational", "has_item_vectors"):
        assert isinstance(getattr(model, name), bool), f"{declared_in(case, name)} must be True or False"
    assert model.serving_inputs, f"{declared_in(case, 'serving_inputs')} must name at least one input"
    unknown = set(model.serving_inputs) - {"history", "ratings", "user_id"}
    assert not unknown, f"{declared_in(case, 'serving_inputs')} names unknown inputs {unknown}"
    assert model.monitor in training(case).history, f"{declared_in(case, 'monitor')} is not computed by `fit`"


def test_every_constructor_argument_is_stored_under_its_own_name(case):
    model = trained(case)
    names = [name for name in inspect.signature(type(model).__init__).parameters if name not in ("self", "kwargs")]
    for name in names:
        message = f"{declared_in(case, '__init__')} must set `self.{name}`, or the class must override `get_config`"
        assert hasattr(model, name) or "get_config" in vars(type(model)), message


def test_linear_is_declared_exactly_if_scores_add_up(case):
    model, table = trained(case), table_for(case)
    if model.feedback == "ratings" or model.serving_inputs != ("history",):
        message = "must be False: the scores depend on ratings, or on the user"
        assert not model.linear, f"{declared_in(case, 'linear')} {message}"
        return
    single_items = Interactions.from_histories([[i] for i in table.item_ids.tolist()], table)
    sums = table.matrix.toarray() @ scores(model, single_items)
    adds_up = np.allclose(sums, scores(model, table), atol=1e-4)
    message = f"{declared_in(case, 'linear')} must be {adds_up}: the scores of a history are the sums over its items"
    assert adds_up == model.linear, message if adds_up else message.replace(" are the", " are not the")


def test_a_rating_model_declares_the_range_of_its_ratings(case):
    model, table = trained(case), table_for(case)
    if model.feedback == "likes":
        assert model.value_range is None, f"{declared_in(case, 'value_range')} must be None for a model of likes"
        return
    expected = (table.values.min(), table.values.max())
    assert model.value_range == expected, f"{declared_in(case, 'value_range')} must be {expected}, from `config_for`"


def test_a_model_with_weights_per_user_asks_for_the_user(case):
    model, table = trained(case), table_for(case)
    if model.rows == "users" and model.n_known_rows is not None:
        assert model.n_known_rows == table.n_users, declared_in(case, "n_known_rows")
        assert "user_id" in model.serving_inputs, f"{declared_in(case, 'serving_inputs')} must contain 'user_id'"
    by_user = model.as_user_model(table)
    assert (by_user is model) == (model.rows == "users"), declared_in(case, "as_user_model")
    assert by_user.n_columns == N_ITEMS and by_user.rows == "users", declared_in(case, "as_user_model")


def test_inference_weights_are_weights(case):
    model = trained(case)
    names = {id(weight) for weight in model.weights}
    assert all(id(weight) in names for weight in model.inference_weights), declared_in(case, "inference_weights")


def test_item_vectors(case):
    model, table = trained(case), table_for(case)
    if not model.has_item_vectors:
        with pytest.raises(ValueError, match="item vectors"):
            model.item_vectors(table)
        return
    message = f"{declared_in(case, 'item_vectors')} must return float32 (n_items, dim)"
    vectors = model.item_vectors(table)
    assert vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == N_ITEMS, message
    assert np.isfinite(vectors).all() and vectors.std() > 0, message


def test_the_code_layer_is_a_layer_of_the_model(case):
    model = trained(case)
    names = [layer.name for layer in model._flatten_layers()]
    message = f"{declared_in(case, 'code_layer')} must be None or one of the layers {names}"
    assert model.code_layer is None or model.code_layer in names, message


def test_a_variational_model_has_a_posterior_and_decodes_its_mean(case):
    model, table = trained(case), table_for(case)
    if not model.variational:
        return
    batch = model.batches(table, N_ITEMS)[0][0]
    mean, log_var = (keras.ops.convert_to_numpy(part) for part in model.posterior(batch))
    assert mean.shape == log_var.shape and len(mean) == N_ITEMS, declared_in(case, "posterior")
    assert mean.std() > 0 and np.isfinite(log_var).all(), declared_in(case, "posterior")
    np.testing.assert_allclose(
        model.decode(mean), model(batch), atol=1e-5, err_msg=f"{declared_in(case, 'decode')} of the posterior's mean"
    )


def test_a_variational_model_draws_codes(case):
    model, table = trained(case), table_for(case)
    if not model.variational:
        return
    first, equal, other = (scores(model.with_drawn_codes(seed), table) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, equal)
    assert np.abs(first - other).max() > 1e-3 and np.isfinite(first).all(), declared_in(case, "with_drawn_codes")


def test_entry_losses_are_finite_and_one_per_entry(case):
    model, table = trained(case), table_for(case)
    rows = rows_of(model, table)
    columns, values = rows.row(0), rows.values[rows.indptr[0] : rows.indptr[1]]
    row_scores = scores(model, table)[0]
    losses = model.entry_losses(row_scores, columns, values)
    if losses is None:
        return
    message = f"{declared_in(case, 'entry_losses')} must return a name and one finite value per observed entry, or None"
    assert losses.name and losses.values.shape == columns.shape, message
    assert np.isfinite(losses.values).all() and (losses.values >= 0).all(), message
    best = row_scores.copy()
    best[columns] += np.sign(values - row_scores[columns]) * 0.01 if model.feedback == "ratings" else 0.01
    better = model.entry_losses(best, columns, values).values
    assert better.sum() < losses.values.sum(), f"{declared_in(case, 'entry_losses')} must fall as the scores improve"


def test_annealed_values_are_numbers(case):
    values = trained(case).annealed_values()
    assert all(isinstance(name, str) and isinstance(value, float) for name, value in values.items()), (
        f"{declared_in(case, 'annealed_values')} must be a dictionary of floats"
    )


def test_layer_pairs_mirror_each_other_and_shorten_the_model(case):
    model = trained(case)
    try:
        pairs = model.layer_pairs()
    except ValueError as error:
        assert "pairs" in str(error) or "`hidden_dims`" in str(error)
        return
    assert pairs, f"{declared_in(case, 'layer_pairs')} must return at least one pair, or raise ValueError"
    for encoder, decoder, *_ in pairs:  # further layers of the pair read side information
        message = f"{declared_in(case, 'layer_pairs')}: {encoder.name} and {decoder.name} do not mirror each other"
        assert sorted(encoder.kernel.shape) == sorted(decoder.kernel.shape), message
    shortest = model.truncated(1)
    assert len(shortest.layer_pairs()) == 1, declared_in(case, "truncated")
    assert shortest.built, declared_in(case, "truncated")
