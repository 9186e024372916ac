"""The explorer: what it shows is what a server of the run would answer, and its page shows it."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import numpy as np
import pytest

from kerasrec import Interactions, generate
from kerasrec.explorer import Explorer, PageServer, saved_page
from kerasrec.explorer.answers import K, Question
from kerasrec.runs import RunConfig, train
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server

MODELS = {
    "vae": ("mult_vae", "held-out-users", {"hidden_dims": (16,), "latent_dim": 6}),
    "ease": ("ease", "held-out-users", {"reg": 20.0}),
    "elsa": ("elsa", "held-out-users", {"latent_dim": 6}),
    "svae": (
        "svae",
        "held-out-users",
        {"embedding_dim": 8, "gru_units": 8, "hidden_dims": (8,), "latent_dim": 4},
    ),
    "ratings": ("auto_rec", "random-ratings", {"hidden_dims": (12,)}),
    "items": ("auto_rec", "random-ratings", {"hidden_dims": (12,), "rows": "items"}),
    "nodes": ("cdae", "own-items", {"latent_dim": 8}),
}


@pytest.fixture(scope="module")
def explorers(tmp_path_factory):
    table = generate(n_users=150, n_items=50, seed=2)
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name, (model, protocol, arguments) in MODELS.items():
        settings = {"held_out": 20} if protocol == "held-out-users" else {}
        plan = RunConfig(model, "generated", protocol, 1, 1, 50, settings, arguments)
        made[name] = Explorer(train(plan, lambda: table, folder / name))
    return made


@pytest.mark.parametrize("name", MODELS)
def test_the_list_is_the_servers(explorers, name, tmp_path):
    explorer = explorers[name]
    question = explorer.somebody()
    shown = explorer.explain(question)["list"]
    served = export_saved_model(explorer.model, tmp_path / "model", explorer.train)
    with Server(served, model="m", port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        takes = client.input_types()
        asked = {"histories": [question.history]} if "history" in takes else {}
        asked |= {"ratings": [question.ratings]} if "ratings" in takes else {}
        asked |= {"user_ids": [question.user]} if "user_id" in takes else {}
        item_ids, scores = client.recommend(k=K, **asked)
    assert [item["id"] for item in shown] == item_ids[0].tolist()
    np.testing.assert_allclose([item["score"] for item in shown], scores[0], rtol=1e-4)
    assert not {item["id"] for item in shown} & set(question.history if "history" in takes else [])


@pytest.mark.parametrize("name", ["vae", "svae", "ratings"])
def test_layers_are_those_of_the_model(explorers, name):
    explorer = explorers[name]
    answer = explorer.explain(explorer.somebody())
    last = answer["layers"][-1]
    assert last["units"] == explorer.train.n_items
    best = max(answer["row"]["strokes"])
    assert last["highest"] == pytest.approx(best, rel=1e-3)
    assert sum(layer["code"] for layer in answer["layers"]) == 1
    assert not any("call" in vars(layer) for layer in explorer.model.layers)  # nothing is left of the watching


def test_activations_of_a_vae_are_its_encoder(explorers):
    explorer = explorers["vae"]
    question = explorer.somebody()
    rows = Interactions.from_histories([question.history], explorer.train)
    mean, log_var = explorer.model.encode(explorer.model.batches(rows)[0][0])
    layers = {layer["name"]: layer["values"] for layer in explorer.explain(question)["layers"]}
    np.testing.assert_allclose(layers["mean"], mean[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(layers["log_var"], log_var[0], rtol=1e-3, atol=1e-5)


def test_a_reason_is_what_the_score_loses_without_the_item(explorers):
    explorer = explorers["ratings"]
    question = explorer.somebody()
    why = explorer.why(question)
    best = explorer.explain(question)["list"][0]
    reason = why["reasons"][str(best["column"])][0]
    at = question.history.index(reason["id"])
    without = Question(
        question.history[:at] + question.history[at + 1 :], question.ratings[:at] + question.ratings[at + 1 :]
    )
    scores = {}
    for name, asked in (("with", question), ("without", without)):
        known = Interactions.from_histories([asked.history], explorer.train, [asked.ratings])
        scores[name] = explorer.model.predict(known, verbose=0)[0, best["column"]]
    assert reason["change"] == pytest.approx(scores["with"] - scores["without"], abs=1e-4)
    assert reason["change"] > 0


def test_errors_are_the_losses(explorers):
    ratings = explorers["ratings"].explain(explorers["ratings"].somebody())
    for entry in ratings["observed"]:
        assert entry["error"] == pytest.approx((entry["value"] - entry["score"]) ** 2, rel=1e-2, abs=1e-3)
    explorer = explorers["vae"]
    question = explorer.somebody()
    rows = explorer.model.batches(Interactions.from_histories([question.history], explorer.train))[0][0]
    nll = explorer.model.nll(explorer.model.targets(rows), explorer.model(rows, training=False))
    total = sum(entry["error"] for entry in explorer.explain(question)["observed"])
    assert total == pytest.approx(float(nll), rel=1e-3)


def test_drawn_lists_vary_and_leave_out_the_history(explorers):
    explorer = explorers["vae"]
    question = explorer.somebody()
    first, again, other = (explorer.draws(question, seed) for seed in (0, 0, 1))
    assert first == again != other
    drawn = {item["id"] for row in first["lists"] for item in row}
    assert len(drawn) > K
    assert not drawn & set(question.history)
    with pytest.raises(ValueError, match="draws no code"):
        explorers["ease"].draws(question)


@pytest.mark.parametrize("name", ["ease", "elsa"])
def test_weights_sum_to_the_score(explorers, name):
    explorer = explorers[name]
    question = explorer.somebody()
    listed = {item["id"]: item["score"] for item in explorer.explain(question)["list"]}
    for item in explorer.weights(question)["list"]:
        assert item["score"] == pytest.approx(listed[item["id"]], rel=1e-3)
        assert item["weights"][0]["weight"] > 0


def test_the_last_of_the_lists_in_order_is_the_list(explorers):
    explorer = explorers["svae"]
    question = explorer.somebody()
    steps = explorer.prefixes(question)["steps"]
    assert [item["id"] for item in steps[-1]["list"]] == [item["id"] for item in explorer.explain(question)["list"][:3]]
    assert [step["after"]["id"] for step in steps if step["after"]] == question.history


def test_plain_squared_error_collapses(explorers):
    explorer = explorers["ratings"]
    means = explorer.losses(explorer.somebody())["means"]
    assert means["masked"]["unobserved"] > 2.5  # ratings are from 1 to 5
    assert abs(means["plain"]["unobserved"]) < 1


def test_odd_histories(explorers):
    for name in ("vae", "ratings", "svae"):
        explorer = explorers[name]
        empty = explorer.explain(Question())
        assert len(empty["list"]) == K
        assert empty["observed"] == []
        assert explorer.why(Question())["reasons"] == {}
        odd = explorer.explain(Question([3, 10**6, "tea", 3]))
        assert odd["unknown"] == [10**6, "tea"]
        assert [item["id"] for item in odd["history"]] == [3]
    assert explorers["ratings"].losses(Question())["entries"] == []


def test_finding(explorers):
    explorer = explorers["vae"]
    found = explorer.items(" TASTE 3 ")
    assert found
    assert all("taste 3" in item["title"] for item in found)
    assert [item["users"] for item in found] == sorted((item["users"] for item in found), reverse=True)
    user = explorer.users("")[0]["id"]
    assert explorer.users(str(user))[0]["id"] == user
    with pytest.raises(ValueError, match="no test user"):
        explorer.question_of("nobody")


def ask(server, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(server.address + path, data, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def test_the_server(explorers):
    with PageServer([explorers["vae"], explorers["ratings"]]) as server:
        status, page, headers = ask(server, "")
        assert status == 200
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        for address in re.findall(r'(?:src|href)="([^"#]+)"', page):
            assert address.startswith("data:") or ask(server, address)[0] == 200
        about = json.loads(ask(server, "api/about")[1])
        assert [run["model"] for run in about["runs"]] == ["MultVAE", "AutoRec"]
        question = {"history": [item["id"] for item in about["somebody"]["history"]]}
        answer = json.loads(ask(server, "api/explain", {**question, "run": 1})[1])
        assert answer == explorers["ratings"].explain(Question(question["history"]))
        for path, body in (
            ("api/explain", {"run": 7}),
            ("api/explain", {"history": "tea"}),
            ("api/explain", {"history": [3], "ratings": [1, 2]}),
            ("api/prefix", {}),
            ("api/user?id=none", None),
        ):
            status, said, _ = ask(server, path, body)
            assert status == 400
            assert json.loads(said)["error"]
        assert ask(server, "api/about", Host="example.org")[0] == 403
        assert ask(server, "../server.py")[0] == 404
        assert ask(server, "api/explain", {}, **{"Content-Type": "text/plain"})[0] == 400


def test_no_page_asks_an_outside_address(explorers):
    page = saved_page([explorers["vae"]])
    assert not re.findall(r"https?://", page)
    assert "<script src" not in page


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's package chromium")
def test_a_browser_shows_the_servers_list(explorers, tmp_path):
    saved = tmp_path / "page.html"
    explorer = explorers["vae"]
    saved.write_text(saved_page([explorer, explorers["ease"]]), encoding="utf-8")
    titles = [item["title"] for item in explorer.explain(explorer.somebody())["list"]]
    with PageServer([explorer, explorers["ease"]]) as server:
        for address in (f"{server.address}#list", f"{saved.as_uri()}#list"):
            shown = browse(address, tmp_path)
            body = shown[shown.index('id="body"') :]
            assert [body.index(title) for title in titles] == sorted(body.index(title) for title in titles)
            assert 'role="alert"' not in body


def browse(address, tmp_path):
    """The page as a browser has it once its script is done."""
    quiet = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
    command = ["chromium", "--headless", "--no-sandbox", *quiet.split(), "--disable-component-update"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_two_runs_of_unrelated_catalogues_are_refused(explorers, tmp_path):
    table = generate(n_users=150, n_items=50, seed=2)
    renamed = Interactions.from_arrays(table.users, np.char.add("item ", table.items.astype(str)))
    plan = RunConfig("popularity", "generated", "held-out-users", 1, 1, 50, {"held_out": 20}, {})
    other = Explorer(train(plan, lambda: renamed, tmp_path / "other"))
    for both in ([explorers["ease"], other], [other, explorers["ease"]]):
        for look in (PageServer, saved_page):
            with pytest.raises(ValueError, match="these runs know no item in common"):
                look(both)
