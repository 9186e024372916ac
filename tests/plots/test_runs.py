"""All plots of a run are written, and plots of several runs need the same split."""

import shutil

import matplotlib.image
import numpy as np
import pytest

from kerasrec import generate, plots
from kerasrec.runs import Run, RunConfig, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(config("mult_vae", hidden_dims=(8,), latent_dim=4), table, tmp_path_factory.mktemp("runs") / "run")


def config(model, epochs=2, seed=1, **arguments):
    settings = {"held_out": 30, "seed": seed}
    return RunConfig(model, "generated", "held-out-users", 1, epochs, 50, settings, arguments)


def table():
    return generate(n_users=200, n_items=60, seed=1)


def test_every_plot_of_a_run_is_written(run, tmp_path):
    names = {"curves", "train-validation", "reconstruction", "popularity", "history-length", "latent-map", "coverage"}
    files = plots.draw_all(run, tmp_path / "plots")
    assert {file.stem for file in files} == names
    assert matplotlib.image.imread(files[0]).shape[1] > 600
    assert np.isfinite(run.history()["train_ndcg_100"]).all()


def test_runs_on_the_same_split_are_compared(run, tmp_path):
    other = train(config("popularity", epochs=1), table, tmp_path / "other")
    for name in ("comparison", "popularity", "history-length", "coverage", "differences", "efficiency"):
        figure = plots.RUN_PLOTS[name]([run, other])
        assert figure.get_suptitle().startswith("mult_vae, popularity on generated, held-out-users")
        if name in ("differences", "efficiency"):
            continue
        labels = {text.get_text() for text in figure.axes[0].get_yticklabels()}
        if figure.axes[0].get_legend():
            labels = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
        assert labels == {"mult_vae", "popularity"}
    with pytest.raises(ValueError, match="expected one run for this plot, got 2"):
        plots.RUN_PLOTS["curves"]([run, other])
    with pytest.raises(ValueError, match="expected two or more runs for this plot, got 1"):
        plots.RUN_PLOTS["differences"]([run])
    figure = plots.RUN_PLOTS["comparison"]([run, run])
    assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == {"run"}
    same_name = shutil.copytree(run.folder, tmp_path / "again" / "run")
    figure = plots.RUN_PLOTS["comparison"]([run, Run(same_name)])
    assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == {str(run.folder), str(same_name)}


def test_runs_on_different_splits_are_not_compared(run, tmp_path):
    other = train(config("popularity", epochs=1, seed=2), table, tmp_path / "other")
    with pytest.raises(ValueError, match="the runs have different test users"):
        plots.RUN_PLOTS["comparison"]([run, other])
