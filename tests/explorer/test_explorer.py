"""The explorer shows what a server of the run would answer, and what the model computes on the way."""

import numpy as np
import pytest

from kerasrec import Blend, Interactions
from kerasrec.explorer import Explorer, Question
from kerasrec.explorer.explorer import K
from kerasrec.runs import save_run
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server


@pytest.mark.parametrize("name", ["vae", "svae", "ratings", "items", "cdae"])
def test_the_list_is_that_of_a_server(explorer_of, name, tmp_path):
    explorer = explorer_of(name)
    question = explorer.example_question()
    shown = explorer.explain(question)["list"]
    export = export_saved_model(explorer.model, tmp_path / "model", explorer.train)
    with Server(export, model="m", port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        inputs = client.input_types()
        request = {"histories": [question.history]} if "history" in inputs else {}
        request |= {"ratings": [question.ratings]} if "ratings" in inputs else {}
        request |= {"user_ids": [question.user]} if "user_id" in inputs else {}
        item_ids, scores = client.recommend(k=K, **request)
    assert [item["id"] for item in shown] == item_ids[0].tolist()
    np.testing.assert_allclose([item["score"] for item in shown], scores[0], rtol=1e-4)
    assert not {item["id"] for item in shown} & set(question.history if "history" in inputs else [])


@pytest.mark.parametrize("name", ["vae", "svae", "ratings"])
def test_layers_are_those_of_the_model(explorer_of, name):
    explorer = explorer_of(name)
    answer = explorer.explain(explorer.example_question())
    last = answer["layers"][-1]
    assert last["units"] == explorer.train.n_items
    assert last["highest"] == pytest.approx(max(answer["scores"]["bins"]), rel=1e-3)
    assert sum(layer["code"] for layer in answer["layers"]) == 1
    assert not any("call" in vars(layer) for layer in explorer.model.layers)  # recording leaves no trace


def test_activations_of_a_vae_are_those_of_its_encoder(explorer_of):
    explorer = explorer_of("vae")
    question = explorer.example_question()
    rows = Interactions.from_histories([question.history], explorer.train)
    mean, log_var = explorer.model.posterior(explorer.model.batches(rows)[0][0])
    layers = {layer["name"]: layer["values"] for layer in explorer.explain(question)["layers"]}
    np.testing.assert_allclose(layers["mean"], mean[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(layers["log_var"], log_var[0], rtol=1e-3, atol=1e-5)


def test_recurrent_layers_show_their_last_step(explorer_of):
    explorer = explorer_of("svae")
    question = explorer.example_question()
    layers = {layer["name"]: layer["values"] for layer in explorer.explain(question)["layers"]}
    last_item = explorer.catalogue.columns(question.history[-1:])[0]
    np.testing.assert_allclose(layers["embedding"], explorer.model.embedding.embeddings[last_item], rtol=1e-4)
    empty = {layer["name"]: layer["values"] for layer in explorer.explain(Question())["layers"]}
    assert not np.any(empty["gru"])  # the state before the first item


def test_a_reason_is_the_change_of_the_score_without_the_item(explorer_of):
    explorer = explorer_of("ratings")
    question = explorer.example_question()
    best = explorer.explain(question)["list"][0]
    reason = explorer.why(question)["reasons"][str(best["column"])][0]
    left_out = question.without(question.history.index(reason["id"]))
    scores = []
    for each in (question, left_out):
        table = Interactions.from_histories([each.history], explorer.train, [each.ratings])
        scores.append(explorer.model.predict(table, verbose=0)[0, best["column"]])
    assert reason["change"] == pytest.approx(scores[0] - scores[1], abs=1e-4)
    assert reason["change"] > 0


def test_items_that_do_not_change_a_unit_are_not_shown(explorer_of):
    explorer = explorer_of("svae")
    question = explorer.example_question()
    drivers = [item["id"] for unit in explorer.why(question)["units"]["embedding"] for item in unit["drivers"]]
    assert set(drivers) == {question.history[-1]}


def test_neighbours_are_the_similar_items_of_the_model(explorer_of):
    explorer = explorer_of("vae")
    question = explorer.example_question()
    neighbours = explorer.neighbours(question)
    item_ids = [*question.history, *(item["id"] for item in explorer.explain(question)["list"])]
    similar = explorer.model.similar(explorer.train, item_ids, 3).item_ids
    assert [[n["id"] for n in neighbours[str(c)]] for c in explorer.catalogue.columns(item_ids)] == similar.tolist()


def test_a_path_passes_the_unit_that_changes_most(explorer_of):
    explorer = explorer_of("vae")
    question = explorer.example_question()
    rows = Interactions.from_histories([question.history, question.history[1:]], explorer.train)
    mean, _ = explorer.model.posterior(explorer.model.batches(rows, 2)[0][0])
    changes = np.abs(np.subtract(*np.asarray(mean)))
    column = explorer.catalogue.columns(question.history[:1])[0]
    assert explorer.why(question)["paths"][str(column)]["mean"] == changes.argmax()


def test_losses_of_ratings_are_squared_errors(explorer_of):
    answer = explorer_of("ratings").explain(explorer_of("ratings").example_question())
    assert answer["loss"] == "squared error"
    for entry in answer["observed"]:
        assert entry["loss"] == pytest.approx((entry["value"] - entry["score"]) ** 2, rel=1e-2, abs=1e-3)


def test_losses_of_a_softmax_sum_to_the_training_loss(explorer_of):
    explorer = explorer_of("vae")
    answer = explorer.explain(explorer.example_question())
    columns = [entry["column"] for entry in answer["observed"]]
    scores = explorer.export.scores([explorer.example_question().restricted_to(explorer.catalogue)])[0].astype(float)
    expected = len(columns) * np.log(np.exp(scores).sum()) - scores[columns].sum()
    assert "softmax" in answer["loss"]
    assert sum(entry["loss"] for entry in answer["observed"]) == pytest.approx(expected, rel=1e-3)


def test_losses_are_shown_only_for_models_that_have_them(explorer_of):
    for name in ("elsa", "popularity", "svae"):
        answer = explorer_of(name).explain(explorer_of(name).example_question())
        assert answer["loss"] is None
        assert not any("loss" in entry for entry in answer["observed"])
    gaussian = explorer_of("gaussian").explain(explorer_of("gaussian").example_question())
    assert "softmax" not in gaussian["loss"]


@pytest.mark.parametrize("name", ["vae", "ratings", "svae"])
def test_the_map_projects_the_codes_of_the_model(explorer_of, name):
    explorer = explorer_of(name)
    question = explorer.example_question()
    shown = explorer.latent(question)
    code = np.array(next(layer["values"] for layer in explorer.explain(question)["layers"] if layer["code"]))
    code /= np.linalg.norm(code)
    codes = explorer.latent_map._codes
    assert len(codes) == len(shown["users"])
    centred = codes - codes.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    for points, expected in ((shown["users"], centred @ axes.T), (shown["user"], (code - codes.mean(axis=0)) @ axes.T)):
        np.testing.assert_allclose(np.abs(points), np.abs(expected), rtol=1e-2, atol=1e-3)  # signs are arbitrary
    shown_ids, listed = [item["id"] for item in shown["items"]], explorer.explain(question)["list"]
    assert set(shown_ids) == {item["id"] for item in listed} | set(question.history)
    if name == "ratings":  # an item is the mean of the users on the map who rated it
        table = explorer.train.take_users(explorer.latent_map._rows)
        has_item = table.items[np.newaxis] == explorer.catalogue.columns(shown_ids)[:, np.newaxis]
        means = [codes[table.users[has]].mean(axis=0) for has in has_item]
        means = [(mean / np.linalg.norm(mean) - codes.mean(axis=0)) @ axes.T for mean in means]
        np.testing.assert_allclose(np.abs([i["point"] for i in shown["items"]]), np.abs(means), rtol=1e-2, atol=1e-3)
    else:  # a user with one item of the history is where that item is
        alone = explorer.latent(Question(question.history[:1]))
        assert alone["user"] == pytest.approx(alone["items"][0]["point"], rel=1e-3, abs=1e-4)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1, rtol=1e-5)
    distances = np.linalg.norm(codes - code, axis=1)
    assert set(shown["nearest"]) == set(np.argsort(distances)[:10].tolist())
    with pytest.raises(ValueError, match="expected a model with a code, got EASE"):
        explorer_of("ease").latent(question)


def test_drawn_lists_vary_and_leave_out_the_history(explorer_of):
    explorer = explorer_of("vae")
    question = explorer.example_question()
    first, again, other = (explorer.draws(question, seed) for seed in (0, 0, 1))
    assert first == again != other
    items = {item["id"] for row in first["lists"] for item in row}
    assert len(items) > K
    assert not items & set(question.history)
    with pytest.raises(ValueError, match="expected a variational model, got EASE"):
        explorer_of("ease").draws(question)


def test_drawn_lists_are_shorter_if_few_items_are_left(explorer_of):
    explorer = explorer_of("vae")
    question = Question(explorer.train.item_ids[:-3].tolist())
    assert {len(items) for items in explorer.draws(question)["lists"]} == {3}


@pytest.mark.parametrize("name", ["ease", "elsa"])
def test_weights_sum_to_the_score(explorer_of, name):
    explorer = explorer_of(name)
    question = explorer.example_question()
    scores = {item["id"]: item["score"] for item in explorer.explain(question)["list"]}
    for item in explorer.weights(question)["list"]:
        assert item["score"] == pytest.approx(scores[item["id"]], rel=1e-3)
        assert item["weights"][0]["weight"] > 0
    with pytest.raises(ValueError, match="expected a linear model, got MultVAE"):
        explorer_of("vae").weights(question)


def test_the_last_prefix_has_the_list_of_the_full_history(explorer_of):
    explorer = explorer_of("svae")
    question = explorer.example_question()
    steps = explorer.prefixes(question)["steps"]
    assert [item["id"] for item in steps[-1]["list"]] == [item["id"] for item in explorer.explain(question)["list"][:3]]
    assert [step["after"]["id"] for step in steps if step["after"]] == question.history


def test_a_loss_over_all_entries_collapses_to_zero(explorer_of):
    explorer = explorer_of("ratings")
    means = explorer.losses(explorer.example_question())["means"]
    assert means["masked"]["unobserved"] > 2.5  # ratings are from 1 to 5
    assert abs(means["plain"]["unobserved"]) < 1


@pytest.mark.parametrize("name", ["vae", "ratings", "svae"])
def test_empty_histories_and_unknown_items_are_answered(explorer_of, name):
    explorer = explorer_of(name)
    empty = explorer.explain(Question())
    assert len(empty["list"]) == K
    assert empty["observed"] == []
    assert explorer.why(Question())["reasons"] == {}
    answer = explorer.explain(Question([3, 10**6, "tea", 3]))
    assert answer["unknown"] == [10**6, "tea"]
    assert [item["id"] for item in answer["observed"]] == [3]


def test_unknown_users_are_answered(explorer_of):
    for name in ("cdae", "items"):
        explorer = explorer_of(name)
        for user in (None, 10**9, "nobody"):
            assert len(explorer.explain(Question([3], user=user))["list"]) == K
    assert explorer_of("items").losses(Question())["entries"] == []


def test_test_users_are_found_by_the_start_of_their_id(explorer_of):
    explorer = explorer_of("vae")
    user = explorer.search_users("")[0]["id"]
    assert explorer.search_users(str(user))[0]["id"] == user
    assert explorer.question_for(str(user)).user == user
    with pytest.raises(ValueError, match="expected the id of a test user, got 'nobody'"):
        explorer.question_for("nobody")


def test_a_blend_shows_its_members(explorer_of, tmp_path):
    ease, vae = explorer_of("ease"), explorer_of("vae")
    blend = Blend([ease.model, vae.model], shares=[0.75, 0.25])
    explorer = Explorer(save_run(blend, ease.run.split(), tmp_path, "generated"))
    shown = [{"model": "EASE", "share": 0.75}, {"model": "MultVAE", "share": 0.25}]
    assert explorer.about()["members"] == shown
    assert ease.about()["members"] == []
    assert any(explorer.why(explorer.example_question())["reasons"].values())
