"""Requests answered together: each gets what it would have got alone, in time, and none is forgotten."""

import asyncio
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import eventually, export, request, table
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Batching, Client, Server, ServingError
from kerasrec.serving.batching import Batcher
from kerasrec.serving.servable import RequestError, Servable


class Slow:
    """Stands for a version: doubles what it is asked once `go` is set, and keeps what came together."""

    def __init__(self):
        self.go = threading.Event()
        self.runs = []

    def run(self, signature, inputs):
        self.go.wait(20)
        self.runs.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise tf.errors.InvalidArgumentError(None, None, "negative")
        return {"y": inputs["x"] * 2}


@pytest.fixture
def loop():
    """An event loop that runs in a thread, as a server's does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)
    loop.close()


def asked(batcher, servable, x, **options):
    return batcher.answer(servable, "s", {"x": np.full((1, 1 + abs(x) % 3), float(x))}, **options)


def ask(loop, batcher, servable, x, **options):
    return asyncio.run_coroutine_threadsafe(asked(batcher, servable, x, **options), loop)


def test_what_waits_goes_into_one_run_and_comes_back_apart(loop):
    servable, batcher = Slow(), Batcher(Batching(max_rows=4, parallel=1))
    answers = [ask(loop, batcher, servable, 0)]
    eventually(lambda: (batcher.free, len(batcher)) == (0, 0))
    for x in range(1, 10):
        answers.append(ask(loop, batcher, servable, x))
        eventually(lambda x=x: len(batcher) == x)
    servable.go.set()
    for x, answer in enumerate(answers):
        doubled = answer.result(20)["y"]
        assert doubled.shape[0] == 1
        assert (doubled[0, : 1 + x % 3] == 2 * x).all()
    assert servable.runs == [1, 4, 4, 1]
    eventually(lambda: (len(batcher), batcher.free) == (0, 1))


def test_one_bad_request_does_not_spoil_the_batch(loop):
    servable, batcher = Slow(), Batcher(Batching(parallel=1))
    answers = {1: ask(loop, batcher, servable, 1)}
    eventually(lambda: (batcher.free, len(batcher)) == (0, 0))
    answers |= {x: ask(loop, batcher, servable, x) for x in (2, -3, 4)}
    eventually(lambda: len(batcher) == 3)
    servable.go.set()
    assert [answers[x].result(20)["y"][0, 0] for x in (1, 2, 4)] == [2, 4, 8]
    assert isinstance(answers[-3].exception(20), tf.errors.InvalidArgumentError)


def test_whatever_goes_wrong_in_a_run_reaches_those_who_asked(loop):
    servable, batcher = Slow(), Batcher(Batching(parallel=1))
    servable.run = lambda signature, inputs: {}["y"]
    for _ in range(3):
        assert isinstance(ask(loop, batcher, servable, 1).exception(20), KeyError)
    eventually(lambda: batcher.free == 1)


def test_a_full_queue_refuses_and_a_passed_deadline_is_said(loop):
    servable, batcher = Slow(), Batcher(Batching(max_queue=2, parallel=1))
    first = ask(loop, batcher, servable, 1)
    eventually(lambda: (batcher.free, len(batcher)) == (0, 0))
    second, late = ask(loop, batcher, servable, 2), ask(loop, batcher, servable, 3, timeout=0.2)
    eventually(lambda: len(batcher) == 2)
    with pytest.raises(RequestError, match="2 requests wait already: ask again later") as refused:
        ask(loop, batcher, servable, 0).result(20)
    assert refused.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert late.exception(20).code == grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: len(batcher) == 1)
    gone = ask(loop, batcher, servable, 4)
    eventually(lambda: len(batcher) == 2)
    gone.cancel()  # nobody wants it any more
    eventually(lambda: len(batcher) == 1)
    servable.go.set()
    assert [answer.result(20)["y"][0, 0] for answer in (first, second)] == [2, 4]
    assert servable.runs == [1, 1]
    eventually(lambda: batcher.free == 1)


def test_what_is_late_or_gone_while_it_runs_takes_nothing_from_the_others(loop):
    servable, batcher = Slow(), Batcher(Batching(parallel=1))

    async def together():  # before the batcher's next turn: one by one, the second might come after the batch had left
        pair = asked(batcher, servable, 1, timeout=0.2), asked(batcher, servable, 2)
        answers.extend(map(asyncio.ensure_future, pair))
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)

    answers = []
    asyncio.run_coroutine_threadsafe(together(), loop).result(20)
    late, other = answers
    assert late.exception().code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert not other.done()
    assert (batcher.free, len(batcher)) == (0, 0)
    servable.go.set()
    eventually(other.done)
    assert other.result()["y"][0, 0] == 4
    assert servable.runs == [2]  # both were in it when one was late


def test_a_batch_waits_for_company_as_long_as_it_was_told(loop):
    servable = Slow()
    servable.go.set()
    batcher = Batcher(Batching(max_rows=3, timeout=10.0, parallel=2))
    began = time.monotonic()
    for answer in [ask(loop, batcher, servable, x) for x in (1, 2, 3)]:
        answer.result(20)
    assert time.monotonic() - began < 9  # it was full
    assert servable.runs == [3]
    batcher = Batcher(Batching(max_rows=3, timeout=0.3, parallel=2))
    began = time.monotonic()
    assert ask(loop, batcher, servable, 5).result(20)["y"][0, 0] == 10
    assert time.monotonic() - began >= 0.3


def test_many_clients_all_get_their_own_answer(loop):
    servable, batcher = Slow(), Batcher(Batching(max_rows=8, parallel=2))
    servable.go.set()

    async def client(number):
        for x in range(number * 1000, number * 1000 + 100):
            answer = await batcher.answer(servable, "s", {"x": np.full((1, 1 + x % 4), float(x))})
            assert (answer["y"][0, : 1 + x % 4] == 2 * x).all()

    for done in [asyncio.run_coroutine_threadsafe(client(number), loop) for number in range(16)]:
        done.result(30)
    assert sum(servable.runs) == 1600
    assert max(servable.runs) > 1
    eventually(lambda: batcher.free == 2)


def test_a_number_out_of_range_is_said():
    with pytest.raises(ValueError, match="`max_rows`: expected at least 1, got 0"):
        Batching(max_rows=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("batching") / "films"
    export(path, 1)
    return path


def test_merged_requests_of_all_lengths_and_k_answer_as_alone(folder):
    """One place only, so that nearly all requests are merged with others of other lengths, k and lists."""
    given = []
    rng = np.random.default_rng(1)
    for user in range(table().n_users):
        kept = slice(0, rng.integers(0, table().counts[user] + 1))
        ratings = table().values[table().indptr[user] : table().indptr[user + 1]][kept].tolist()
        options = {
            "k": int(rng.integers(1, 12)),
            "exclude": [f"i{n}" for n in rng.integers(0, 12, rng.integers(0, 4))],
            "candidates": [f"i{n}" for n in rng.integers(0, 12, rng.choice([0, 6]))],
        }
        given.append(([table().item_ids[table().row(user)][kept].tolist()], [ratings], options))
    with Server(folder, port=0, batching=Batching(max_rows=1)) as server:
        with Client(f"127.0.0.1:{server.port}", model="films") as client:
            alone = [client.recommend(h, ratings=r, **options) for h, r, options in given]
    runs, run = [], Servable.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Servable, "run", lambda s, n, inputs: runs.append(len(inputs["history"])) or run(s, n, inputs))
        with Server(folder, port=0, batching=Batching(parallel=1)) as server:
            with Client(f"127.0.0.1:{server.port}", model="films") as client:
                runs.clear()
                together = [None] * len(given)

                def one(number):
                    for _ in range(3):
                        h, r, options = given[number]
                        together[number] = client.recommend(h, ratings=r, **options)

                threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(len(given))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)
    assert max(runs) > 3
    for (ids, scores), (other_ids, other_scores) in zip(alone, together, strict=True):
        np.testing.assert_array_equal(ids, other_ids)
        np.testing.assert_allclose(scores, other_scores, rtol=1e-5, atol=1e-5)


def test_a_full_server_says_so_and_keeps_deadlines(folder, monkeypatch):
    go_on, run = threading.Event(), Servable.run
    server = Server(folder, port=0, batching=Batching(max_rows=1, max_queue=1, parallel=1))
    with server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        monkeypatch.setattr(Servable, "run", lambda *a: go_on.wait(20) and run(*a))
        stub = PredictionServiceStub(channel)
        first = stub.Predict.future(request(), timeout=20)
        eventually(lambda: server.service.batcher.free == 0)
        second = stub.Predict.future(request(), timeout=20)
        eventually(lambda: len(server.service.batcher) == 1)
        with pytest.raises(grpc.RpcError, match="1 requests wait already") as refused:
            stub.Predict(request(), timeout=20)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        second.cancel()  # a client that hangs up
        with pytest.raises(grpc.RpcError) as refused:
            stub.Predict(request(), timeout=0.3)
        assert refused.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        go_on.set()
        assert first.result().outputs
        assert stub.Predict(request(), timeout=20).outputs


def test_the_client_tries_again_on_unavailable_only(folder):
    class Flaky:
        def __init__(self, *codes):
            self.codes = list(codes)

        def GetModelStatus(self, asked, timeout):  # noqa: N802
            error = grpc.RpcError()
            code = self.codes.pop(0)
            error.code, error.details = lambda: code, lambda: "no"
            raise error

    unavailable, invalid = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT
    for codes, left, retries in (
        ([unavailable, unavailable, invalid, unavailable], 1, 3),
        ([unavailable] * 5, 2, 2),
        ([invalid, unavailable], 1, 3),
    ):
        with Client("127.0.0.1:1", model="m", retries=retries) as client:
            client._status = Flaky(*codes)
            with pytest.raises(ServingError):
                client.status()
            assert len(client._status.codes) == left
    with Client("127.0.0.1:1", model="m", timeout=0.05) as client:
        client._status = Flaky(*[unavailable] * 5)
        with pytest.raises(ServingError):
            client.status()
        assert len(client._status.codes) == 4  # no time for a pause


def test_a_client_finds_a_server_that_came_back(folder):
    with Server(folder, port=0) as server:
        port = server.port
        client = Client(f"127.0.0.1:{port}", model="films")
        assert client.status() == {1: "AVAILABLE"}
    with pytest.raises(ServingError):
        client.status()
    with Server(folder, port=port), client:
        client.wait_until_ready(timeout=20)
        assert client.recommend([["i1"]], 2, ratings=[[5]])[0].shape == (1, 2)
