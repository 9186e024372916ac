"""Merged requests: each gets the answer that it would get alone."""

import asyncio
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.served import (
    TIMEOUT,
    client_of,
    export_version,
    history_of,
    predict_request,
    ratings_of,
    table,
    wait_until,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from kerasrec.serving import Batching, Server
from kerasrec.serving.batching import Batcher
from kerasrec.serving.errors import RequestError
from kerasrec.serving.merging import MISSING_SCORE, joined
from kerasrec.serving.servable import Servable


class Doubler:
    """Stands for a version: doubles its input once `gate` is set, and stores the number of rows of each run."""

    top_k = 0

    def __init__(self, is_open=False):
        self.gate = threading.Event()
        if is_open:
            self.gate.set()
        self.started = threading.Event()
        self.runs = []

    def run(self, signature, inputs):
        self.started.set()
        assert self.gate.wait(TIMEOUT)
        self.runs.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise tf.errors.InvalidArgumentError(None, None, "negative")
        return {"y": inputs["x"] * 2}


class ManualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test can advance."""

    offset = 0.0

    def time(self):
        return super().time() + self.offset

    def advance(self, seconds):
        def add():
            self.offset += seconds

        self.call_soon_threadsafe(add)


@pytest.fixture
def loop():
    """An event loop that runs in a thread, as that of a server."""
    loop = ManualClockLoop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(TIMEOUT)
    loop.close()


def row(x):
    """A request of one row whose length depends on `x`."""
    return {"x": np.full((1, 1 + abs(x) % 3), float(x))}


def submit(loop, batcher, servable, x, **options):
    return asyncio.run_coroutine_threadsafe(batcher.run(servable, "s", row(x), **options), loop)


def test_waiting_requests_run_together_and_get_separate_answers(loop):
    servable, batcher = Doubler(), Batcher(Batching(max_rows=4, parallel=1))
    answers = [submit(loop, batcher, servable, 0)]
    wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
    for x in range(1, 10):
        answers.append(submit(loop, batcher, servable, x))
        wait_until(lambda x=x: len(batcher) == x)
    servable.gate.set()
    for x, answer in enumerate(answers):
        doubled = answer.result(TIMEOUT)["y"]
        assert doubled.shape[0] == 1
        assert (doubled[0, : 1 + x % 3] == 2 * x).all()
    assert servable.runs == [1, 4, 4, 1]
    wait_until(lambda: (len(batcher), batcher.free_slots) == (0, 1))


def test_an_invalid_request_does_not_fail_the_others_of_its_batch(loop):
    servable, batcher = Doubler(), Batcher(Batching(parallel=1))
    answers = {1: submit(loop, batcher, servable, 1)}
    wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
    answers |= {x: submit(loop, batcher, servable, x) for x in (2, -3, 4)}
    wait_until(lambda: len(batcher) == 3)
    servable.gate.set()
    assert [answers[x].result(TIMEOUT)["y"][0, 0] for x in (1, 2, 4)] == [2, 4, 8]
    assert isinstance(answers[-3].exception(TIMEOUT), tf.errors.InvalidArgumentError)


def test_a_request_of_many_rows_runs_in_parts_between_the_batches_of_others(loop):
    servable, batcher = Doubler(), Batcher(Batching(max_rows=64, parallel=1))
    many = {"x": np.arange(200.0).reshape(200, 1)}
    large = asyncio.run_coroutine_threadsafe(batcher.run(servable, "s", many), loop)
    wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
    small = [submit(loop, batcher, servable, x) for x in (1, 2)]
    wait_until(lambda: len(batcher) == 2)
    servable.gate.set()
    np.testing.assert_array_equal(large.result(TIMEOUT)["y"], many["x"] * 2)
    assert [answer.result(TIMEOUT)["y"][0, 0] for answer in small] == [2, 4]
    assert servable.runs == [64, 2, 64, 64, 8]


def test_a_request_with_long_rows_runs_in_smaller_parts(loop):
    servable, batcher = Doubler(is_open=True), Batcher(Batching(max_rows=64, parallel=1))
    long = {"x": np.arange(40.0 * 1000).reshape(40, 1000)}
    answer = asyncio.run_coroutine_threadsafe(batcher.run(servable, "s", long), loop).result(TIMEOUT)
    np.testing.assert_array_equal(answer["y"], long["x"] * 2)
    assert servable.runs == [16, 16, 8]


def test_the_parts_of_a_request_can_have_lists_of_different_lengths():
    lists = [{"item_ids": np.full((2, k), k), "scores": np.full((2, k), 0.5, np.float32)} for k in (3, 1)]
    answer = joined([{**part, "n_valid": np.array([1, 1])} for part in lists])
    assert answer["item_ids"].tolist() == [[3, 3, 3], [3, 3, 3], [1, -1, -1], [1, -1, -1]]
    assert answer["scores"][2].tolist() == [0.5, MISSING_SCORE, MISSING_SCORE]
    assert answer["n_valid"].tolist() == [1] * 4


def test_an_unexpected_error_of_a_run_reaches_its_requests(loop):
    servable, batcher = Doubler(), Batcher(Batching(parallel=1))
    servable.run = lambda signature, inputs: {}["y"]
    for _ in range(3):
        assert isinstance(submit(loop, batcher, servable, 1).exception(TIMEOUT), KeyError)
    wait_until(lambda: batcher.free_slots == 1)


def test_a_full_queue_rejects_requests_and_cancelled_ones_leave_it(loop):
    servable, batcher = Doubler(), Batcher(Batching(max_queue=2, parallel=1))
    running = submit(loop, batcher, servable, 1)
    wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
    waiting, cancelled = submit(loop, batcher, servable, 2), submit(loop, batcher, servable, 3)
    wait_until(lambda: len(batcher) == 2)
    with pytest.raises(RequestError, match="the queue is full with 2 requests") as rejected:
        submit(loop, batcher, servable, 0).result(TIMEOUT)
    assert rejected.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    cancelled.cancel()
    wait_until(lambda: len(batcher) == 1)
    servable.gate.set()
    assert [answer.result(TIMEOUT)["y"][0, 0] for answer in (running, waiting)] == [2, 4]
    assert servable.runs == [1, 1]
    wait_until(lambda: batcher.free_slots == 1)


def test_a_request_leaves_the_queue_at_its_deadline(loop):
    servable, batcher = Doubler(), Batcher(Batching(parallel=1))
    running = submit(loop, batcher, servable, 1, timeout=7200)
    wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
    late = submit(loop, batcher, servable, 2, timeout=3600)
    wait_until(lambda: len(batcher) == 1)
    loop.advance(3601)
    assert late.exception(TIMEOUT).code == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: len(batcher) == 0)
    servable.gate.set()
    assert running.result(TIMEOUT)["y"][0, 0] == 2
    assert servable.runs == [1]


def test_a_deadline_during_a_run_does_not_affect_the_others_of_the_batch(loop):
    servable, batcher = Doubler(), Batcher(Batching(max_rows=2, timeout=3600, parallel=1))
    late, other = submit(loop, batcher, servable, 1, timeout=60), submit(loop, batcher, servable, 2)
    assert servable.started.wait(TIMEOUT)
    loop.advance(61)
    assert late.exception(TIMEOUT).code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert not other.done()
    servable.gate.set()
    assert other.result(TIMEOUT)["y"][0, 0] == 4
    assert servable.runs == [2]


def test_a_batch_waits_until_it_is_full_or_its_timeout_passes(loop):
    servable = Doubler(is_open=True)
    batcher = Batcher(Batching(max_rows=3, timeout=3600, parallel=1))
    answers = []
    for x in (1, 2):
        answers.append(submit(loop, batcher, servable, x))
        wait_until(lambda: batcher.free_slots == 0 and len(batcher) == 0)  # collected
    assert not servable.started.is_set()
    answers.append(submit(loop, batcher, servable, 3))
    for answer in answers:
        answer.result(TIMEOUT)
    assert servable.runs == [3]

    servable.started.clear()
    alone = submit(loop, batcher, servable, 5)
    wait_until(lambda: batcher.free_slots == 0 and len(batcher) == 0)
    assert not servable.started.is_set()
    loop.advance(3601)
    assert alone.result(TIMEOUT)["y"][0, 0] == 10
    assert servable.runs == [3, 1]


def test_many_clients_get_their_own_answers(loop):
    servable, batcher = Doubler(is_open=True), Batcher(Batching(max_rows=8, parallel=2))

    async def client(number):
        for x in range(number * 1000, number * 1000 + 100):
            answer = await batcher.run(servable, "s", {"x": np.full((1, 1 + x % 4), float(x))})
            assert (answer["y"][0, : 1 + x % 4] == 2 * x).all()

    for client_task in [asyncio.run_coroutine_threadsafe(client(number), loop) for number in range(16)]:
        client_task.result(TIMEOUT)
    assert sum(servable.runs) == 1600
    assert max(servable.runs) > 1
    wait_until(lambda: batcher.free_slots == 2)


def test_limits_out_of_range_are_rejected():
    with pytest.raises(ValueError, match="`max_rows`: expected at least 1, got 0"):
        Batching(max_rows=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("batching") / "films"
    export_version(path, 1)
    return path


def questions():
    """For each user of the table a part of the history, with another k and other lists."""
    rng = np.random.default_rng(1)
    for user in range(table().n_users):
        part = slice(0, rng.integers(0, table().counts[user] + 1))
        options = {
            "ratings": [ratings_of(user)[part].tolist()],
            "k": int(rng.integers(1, 12)),
            "exclude": [f"i{n}" for n in rng.integers(0, 12, rng.integers(0, 4))],
            "candidates": [f"i{n}" for n in rng.integers(0, 12, rng.choice([0, 6]))],
        }
        yield [history_of(user)[part]], options


def test_merged_requests_of_all_lengths_and_k_have_the_separate_answers(folder, monkeypatch):
    histories, options = zip(*questions(), strict=True)
    with Server(folder, port=0, batching=Batching(max_rows=1)) as server, client_of(server) as client:
        separate = [client.recommend(h, **o) for h, o in zip(histories, options, strict=True)]

    run, batch_sizes = Servable.run, []

    def run_when_all_others_wait(servable, signature, inputs):
        if not batch_sizes:
            wait_until(lambda: len(server.service.batcher) == len(histories) - 1)
        batch_sizes.append(len(inputs["history"]))
        return run(servable, signature, inputs)

    merged = [None] * len(histories)
    with Server(folder, port=0, batching=Batching(parallel=1)) as server, client_of(server) as client:
        monkeypatch.setattr(Servable, "run", run_when_all_others_wait)

        def ask(number):
            merged[number] = client.recommend(histories[number], **options[number])

        threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(len(histories))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert batch_sizes == [1, len(histories) - 1]
    for (ids, scores), (merged_ids, merged_scores) in zip(separate, merged, strict=True):
        np.testing.assert_array_equal(ids, merged_ids)
        np.testing.assert_allclose(scores, merged_scores, rtol=1e-5, atol=1e-5)


def test_a_full_server_rejects_requests_and_respects_deadlines(folder, monkeypatch):
    gate, run = threading.Event(), Servable.run
    server = Server(folder, port=0, batching=Batching(max_rows=1, max_queue=1, parallel=1))
    with server, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        monkeypatch.setattr(Servable, "run", lambda *a: gate.wait(TIMEOUT) and run(*a))
        batcher, stub = server.service.batcher, PredictionServiceStub(channel)
        running = stub.Predict.future(predict_request(), timeout=TIMEOUT)
        wait_until(lambda: (batcher.free_slots, len(batcher)) == (0, 0))
        waiting = stub.Predict.future(predict_request(), timeout=TIMEOUT)
        wait_until(lambda: len(batcher) == 1)
        with pytest.raises(grpc.RpcError, match="the queue is full with 1 requests") as rejected:
            stub.Predict(predict_request(), timeout=TIMEOUT)
        assert rejected.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        waiting.cancel()
        wait_until(lambda: len(batcher) == 0)
        with pytest.raises(grpc.RpcError) as rejected:
            stub.Predict(predict_request(), timeout=0.3)
        assert rejected.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_until(lambda: len(batcher) == 0)
        gate.set()
        assert running.result().outputs
        assert stub.Predict(predict_request(), timeout=TIMEOUT).outputs
