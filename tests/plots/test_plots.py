"""Pictures say what the figures say."""

import csv

import matplotlib.image
import numpy as np
import pytest

from kerasrec import (
    CFN,
    EASE,
    AutoRec,
    HeldOutUsers,
    MultVAE,
    Popularity,
    RandomRatings,
    evaluate,
    generate,
    plots,
)
from kerasrec.callbacks import TrainingMetrics
from kerasrec.inference.item_vectors import item_vectors, write_projector
from kerasrec.plots import run_plots as pictures
from kerasrec.runs import RunConfig, train


@pytest.fixture(scope="module")
def split():
    return HeldOutUsers(held_out=40).split(generate(n_users=300, n_items=60, seed=1))


@pytest.fixture(scope="module")
def models(split):
    made = {"EASE": EASE(split.train.n_items, reg=20.0), "popularity": Popularity(split.train.n_items)}
    for model in made.values():
        model.fit(split.train, verbose=0)
    return made


def lines(axes):
    return [np.asarray(line.get_ydata()) for line in axes.lines]


def test_curves_mark_the_best_epoch():
    history = {"loss": [3.0, 2.0, 1.5], "val_ndcg_100": [0.1, 0.3, 0.2], "beta": [0.0, 0.1, 0.2]}
    loss, beta, figure = plots.curves(history).axes
    assert lines(loss)[0].tolist() == history["loss"]
    assert lines(beta)[0].tolist() == history["beta"]
    assert figure.get_title(loc="left") == "On validation: best 0.3000 at epoch 2"
    assert plots.curves({"loss": [1.0, 0.5], "val_rmse": [0.9, 0.95]}).axes[1].get_title(loc="left").endswith("epoch 1")
    with pytest.raises(ValueError, match="no curves"):
        plots.curves({"val_loss": [1.0]})


def test_training_beside_validation(split):
    model = MultVAE(split.train.n_items, hidden_dims=(16,), latent_dim=4, seed=1)
    model.compile()
    callbacks = [TrainingMetrics(split.train, rows=50)]
    history = model.fit(split.train, epochs=3, validation_data=split.validation, callbacks=callbacks, verbose=0).history
    drawn = lines(plots.train_validation(history).axes[0])
    assert [line.tolist() for line in drawn] == [history["train_ndcg_100"], history["val_ndcg_100"]]
    assert history["beta"] == pytest.approx([n / 200_000 for n in (1, 2, 3)])
    with pytest.raises(ValueError, match="TrainingMetrics"):
        plots.train_validation({"val_ndcg_100": [0.1]})


def test_measuring_training_rows_changes_nothing(split):
    histories = []
    for callbacks in ([], [TrainingMetrics(split.train, rows=50)]):
        model = MultVAE(split.train.n_items, hidden_dims=(8,), latent_dim=4, seed=1)
        model.compile()
        fitted = model.fit(split.train, epochs=2, validation_data=split.validation, callbacks=callbacks, verbose=0)
        histories.append(fitted.history)
    without, measured = histories
    assert without == {name: values for name, values in measured.items() if name in without}


