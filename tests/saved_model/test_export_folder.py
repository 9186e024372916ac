"""The files in `export/`: valid for TF Serving, and correct for a running server."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2 as wrappers
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from kerasrec import EASE, Interactions, generate
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Server

EXPORT = Path(__file__).parents[2] / "export"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    table = generate(n_users=100, n_items=60, seed=1)
    model = EASE.for_interactions(table, reg=20.0)
    model.fit(table, verbose=0)
    folder = tmp_path_factory.mktemp("export") / "served"
    return model, table, export_saved_model(model, folder, table, top_k=20)


def message(name, **fields):
    """A message type that tensorflow-serving-api does not contain: field name → (number, type or message type)."""
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="tensorflow.serving", syntax="proto3")
    wrapper_types = descriptor_pb2.FileDescriptorProto()
    wrappers.DESCRIPTOR.CopyToProto(wrapper_types)
    pool.Add(wrapper_types)
    file.dependency.append(wrapper_types.name)
    types = {name: fields, **{n: f[1] for n, f in fields.items() if isinstance(f[1], dict)}}
    kinds = descriptor_pb2.FieldDescriptorProto
    for type_name, type_fields in types.items():
        message_type = file.message_type.add(name=type_name)
        for field_name, (number, kind) in type_fields.items():
            field = message_type.field.add(name=field_name, number=number, label=kinds.LABEL_OPTIONAL)
            if isinstance(kind, dict):
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".tensorflow.serving.{field_name}"
            elif isinstance(kind, str):
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".google.protobuf.{kind}"
            else:
                field.type = kind
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


def test_models_config_is_valid_for_tf_serving():
    config = text_format.Parse((EXPORT / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("default", "/models/default", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1


def test_batching_and_monitoring_configurations_are_valid_for_tf_serving():
    """The fields and numbers of session_bundle_config.proto and monitoring_config.proto."""
    boolean, text, integers = 8, 9, "Int64Value"
    parameters = message(
        "BatchingParameters",
        max_batch_size=(1, integers),
        batch_timeout_micros=(2, integers),
        max_enqueued_batches=(3, integers),
        num_batch_threads=(4, integers),
        thread_pool_name=(5, "StringValue"),
        pad_variable_length_inputs=(7, boolean),
    )
    batching = text_format.Parse((EXPORT / "batching.config").read_text(), parameters())
    assert batching.pad_variable_length_inputs
    assert batching.max_batch_size.value == 64
    with pytest.raises(text_format.ParseError):
        text_format.Parse("max_batch: 3", parameters())
    monitoring = message("MonitoringConfig", prometheus_config=(1, {"enable": (1, boolean), "path": (2, text)}))
    parsed = text_format.Parse((EXPORT / "monitoring.config").read_text(), monitoring())
    assert parsed.prometheus_config.enable
    deployment, *_ = yaml.safe_load_all((EXPORT / "kubernetes" / "serving.yaml").read_text())
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == parsed.prometheus_config.path


def test_compose_and_kubernetes_name_existing_files_and_working_probes(served):
    compose = yaml.safe_load((EXPORT / "compose.yaml").read_text())["services"]["tf-serving"]
    deployment, service, *_ = yaml.safe_load_all((EXPORT / "kubernetes" / "serving.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert compose["image"] == container["image"]
    assert compose["command"] == container["args"]
    assert all(port.startswith("127.0.0.1:") for port in compose["ports"])
    mounted = dict(reversed(volume.removesuffix(":ro").rsplit(":", 1)) for volume in compose["volumes"])
    for option in compose["command"]:
        file = re.search(r"_file=(/config/.+)", option)
        if file:
            assert (EXPORT / mounted[file[1]]).exists()
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert container["image"].startswith("tensorflow/serving:2.")

    # The probes, run against a server that has the model, one that has another model, and none.
    probes = [compose["healthcheck"]["test"][1:], container["readinessProbe"]["exec"]["command"]]
    for name, ready in (("default", True), ("other", False)):
        with Server(served[2].parent, name, port=0, rest_port=0) as server:
            for probe in probes:
                command = [part.replace("8501", str(server.rest_port)) for part in probe]
                process = subprocess.run(command, capture_output=True, timeout=120)
                assert (process.returncode == 0) == ready, process.stderr
    assert subprocess.run(command, capture_output=True, timeout=120).returncode != 0  # the server has ended


def readme_commands(start):
    text = "\n".join(re.findall(r"```sh\n(.*?)```", (EXPORT / "README.md").read_text(), re.DOTALL))
    return [
        shlex.split(c, comments=True) for c in re.findall(rf"^({start} (?:\\\n|[^\n']|'[^']*')+)", text, re.MULTILINE)
    ]


def test_the_requests_and_the_client_of_the_readme_work(served):
    import http.client

    from google.protobuf import json_format
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    with Server(served[2].parent, "default", port=0, rest_port=0) as server:
        lines = readme_commands("curl")
        assert len(lines) == 4
        for line in lines:
            connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=120)
            body = line[line.index("-d") + 1] if "-d" in line else None
            connection.request("POST" if body else "GET", line[-1].split(":8501")[1], body)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            connection.close()
        status, predict = readme_commands("grpcurl")
        assert json.loads(status[3])["model_spec"]["name"] == "default"
        assert predict[-1].endswith("Predict")
        request = json_format.Parse(predict[3], PredictRequest())
        assert tf.make_ndarray(request.inputs["history"]).tolist() == [[-1, 1, 260, 1196]]
        code = (EXPORT / "ask.py").read_text().replace("8500", str(server.port))
        environment = {**os.environ, "PYTHONPATH": str(EXPORT.parent)}
        client = subprocess.run([sys.executable, "-c", code, "3,4"], capture_output=True, text=True, env=environment)
        assert len(client.stdout.splitlines()) == 10, client.stderr
        assert all("Item" in line for line in client.stdout.splitlines()), "titles"
    for name in re.findall(
        r"^\| `([a-z./]+\.(?:config|py|txt|yaml)|Dockerfile\.[a-z]+)`", (EXPORT / "README.md").read_text(), re.MULTILINE
    ):
        assert (EXPORT / name).exists(), name


def test_the_loader_of_tensorflow_answers_all_batch_sizes_and_lengths(served):
    model, table, version = served
    catalogue = table.item_ids
    rng = np.random.default_rng(3)
    answers = []
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = graph.signature_def["serving_default"]
        names = {name: info.name for name, info in signature.outputs.items()}
        for n_rows, length in ((1, 0), (1, 1), (2, 5000), (3, 17), (64, 200), (256, 0), (256, 40), (128, 1000)):
            # Including repeated ids, padding and unknown ids.
            history = rng.choice([*catalogue, -1, 10**12], (n_rows, length)).astype(np.int64)
            history = np.insert(history, 0, -1, axis=1)
            answers.append((history, session.run(names, {signature.inputs["history"].name: history})))

        recommend = graph.signature_def["recommend"]
        blank = np.full((2, 1), -1)
        fields = {"history": blank, "k": [0, 5], "exclude": blank, "candidates": blank}
        for invalid in ({}, {"k": [5]}, {"k": [5, 61]}, {"k": [5, 5], "exclude": blank[:1]}):
            feed = {recommend.inputs[name].name: value for name, value in {**fields, **invalid}.items()}
            with pytest.raises(tf.errors.InvalidArgumentError, match="`(k|exclude)` must"):
                session.run({name: info.name for name, info in recommend.outputs.items()}, feed)
    for history, answer in answers:
        has_known = np.isin(history, catalogue).any(axis=1)  # the other rows get popular items
        assert (answer["scores"][~has_known] == np.sort(table.item_counts)[::-1][:20]).all()
        history, answer = history[has_known], {name: array[has_known] for name, array in answer.items()}
        rows = np.zeros((len(history), table.n_items), np.float32)
        for row, items in zip(rows, history, strict=True):
            row[np.isin(catalogue, items)] = 1
        scores = np.asarray(model.mask_seen(model(rows), rows))
        expected = np.maximum(-np.sort(-scores, axis=1)[:, :20], np.finfo(np.float32).min)
        np.testing.assert_allclose(answer["scores"], expected, rtol=1e-5, atol=1e-5)
        for ids, best_scores, row_scores in zip(answer["item_ids"], answer["scores"], scores, strict=True):
            expected = row_scores[np.searchsorted(catalogue, ids[ids >= 0])]
            np.testing.assert_allclose(expected, best_scores[ids >= 0], rtol=1e-5, atol=1e-5)
            assert (best_scores[ids < 0] == np.finfo(np.float32).min).all()


def test_saved_model_cli_runs_the_export(served):
    _, table, version = served
    tool = Path(sys.executable).with_name("saved_model_cli")
    if not tool.exists():
        pytest.skip("saved_model_cli of TensorFlow is not installed")
    history = f"history=[[-1, {table.item_ids[0]}]]"
    command = [tool, "run", "--dir", version, "--tag_set", "serve", "--signature_def", "serving_default"]
    process = subprocess.run([*command, "--input_exprs", history], capture_output=True, text=True, cwd=version)
    assert "Result for output key item_ids" in process.stdout, process.stderr


def test_diversified_lists_are_those_of_recommend(tmp_path):
    table = generate(n_users=200, n_items=80, seed=1)
    model = EASE.for_interactions(table, reg=20.0)
    model.fit(table, verbose=0)
    version = export_saved_model(model, tmp_path / "diverse", table, top_k=10, diversify=0.6)
    histories = [table.item_ids[table.row(user)][:5].tolist() for user in range(20)]
    signature = tf.saved_model.load(version).signatures["serving_default"]
    padded = tf.constant([[-1, *history] for history in histories], tf.int64)
    served = signature(history=padded)["item_ids"].numpy()
    inputs = Interactions.from_histories(histories, table)
    expected = model.recommend(inputs, k=10, train=table, diversify=0.6).item_ids
    np.testing.assert_array_equal(served, expected)
    assert not np.array_equal(expected, model.recommend(inputs, k=10).item_ids)
    for arguments, message in (
        ({"items": table.item_ids, "diversify": 0.5}, "expected the training table, from which `diversify`"),
        ({"items": table, "diversify": 2.0}, "`diversify`: expected 0 to 1, got 2.0"),
    ):
        with pytest.raises(ValueError, match=message):
            export_saved_model(model, tmp_path / "no", **arguments)
