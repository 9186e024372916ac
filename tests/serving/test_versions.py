"""Folders that change under a running server, and configurations."""

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
from kerasrec_testing.served import eventually, export, model, request, table
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from kerasrec.serving import Batching, Client, Server, ServingError
from kerasrec.serving.servable import Servable

N_SWAPS = int(os.environ.get("KERASREC_SWAPS", "20"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two versions that answer differently."""
    path = tmp_path_factory.mktemp("exported") / "films"
    export(path, 1, seed=1)
    export(path, 2, seed=2)
    return path


@functools.cache
def truth(seed):
    rows = table().take_users(np.arange(1))
    return model(seed).recommend(rows, k=3).scores[0]


def ask(client):
    rows = table().row(0)
    return client.recommend([table().item_ids[rows].tolist()], 3, ratings=[table().values[: len(rows)].tolist()])[1][0]


def copy(exported, path, version, to=None):
    """As a careful publisher does: under another name first."""
    shutil.copytree(exported / str(version), path / ".coming")
    (path / ".coming").rename(path / str(to or version))


def config(**models):
    """models: name=(path, rest of the text)."""
    text = "".join(
        f"config {{ name: '{name}' base_path: '{path}' model_platform: 'tensorflow' {more} }}"
        for name, (path, more) in models.items()
    )
    return f"model_config_list {{ {text} }}"


def reload(server, text):
    asked = ReloadConfigRequest(config=text_format.Parse(text, ModelServerConfig()))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return ModelServiceStub(channel).HandleReloadConfigRequest(asked, timeout=60)


def break_empty(version):
    (version / "saved_model.pb").unlink()


def break_graph(version):
    (version / "saved_model.pb").write_bytes(b"\x00not a graph")


def break_variables(version):
    file = next((version / "variables").glob("*data*"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def break_half(version):
    shutil.rmtree(version / "variables")


def break_vocabulary(version):
    (version / "assets" / "item_ids.txt").unlink()


def break_warmup(version):
    wrong = request("recommend", k=np.array([10**6], np.int32))
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

    with tf.io.TFRecordWriter(str(version / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(PredictionLog(predict_log=PredictLog(request=wrong)).SerializeToString())


BREAKS = (break_empty, break_graph, break_variables, break_half, break_vocabulary, break_warmup)


def test_a_broken_version_changes_nothing_and_its_status_says_why(exported, tmp_path):
    path = tmp_path / "films"
    path.mkdir()
    copy(exported, path, 1)
    with Server(path, port=0, poll=0.02) as server, Client(f"127.0.0.1:{server.port}", model="films") as client:
        np.testing.assert_allclose(ask(client), truth(1), rtol=1e-5)
        for number, break_it in enumerate(BREAKS, 2):
            shutil.copytree(exported / "2", path / ".coming")
            break_it(path / ".coming")
            (path / ".coming").rename(path / str(number))
            eventually(lambda number=number: client.status().get(number, "").startswith("END: "))
            assert len(client.status()[number]) > len("END: ") + 10
            assert client.status()[1] == "AVAILABLE"
            np.testing.assert_allclose(ask(client), truth(1), rtol=1e-5)
        with (
            Client(client.target, model="films", version=3) as other,
            pytest.raises(ServingError, match="3 .* is END: "),
        ):
            ask(other)
        assert "k` must be between 1 and 12" in client.status()[7]

        # Written while the server looks: it is tried again once its files are whole.
        shutil.copytree(exported / "2" / "variables", path / "5" / "variables")
        eventually(lambda: client.status()[5] == "AVAILABLE" and "AVAILABLE" not in client.status()[1])
        np.testing.assert_allclose(ask(client), truth(2), rtol=1e-5)
        # Taken away again: back to the one before.
        (path / "5").rename(tmp_path / "withdrawn")
        eventually(lambda: client.status().get(1) == "AVAILABLE" and 5 not in client.status())
        np.testing.assert_allclose(ask(client), truth(1), rtol=1e-5)


def test_a_server_starts_from_the_last_good_version(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "films")
    break_variables(tmp_path / "films" / "2")
    with Server(tmp_path / "films", port=0) as server, Client(f"127.0.0.1:{server.port}", model="films") as client:
        assert client.status()[1] == "AVAILABLE"
        assert client.status()[2].startswith("END: ")
        np.testing.assert_allclose(ask(client), truth(1), rtol=1e-5)


def test_versions_change_under_load_without_a_failed_or_mixed_answer(exported, tmp_path):
    path = tmp_path / "films"
    path.mkdir()
    copy(exported, path, 1)
    answers, failures, done = [], [], threading.Event()

    def load(target):
        with Client(target, model="films", retries=0) as client:
            while not done.is_set():
                try:
                    answers.append(ask(client))
                except Exception as error:
                    failures.append(error)
                time.sleep(0.25)  # 32 clients that never rest leave nothing of two cores to load a version with

    with Server(path, port=0, poll=0.02) as server, Client(f"127.0.0.1:{server.port}", model="films") as client:
        threads = [threading.Thread(target=load, args=(client.target,), daemon=True) for _ in range(32)]
        for thread in threads:
            thread.start()
        for number in range(2, 2 + N_SWAPS):
            copy(exported, path, 1 + number % 2, to=number)
            eventually(lambda number=number: client.status().get(number) == "AVAILABLE")
            eventually(lambda number=number: client.status()[number - 1] == "END")
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    which = [[np.allclose(answer, truth(seed), rtol=1e-5) for answer in answers] for seed in (1, 2)]
    assert np.sum(which, axis=0).tolist() == [1] * len(answers)
    assert np.all(np.sum(which, axis=1) > 0)


def test_an_old_version_ends_when_its_last_request_is_answered(exported, tmp_path, monkeypatch):
    path = tmp_path / "films"
    path.mkdir()
    copy(exported, path, 1)
    run, began, go_on = Servable.run, threading.Event(), threading.Event()

    def slow(servable, signature, inputs):
        if servable.version == 1 and began.armed:
            began.set()
            go_on.wait(20)
        return run(servable, signature, inputs)

    began.armed = False
    monkeypatch.setattr(Servable, "run", slow)
    server = Server(path, port=0, poll=0.02, batching=Batching(parallel=2))
    with server, Client(f"127.0.0.1:{server.port}", model="films") as client:
        ask(client)
        began.armed = True
        answers = []
        thread = threading.Thread(target=lambda: answers.append(ask(client)), daemon=True)
        thread.start()
        assert began.wait(20)
        copy(exported, path, 2)
        eventually(lambda: client.status() == {1: "UNLOADING", 2: "AVAILABLE"})
        np.testing.assert_allclose(ask(client), truth(2), rtol=1e-5)
        go_on.set()
        thread.join()
        np.testing.assert_allclose(answers[0], truth(1), rtol=1e-5)
        eventually(lambda: client.status()[1] == "END")


def test_several_models_versions_and_labels(exported, tmp_path):
    (tmp_path / "models.config").write_text(
        config(
            films=(exported, "model_version_policy { all {} } version_labels { key: 'stable' value: 1 }"),
            newest=(exported, ""),
            first=(exported, "model_version_policy { specific { versions: 1 } }"),
        )
    )
    with Server(tmp_path / "models.config", port=0) as server:
        target = f"127.0.0.1:{server.port}"
        expected = {
            ("films", None, None): 2,
            ("films", 1, None): 1,
            ("films", None, "stable"): 1,
            ("newest", None, None): 2,
            ("first", None, None): 1,
        }
        for (name, version, label), seed in expected.items():
            with Client(target, model=name, version=version, label=label) as client:
                np.testing.assert_allclose(ask(client), truth(seed), rtol=1e-5)
        with Client(target, model="films", label="canary") as client, pytest.raises(ServingError, match="is stable"):
            ask(client)

        moved = "version_labels { key: 'stable' value: 2 } model_version_policy { specific { versions: 2 } }"
        assert reload(server, config(films=(exported, moved), other=(exported, ""))).status.error_code == 0
        assert sorted(server.names) == ["films", "other"]
        with Client(target, model="films", label="stable") as client:
            np.testing.assert_allclose(ask(client), truth(2), rtol=1e-5)
            assert client.status() == {2: "AVAILABLE"}
        with Client(target, model="newest") as client, pytest.raises(ServingError, match="no model 'newest' here"):
            ask(client)

        wrong = {
            "has no version that can be loaded": config(films=(tmp_path / "nowhere", "")),
            "label 'x' of model 'films' stands for version 9": config(
                films=(exported, "version_labels { key: 'x' value: 9 }")
            ),
            "at least one": "",
            "a `name` and a `base_path`": "model_config_list { config { name: 'a' } }",
            "stands twice": "model_config_list { " + 2 * "config { name: 'a' base_path: 'b' } " + "}",
            "names no `versions`": config(a=(exported, "model_version_policy { specific {} }")),
            'must be "tensorflow"': "model_config_list { config { name: 'a' base_path: 'b' model_platform: 'torch' } }",
        }
        for message, text in wrong.items():
            with pytest.raises(grpc.RpcError) as refused:
                reload(server, text)
            assert message in refused.value.details()
            assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
        with grpc.insecure_channel(target) as channel:
            assert PredictionServiceStub(channel).Predict(request(), timeout=20).model_spec.version.value == 2


def test_a_wrong_configuration_file_is_said(exported, tmp_path):
    file = tmp_path / "models.config"
    file.write_text("model_config_list { config { nam: 'a' } }")
    with pytest.raises(ValueError, match=r"models.config is no ModelServerConfig in text form: 1:\d+ : .*nam"):
        Server(file)
    file.write_text(config(films=("nowhere", "")))
    with pytest.raises(ValueError, match="model 'films' has no version that can be loaded: none is there"):
        Server(file, port=0).start()
    with pytest.raises(ValueError, match="names its models itself"):
        Server(file, "films")
