"""A server with every model of the zoo: the client and REST return the lists of the model."""

import json
import urllib.request

import numpy as np
import pytest
from kerasrec_testing.exports import N_ITEMS, exported
from kerasrec_testing.models import CASES, FIRST_OF_MODEL
from kerasrec_testing.served import TIMEOUT, client_of

from kerasrec.serving import Server

# The inputs of a model's other cases are the same, but those of "cdae without users", "auto_rec items" and "cfn items".
SERVED = [case for case in CASES if case in FIRST_OF_MODEL or case.endswith(("without users", "items"))]


@pytest.fixture(scope="module", params=SERVED)
def case(request):
    """A model, its table, a client and the REST address."""
    model, table, version = exported(request.param)
    with Server(version.parent, "m", port=0, rest_port=0) as server, client_of(server, model="m") as client:
        yield model, table, client, f"http://127.0.0.1:{server.rest_port}/v1/models/m:predict"


def questions(model, table):
    """The arguments of the client for all users of the table."""
    rows = [slice(*table.indptr[u : u + 2]) for u in range(table.n_users)]
    argument_of_input = {
        "history": ("histories", [table.item_ids[table.items[row]].tolist() for row in rows]),
        "ratings": ("ratings", [table.values[row].tolist() for row in rows]),
        "user_id": ("user_ids", table.user_ids.tolist()),
    }
    return dict(argument_of_input[name] for name in model.as_user_model(table).serving_inputs)


def test_the_served_top_10_is_that_of_the_model(case):
    model, table, client, _ = case
    question = questions(model, table)
    item_ids, scores = client.recommend(**question, k=10)
    expected = model.recommend(table, k=10)
    np.testing.assert_array_equal(item_ids, expected.item_ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-5, atol=1e-5)
    assert item_ids.dtype.kind == table.item_ids.dtype.kind
    for user in range(table.n_users):
        assert not np.isin(item_ids[user], table.item_ids[table.row(user)]).any()

    exclude, candidates = item_ids[0, :2].tolist(), table.item_ids[::2].tolist()
    filtered, _ = client.recommend(**question, k=10, exclude=exclude, candidates=candidates)
    expected = model.recommend(table, k=10, exclude=exclude, candidates=candidates)
    np.testing.assert_array_equal(filtered, expected.item_ids)

    one = {name: rows[7:8] for name, rows in question.items()}
    np.testing.assert_array_equal(client.recommend(**one, k=10)[0], item_ids[7:8])
    all_scores = client.score(**one)
    assert all_scores.shape == (1, N_ITEMS)
    unseen = np.setdiff1d(np.arange(N_ITEMS), table.row(7))
    np.testing.assert_allclose(np.sort(all_scores[0, unseen])[::-1][:10], scores[7], rtol=1e-5, atol=1e-5)


def columns(model, table, k):
    """The inputs of `recommend` for all users of the table."""
    width, has_strings = int(table.counts.max()), table.item_ids.dtype.kind == "U"
    padding = "" if has_strings else -1
    name_of_argument = {"histories": "history", "user_ids": "user_id"}
    padding_of_input = {"history": padding, "ratings": 0.0}
    blank = [[padding]] * table.n_users
    inputs = {"k": [k] * table.n_users, "exclude": blank, "candidates": blank}
    for argument, rows in questions(model, table).items():
        name = name_of_argument.get(argument, argument)
        if name in padding_of_input:
            rows = [[padding_of_input[name]] * (1 + width - len(row)) + row for row in rows]
        inputs[name] = rows
    return inputs


def test_rest_returns_the_top_10_of_the_model(case):
    model, table, _, url = case
    expected, inputs = model.recommend(table, k=10), columns(model, table, 10)
    body = json.dumps({"signature_name": "recommend", "inputs": inputs}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=TIMEOUT) as response:
        outputs = json.load(response)["outputs"]
    np.testing.assert_array_equal(np.array(outputs["item_ids"]), expected.item_ids)
    np.testing.assert_allclose(np.array(outputs["scores"], float), expected.scores, rtol=1e-5, atol=1e-5)
