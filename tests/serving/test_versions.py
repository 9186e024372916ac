"""Version folders that change while a server runs, and configurations that are replaced."""

import functools
import os
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from kerasrec_testing.served import (
    TIMEOUT,
    client_of,
    export_version,
    history_of,
    model,
    predict_request,
    ratings_of,
    table,
    wait_until,
)
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from kerasrec.serving import Batching, Server, ServingError
from kerasrec.serving.servable import Servable

N_SWAPS = int(os.environ.get("KERASREC_SWAPS", "5"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two versions with different scores."""
    path = tmp_path_factory.mktemp("exported") / "films"
    export_version(path, 1, seed=1)
    export_version(path, 2, seed=2)
    return path


@functools.cache
def expected_scores(seed):
    """The scores of user 0 by the model of that seed."""
    return model(seed).recommend(table().take_users(np.arange(1)), k=3).scores[0]


def served_scores(client):
    return client.recommend([history_of(0)], 3, ratings=[ratings_of(0).tolist()])[1][0]


def publish(exported, path, version, to=None):
    """Copies a version under a hidden name and renames it, so that it appears complete."""
    shutil.copytree(exported / str(version), path / ".incoming")
    (path / ".incoming").rename(path / str(to or version))


def config(**models):
    """The text of a configuration; models: name=(path, further fields)."""
    text = "".join(
        f"config {{ name: '{name}' base_path: '{path}' model_platform: 'tensorflow' {fields} }}"
        for name, (path, fields) in models.items()
    )
    return f"model_config_list {{ {text} }}"


def reload(server, text):
    request = ReloadConfigRequest(config=text_format.Parse(text, ModelServerConfig()))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=TIMEOUT)


def remove_graph(version):
    (version / "saved_model.pb").unlink()


def corrupt_graph(version):
    (version / "saved_model.pb").write_bytes(b"\x00not a graph")


def truncate_variables(version):
    file = next((version / "variables").glob("*data*"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def remove_variables(version):
    shutil.rmtree(version / "variables")


def remove_vocabulary(version):
    (version / "assets" / "item_ids.txt").unlink()


def replace_warmup(version):
    history, ratings = [["", "i1"]], np.array([[0, 5]], np.float32)
    request = predict_request("recommend", history=history, ratings=ratings, k=np.array([10**6], np.int32))
    with tf.io.TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(PredictionLog(predict_log=PredictLog(request=request)).SerializeToString())


DEFECTS = (remove_graph, corrupt_graph, truncate_variables, remove_variables, remove_vocabulary, replace_warmup)


def test_a_defective_version_changes_nothing_and_its_status_contains_the_error(exported, tmp_path):
    path = tmp_path / "films"
    path.mkdir()
    publish(exported, path, 1)
    with Server(path, port=0, poll=0.02) as server, client_of(server) as client:
        np.testing.assert_allclose(served_scores(client), expected_scores(1), rtol=1e-5)
        for version, defect in enumerate(DEFECTS, 2):
            shutil.copytree(exported / "2", path / ".incoming")
            defect(path / ".incoming")
            (path / ".incoming").rename(path / str(version))
            wait_until(lambda version=version: client.status().get(version, "").startswith("END: "))
            assert len(client.status()[version]) > len("END: ") + 10
            assert client.status()[1] == "AVAILABLE"
            np.testing.assert_allclose(served_scores(client), expected_scores(1), rtol=1e-5)
        with client_of(server, version=3) as other, pytest.raises(ServingError, match="3 .* is END: "):
            served_scores(other)
        assert "k`" in client.status()[7]

        # A version is tried again when its files change.
        shutil.copytree(exported / "2" / "variables", path / "5" / "variables")
        wait_until(lambda: client.status()[5] == "AVAILABLE" and "AVAILABLE" not in client.status()[1])
        np.testing.assert_allclose(served_scores(client), expected_scores(2), rtol=1e-5)
        # If it is removed, the highest remaining version serves again.
        (path / "5").rename(tmp_path / "withdrawn")
        wait_until(lambda: client.status().get(1) == "AVAILABLE" and 5 not in client.status())
        np.testing.assert_allclose(served_scores(client), expected_scores(1), rtol=1e-5)


def test_a_server_starts_with_the_highest_intact_version(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "films")
    truncate_variables(tmp_path / "films" / "2")
    with Server(tmp_path / "films", port=0) as server, client_of(server) as client:
        assert client.status()[1] == "AVAILABLE"
        assert client.status()[2].startswith("END: ")
        np.testing.assert_allclose(served_scores(client), expected_scores(1), rtol=1e-5)


@pytest.mark.slow
def test_versions_change_under_load_without_a_failed_or_mixed_answer(exported, tmp_path):
    path = tmp_path / "films"
    path.mkdir()
    publish(exported, path, 1)
    answers, failures, stop = [], [], threading.Event()

    def ask_repeatedly(server):
        with client_of(server, retries=0) as client:
            while not stop.is_set():
                try:
                    answers.append(served_scores(client))
                except Exception as error:
                    failures.append(error)
                time.sleep(0.25)  # without pauses, 32 clients leave two cores no time to load a version

    with Server(path, port=0, poll=0.02) as server, client_of(server) as client:
        threads = [threading.Thread(target=ask_repeatedly, args=(server,), daemon=True) for _ in range(32)]
        for thread in threads:
            thread.start()
        for version in range(2, 2 + N_SWAPS):
            publish(exported, path, 1 + version % 2, to=version)
            wait_until(lambda version=version: client.status().get(version) == "AVAILABLE")
            wait_until(lambda version=version: client.status()[version - 1] == "END")
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    matches = [[np.allclose(answer, expected_scores(seed), rtol=1e-5) for answer in answers] for seed in (1, 2)]
    assert np.sum(matches, axis=0).tolist() == [1] * len(answers)
    assert np.all(np.sum(matches, axis=1) > 0)


def test_an_old_version_is_unloaded_after_its_last_request(exported, tmp_path, monkeypatch):
    path = tmp_path / "films"
    path.mkdir()
    publish(exported, path, 1)
    run, block, started, gate = Servable.run, threading.Event(), threading.Event(), threading.Event()

    def run_version_1_slowly(servable, signature, inputs):
        if servable.version == 1 and block.is_set():
            started.set()
            gate.wait(TIMEOUT)
        return run(servable, signature, inputs)

    monkeypatch.setattr(Servable, "run", run_version_1_slowly)
    server = Server(path, port=0, poll=0.02, batching=Batching(parallel=2))
    with server, client_of(server) as client:
        served_scores(client)
        block.set()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(served_scores(client)), daemon=True)
        thread.start()
        assert started.wait(TIMEOUT)
        publish(exported, path, 2)
        wait_until(lambda: client.status() == {1: "UNLOADING", 2: "AVAILABLE"})
        np.testing.assert_allclose(served_scores(client), expected_scores(2), rtol=1e-5)
        gate.set()
        thread.join()
        np.testing.assert_allclose(answers[0], expected_scores(1), rtol=1e-5)
        wait_until(lambda: client.status()[1] == "END")


@pytest.fixture(scope="module")
def three_models(exported, tmp_path_factory):
    """A server of one folder under three names, with different policies. Its last test changes the models."""
    file = tmp_path_factory.mktemp("three") / "models.config"
    file.write_text(
        config(
            films=(exported, "model_version_policy { all {} } version_labels { key: 'stable' value: 1 }"),
            newest=(exported, ""),
            first=(exported, "model_version_policy { specific { versions: 1 } }"),
        )
    )
    with Server(file, port=0) as server:
        yield server


def test_several_models_versions_and_labels(three_models):
    for name, version, label, seed in (
        ("films", None, None, 2),
        ("films", 1, None, 1),
        ("films", None, "stable", 1),
        ("newest", None, None, 2),
        ("first", None, None, 1),
    ):
        with client_of(three_models, model=name, version=version, label=label) as client:
            np.testing.assert_allclose(served_scores(client), expected_scores(seed), rtol=1e-5)
    with (
        client_of(three_models, label="canary") as client,
        pytest.raises(ServingError, match="canary. Labels: stable"),
    ):
        served_scores(client)


def test_a_rejected_configuration_changes_nothing(three_models, exported, tmp_path):
    label = "version_labels { key: 'x' value: 9 } model_version_policy { specific { versions: 1 } }"
    rejected_texts = {
        "has no version that can be loaded": config(films=(tmp_path / "nowhere", "")),
        "label 'x' of model 'films' is set to version 9": config(films=(exported, label)),
        "at least one": "",
    }
    for message, text in rejected_texts.items():
        with pytest.raises(grpc.RpcError) as rejected:
            reload(three_models, text)
        assert message in rejected.value.details()
        assert rejected.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
        with client_of(three_models) as client:
            assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}
        with grpc.insecure_channel(f"127.0.0.1:{three_models.port}") as channel:
            response = PredictionServiceStub(channel).Predict(predict_request(), timeout=TIMEOUT)
            assert response.model_spec.version.value == 2


def test_a_reloaded_configuration_adds_moves_and_removes_models(three_models, exported):
    moved = "version_labels { key: 'stable' value: 2 } model_version_policy { specific { versions: 2 } }"
    response = reload(three_models, config(films=(exported, moved), other=(exported, "")))
    assert response.status.error_code == 0
    assert sorted(three_models.names) == ["films", "other"]
    with client_of(three_models, label="stable") as client:
        np.testing.assert_allclose(served_scores(client), expected_scores(2), rtol=1e-5)
        assert client.status() == {2: "AVAILABLE"}
    with client_of(three_models, model="newest") as client, pytest.raises(ServingError, match="'newest' not found"):
        served_scores(client)


def test_a_server_without_a_version_does_not_start(tmp_path):
    file = tmp_path / "models.config"
    file.write_text(config(films=("nowhere", "")))
    with pytest.raises(ValueError, match="model 'films' has no version that can be loaded: no version folder in"):
        Server(file, port=0).start()


def test_a_changed_models_config_is_read_while_the_server_runs(exported, tmp_path):
    """An invalid file changes nothing."""
    file = tmp_path / "models.config"
    file.write_text(config(films=(exported, "model_version_policy { specific { versions: 1 } }")))
    with Server(file, port=0, poll=0.05) as server, client_of(server) as client:
        assert client.status() == {1: "AVAILABLE"}
        file.write_text("model_config_list {")
        wait_until(lambda: server.models._rejected_config_text)
        assert client.status() == {1: "AVAILABLE"}
        file.write_text(config(films=(exported, ""), more=(exported, "")))
        wait_until(lambda: server.names == ["films", "more"])
        wait_until(lambda: client.status().get(2) == "AVAILABLE")
