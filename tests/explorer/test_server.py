"""The page's server answers this machine only, waits for its runs, and refuses what is not a question."""

import json
import re
import socket
import struct
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

from kerasrec import Interactions, generate
from kerasrec.explorer import Explorer, PageServer, Question, saved_page
from kerasrec.runs import RunConfig, train

TIMEOUT = 120


def request(server, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(server.address + path, data, headers), timeout=TIMEOUT
        ) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


@pytest.fixture(scope="module")
def server(explorer_of):
    with PageServer([explorer_of("vae"), explorer_of("ratings")]) as server:
        yield server


def test_the_page_and_its_files_are_served(server):
    status, page, headers = request(server, "")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    addresses = [a for a in re.findall(r'(?:src|href)="([^"#]+)"', page) if not a.startswith("data:")]
    assert "app.js" in addresses
    imports = re.findall(r'from "\./(.+)";', request(server, "app.js")[1])
    assert "dom.js" in imports
    assert {request(server, address)[0] for address in [*addresses, *imports]} == {200}
    assert request(server, "../server.py")[0] == 404


def test_answers_are_those_of_the_explorer(server, explorer_of):
    about = json.loads(request(server, "api/about")[1])
    assert [run["model"] for run in about["runs"]] == ["MultVAE", "AutoRec"]
    question = {"history": [item["id"] for item in about["example"]["history"]]}
    answer = json.loads(request(server, "api/explain", {**question, "run": 1})[1])
    assert answer == explorer_of("ratings").explain(Question(question["history"]))
    assert json.loads(request(server, "api/items?q=taste")[1]) == explorer_of("vae").catalogue.search("taste")
    user = json.loads(request(server, "api/users?q=")[1])[0]["id"]
    assert json.loads(request(server, f"api/user?id={user}")[1])["user"] == user
    page = json.loads(request(server, "api/save", question)[1])["html"]
    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("api/explain", {"run": 7}, "`run` to be below 2"),
        ("api/explain", {"history": "tea"}, "`history`"),
        ("api/explain", {"seed": -1}, "`seed`"),
        ("api/explain", [], "expected a JSON object, got list"),
        ("api/prefix", {}, "expected one of explain"),
        ("api/weights", {}, "expected one of explain"),
        ("api/user?id=none", None, "expected the id of a test user"),
        ("api/nothing", None, "expected about, items, users or user"),
    ],
)
def test_bad_questions_get_a_message(server, path, body, message):
    status, answer, _ = request(server, path, body)
    assert status == 400
    assert message in json.loads(answer)["error"]


def test_other_hosts_and_content_types_are_refused(server):
    assert request(server, "api/about", Host="example.org")[0] == 403
    assert request(server, "api/explain", {}, **{"Content-Type": "text/plain"})[0] == 400


def test_requests_wait_until_the_runs_are_loaded(explorer_of):
    answers = []
    with PageServer() as server:
        assert request(server, "")[0] == 200
        asking = threading.Thread(target=lambda: answers.append(request(server, "api/about")[0]))
        asking.start()
        asking.join(0.2)
        assert answers == []
        server.show([explorer_of("ease")])
        asking.join(TIMEOUT)
        server.prepare()
    assert answers == [200]


def test_a_closed_tab_prints_no_traceback(explorer_of, capfd):
    with PageServer() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as tab:
            tab.sendall(b"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")
            tab.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
        server.show([explorer_of("ease")])
        assert request(server, "api/about")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_in_use_is_reported(server):
    with pytest.raises(OSError, match=f"cannot listen on port {server.port}.*--port"):
        PageServer(port=server.port)


def test_runs_without_common_items_are_refused(explorer_of, tmp_path):
    table = generate(n_users=150, n_items=50, seed=2)
    renamed = Interactions.from_arrays(table.users, np.char.add("item ", table.items.astype(str)))
    config = RunConfig("popularity", "generated", "held-out-users", 1, 1, 50, {"held_out": 20}, {})
    other = Explorer(train(config, lambda: renamed, tmp_path / "other"))
    for both in ([explorer_of("ease"), other], [other, explorer_of("ease")]):
        for look in (PageServer, saved_page):
            with pytest.raises(ValueError, match="the runs have no item in common"):
                look(both)
