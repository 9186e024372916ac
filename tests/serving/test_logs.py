"""Log lines: format, request ids, repetitions, and what a server logs."""

import io
import json
import logging

import grpc
import pytest
from kerasrec_testing.served import TIMEOUT, export_version, predict_request, wait_until

from kerasrec.serving import Server
from kerasrec.serving.logs import ACCESS_LOG, LIMITED_LINES, LOG, RepetitionLimit, configure_logs, new_request_id


@pytest.fixture
def stream():
    """A stream to log to; the log is as before after the test."""
    root, levels = logging.getLogger(), (LOG.level, ACCESS_LOG.level)
    handlers, root_level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(root_level)
    LOG.setLevel(levels[0])
    ACCESS_LOG.setLevel(levels[1])


def test_a_text_line_starts_with_the_time_and_the_level(stream):
    configure_logs(to=stream)
    LOG.info("version %d is active", 3)
    LOG.debug("not shown")
    time, level, *message = stream.getvalue().split(" ")
    assert (len(time), time[10], time[-1], level) == (24, "T", "Z", "INFO")
    assert " ".join(message) == "version 3 is active\n"


def test_a_json_line_contains_the_traceback_and_the_request_id(stream):
    configure_logs(log_format="json", to=stream)
    new_request_id("shop-1")
    try:
        raise KeyError("film")
    except KeyError:
        LOG.exception("a request failed")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields["traceback"].endswith("KeyError: 'film'")
    del fields["traceback"], fields["time"]
    expected = {"level": "error", "logger": "kerasrec.serving", "message": "a request failed", "request_id": "shop-1"}
    assert fields == expected


@pytest.mark.parametrize("given", ["", "two words", "a" * 65, "line\nbreak", "é"])
def test_an_invalid_request_id_is_replaced(given):
    value = new_request_id(given)
    assert value != given
    assert len(value) == 16


def test_repeated_lines_are_counted_instead_of_written():
    limit = RepetitionLimit()

    def record(seconds, message="connection %d failed"):
        line = logging.LogRecord("kerasrec.serving", logging.ERROR, "", 0, message, (), None)
        line.created = float(seconds)
        return line

    shown = [limit.filter(record(n / 100)) for n in range(1000)]
    assert shown == [True] * LIMITED_LINES + [False] * (1000 - LIMITED_LINES)
    assert limit.filter(record(1, "another message"))
    later = record(61)
    assert limit.filter(later)
    assert later.getMessage().endswith("(980 similar lines omitted)")


def test_the_life_of_a_version_and_the_requests_are_logged(stream, tmp_path):
    export_version(tmp_path / "films", 1)
    configure_logs(log_format="json", access=True, to=stream)
    with Server(tmp_path / "films", port=0, poll=0.05) as server:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            call(predict_request().SerializeToString(), timeout=TIMEOUT, metadata=[("x-request-id", "shop-7")])
            with pytest.raises(grpc.RpcError) as rejected:
                invalid = predict_request(model="songs").SerializeToString()
                call(invalid, timeout=TIMEOUT, metadata=[("x-request-id", "shop-8")])
            assert ("x-request-id", "shop-8") in rejected.value.trailing_metadata()
        (tmp_path / "films" / "3").mkdir()
        wait_until(lambda: "rejected" in stream.getvalue())
        export_version(tmp_path / "films", 4)
        wait_until(lambda: "unloaded" in stream.getvalue())
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    messages = [line["message"] for line in lines if line["logger"] == "kerasrec.serving"]
    prefix = "model 'films': version "
    events = [message.removeprefix(prefix).split(" after ")[0].split(":")[0] for message in messages]
    expected = ["1 is loaded", "1 is active", "3 is rejected", "4 is loaded", "4 is active", "1 is unloaded"]
    assert events == expected
    requests = [line for line in lines if line["logger"] == "kerasrec.serving.access"]
    fields = [(r["protocol"], r["method"], r["model"], r["status"], r["request_id"]) for r in requests]
    assert fields == [("grpc", "Predict", "films", "OK", "shop-7"), ("grpc", "Predict", "", "NOT_FOUND", "shop-8")]
    assert all(request["ms"] > 0 for request in requests)