@pytest.mark.parametrize("rows", ["users", "items"])
def test_training_figures_are_the_reconstruction_error(rows):
    table = generate(n_users=60, n_items=30, seed=3)
    model = AutoRec.for_interactions(table, rows=rows, hidden_dims=(8,), seed=1)
    model.compile()
    history = model.fit(table, epochs=2, callbacks=[TrainingMetrics(table)], verbose=0).history
    by_row = table.T if rows == "items" else table
    scores = np.concatenate([np.asarray(model(batch, training=False)) for (batch,) in model.batches(table)])
    error = np.clip(scores[by_row.users, by_row.items], 1, 5) - by_row.values
    assert history["train_rmse"][-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_training_figures_of_some_rows_are_of_those_with_their_side_information():
    table = generate(n_users=60, n_items=30, seed=3)
    model = CFN.for_interactions(table, rows="items", side=5 * np.eye(30), hidden_dims=(8,), seed=1)
    model.compile()
    figures = TrainingMetrics(table, rows=12)
    history = model.fit(table, epochs=1, callbacks=[figures], verbose=0).history
    scores, by_item = model.predict(table, verbose=0), table.T
    chosen = np.concatenate([np.asarray(x["row"]) for x, _ in figures.sample])
    assert len(chosen) == 12 and chosen.max() >= 12
    measured = np.isin(by_item.users, chosen)
    error = (np.clip(scores[by_item.users, by_item.items], 1, 5) - by_item.values)[measured]
    assert history["train_rmse"][-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_recall_by_popularity_averages_to_the_share_found(models, split):
    figure = plots.recall_by_popularity(models, split, k=10, n_groups=3)
    assert len(figure.axes[0].get_xticklabels()) == 3
    targets = split.test.targets
    answer = models["EASE"].recommend(split.test.inputs, k=10).item_ids
    found = [item in answer[user] for user, item in zip(targets.users, targets.item_ids[targets.items], strict=True)]
    groups, edges = plots._groups(split.train.item_counts[targets.items], 3)
    assert edges[0][0] < edges[-1][0]
    means = lines(figure.axes[0])[0]
    assert means == pytest.approx([np.mean(np.array(found)[groups == g]) for g in range(3)])


def test_recall_by_history_length_averages_to_recall(models, split):
    figure = plots.recall_by_history_length(models, split, k=10, n_groups=3)
    counted = split.test.targets.counts > 0
    groups, _ = plots._groups(split.test.inputs.counts[counted], 3)
    means = lines(figure.axes[0])[0]
    recall = evaluate(models["EASE"], split.test, ["recall_10"]).means["recall_10"]
    assert np.average(means, weights=np.bincount(groups)) == pytest.approx(recall)


def test_comparison_draws_means_and_errors(models, split):
    measured = {name: evaluate(model, split.test, ["ndcg_10"]) for name, model in models.items()}
    axes = plots.comparison(measured).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["popularity", "EASE"]
    centre, _, (bar,) = axes.containers[1]
    assert centre.get_xdata()[0] == pytest.approx(measured["EASE"].means["ndcg_10"])
    (low, _), (high, _) = bar.get_segments()[0]
    assert high - low == pytest.approx(2 * measured["EASE"].standard_errors["ndcg_10"])
    with pytest.raises(ValueError, match="ndcg_10"):
        plots.comparison(measured, ["recall_3"])


def test_costs(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("name,size,cost\na,10,1\na,1000,100\n")
    axes = plots.costs(plots.read_costs(path)).axes[0]
    assert axes.get_legend_handles_labels()[1] == ["a, grows as n^1.0"]
    path.write_text("name,size,cost\na,10,free\n")
    with pytest.raises(ValueError, match="line 2"):
        plots.read_costs(path)


def test_names_on_the_map_do_not_overlap(models, split):
    figure = plots.latent_map(models["EASE"], split.train)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    with pytest.raises(ValueError, match="no vectors"):
        plots.latent_map(models["popularity"], split.train)


def test_the_projector_has_a_row_an_item(models, split, tmp_path):
    write_projector(models["EASE"], split.train, tmp_path)
    vectors = np.loadtxt(tmp_path / "item_vectors.tsv")
    np.testing.assert_allclose(vectors, item_vectors(models["EASE"], split.train), rtol=1e-4, atol=1e-6)
    with open(tmp_path / "items.tsv", newline="") as file:
        assert len(list(csv.reader(file, delimiter="\t"))) == 1 + split.train.n_items


def test_pictures_of_a_run(tmp_path):
    plan = RunConfig(
        "mult_vae", "generated", "held-out-users", 1, 2, 50, {"held_out": 30}, {"hidden_dims": (8,), "latent_dim": 4}
    )
    run = train(plan, lambda: generate(n_users=200, n_items=60, seed=1), tmp_path / "run")
    names = {"curves", "train-validation", "reconstruction", "popularity", "history-length", "latent-map"}
    written = pictures.draw_all(run, tmp_path / "pictures")
    assert {path.stem for path in written} == names
    assert matplotlib.image.imread(written[0]).shape[1] > 600
    assert np.isfinite(run.history()["train_ndcg_100"]).all()


def test_a_rating_model_has_no_recall():
    split = RandomRatings().split(generate(n_users=60, n_items=30, seed=3))
    model = AutoRec.for_interactions(split.train, hidden_dims=(8,), seed=1)
    model.compile()
    model.fit(split.train, epochs=1, verbose=0)
    for draw in (plots.recall_by_popularity, plots.recall_by_history_length):
        with pytest.raises(ValueError, match="predicts ratings"):
            draw({"AutoRec": model}, split)
    title = plots.reconstruction(model, split.train, user=7).axes[0].get_title(loc="left")
    assert title.startswith(f"{split.train.counts[split.train.user_ids.tolist().index(7)]} ratings of user 7")
    with pytest.raises(ValueError, match="no user"):
        plots.reconstruction(model, split.train, user=-5)
