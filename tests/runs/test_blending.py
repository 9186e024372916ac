"""`blend`: the models of several runs as one run."""

import numpy as np
import pytest
from kerasrec_testing.command import error_of, invoke
from kerasrec_testing.runs import config_of, read_small

from kerasrec.runs import Run, blend, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs on one split, and one on another."""
    root = tmp_path_factory.mktemp("runs")
    train(config_of("ease", model_options={"reg": 50.0}), read_small, root / "ease")
    train(config_of("elsa", model_options={"latent_dim": 8}), read_small, root / "elsa")
    other = {"split_options": {"seed": 6, "held_out": 40}, "model_options": {"reg": 50.0}}
    train(config_of("ease", **other), read_small, root / "other")
    return root


def test_the_command_stores_a_blend_that_is_at_least_as_good_on_validation(folder):
    result = invoke("blend", folder / "ease", folder / "elsa", "--out", folder / "blend")
    assert result.exit_code == 0, result.output
    assert "shares: " in result.output and "blend minus" in result.output
    run = Run(folder / "blend")
    assert run.metrics["model"] == "Blend" and run.config is None
    singles = [Run(folder / name).metrics["validation"]["ndcg_100"] for name in ("ease", "elsa")]
    assert run.metrics["validation"]["ndcg_100"] >= max(singles) - 1e-6
    model, split = run.model(), run.split()
    lists = model.recommend(split.test.inputs, k=5)
    assert np.isfinite(lists.scores).all()
    assert invoke("compare", folder / "blend", folder / "ease").exit_code == 0
    assert "is not empty" in error_of("blend", folder / "ease", folder / "elsa", "--out", folder / "blend")


def test_the_export_of_a_blend_gives_the_lists_of_the_model(folder, tmp_path):
    import tensorflow as tf

    from kerasrec.saved_model import export_saved_model

    run = blend([Run(folder / "ease"), Run(folder / "elsa")], tmp_path / "run")
    model, split = run.model(), run.split()
    path = export_saved_model(model, tmp_path / "served", split.train)
    histories = [split.test.inputs.item_ids[split.test.inputs.row(u)].tolist() for u in range(5)]
    width = max(map(len, histories))
    padded = tf.constant([[-1] * (1 + width - len(row)) + row for row in histories], tf.int64)
    served = tf.saved_model.load(path).signatures["serving_default"](history=padded)
    expected = model.recommend(split.test.inputs.take_users(range(5)), k=10)
    np.testing.assert_array_equal(served["item_ids"].numpy()[:, :10], expected.item_ids)
    np.testing.assert_allclose(served["scores"].numpy()[:, :10], expected.scores, atol=1e-4)


def test_runs_that_cannot_be_blended_are_refused(folder, tmp_path):
    message = error_of("blend", folder / "ease", folder / "other", "--out", tmp_path / "x")
    assert "has another split than" in message and "split seed" in message
    assert "expected two or more runs, got 1" in error_of("blend", folder / "ease", "--out", tmp_path / "x")
    twice = [folder / "ease", folder / "other" / ".." / "ease"]
    assert "expected different runs, got" in error_of("blend", *twice, "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    message = error_of("blend", folder / "ease", folder / "other", "--out", folder / "elsa")
    assert "expected an empty folder, got" in message, "before the runs are compared"
