"""Configurations of a server: from a folder and from a `models.config` file."""

import pytest
from google.protobuf import text_format
from kerasrec_testing.served import client_of, export_version
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from kerasrec.serving import Server
from kerasrec.serving.model_config import candidate_versions, check_config, config_for_folder, read_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Versions 3 and 12 of the model."""
    path = tmp_path_factory.mktemp("models") / "films"
    export_version(path, 3)
    export_version(path, 12)
    return path


def parse(text):
    return text_format.Parse(text, ModelServerConfig())


def test_a_models_folder_serves_its_highest_version_and_a_version_folder_that_version(folder):
    for path, name, expected_name, expected_version in ((folder, None, "films", 12), (folder / "3", "old", "old", 3)):
        with Server(path, name, port=0) as server, client_of(server, model=expected_name) as client:
            assert server.names == [expected_name]
            assert client.status() == {expected_version: "AVAILABLE"}


def test_a_version_may_begin_with_zeros_and_other_names_are_ignored(folder, tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "007").symlink_to(folder / "3")
    for name in ("9" * 20, "٣", "latest"):
        (tmp_path / "films" / name).mkdir()
    with Server(tmp_path / "films", port=0) as server, client_of(server, model="films") as client:
        assert client.status() == {7: "AVAILABLE"}


def test_a_folder_without_a_version_is_rejected(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no SavedModel in .*nowhere: expected"):
        config_for_folder(tmp_path / "nowhere")
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "saved_model.pb").touch()
    with pytest.raises(FileNotFoundError, match="expected .*films in a version folder. Fix: move it to .*1$"):
        config_for_folder(tmp_path / "films")


def test_a_config_file_is_read_with_paths_relative_to_it(tmp_path):
    file = tmp_path / "models.config"
    file.write_text("model_config_list { config { name: 'films' base_path: 'here' } }")
    (model,) = read_config(file).model_config_list.config
    assert (model.name, model.base_path) == ("films", str(tmp_path / "here"))
    file.write_text("model_config_list { config { nam: 'a' } }")
    with pytest.raises(
        ValueError, match=r"models.config is not a valid ModelServerConfig in text format: 1:\d+ : .*nam"
    ):
        Server(file)
    with pytest.raises(ValueError, match="expected no `model` for .*models.config, which names its models, got 'a'"):
        Server(file, "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one"),
        ("model_config_list { config { name: 'a' } }", "a `name` and a `base_path`"),
        ("model_config_list { " + 2 * "config { name: 'a' base_path: 'b' } " + "}", "got 'a' twice"),
        (
            "model_config_list { config { name: 'a' base_path: 'b' model_version_policy { specific {} } } }",
            "expected `versions` in the `specific` policy",
        ),
        (
            "model_config_list { config { name: 'a' base_path: 'b' model_platform: 'torch' } }",
            "expected `model_platform` \"tensorflow\" for model 'a', got 'torch'",
        ),
    ],
)
def test_an_unsupported_configuration_is_rejected(text, message):
    with pytest.raises(ValueError, match=message):
        check_config(parse(text))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", ([12, 3], 1)),
        ("latest { num_versions: 2 }", ([12, 3], 2)),
        ("all {}", ([12, 3], 2)),
        ("specific { versions: 3 versions: 4 }", ([4, 3], 2)),
    ],
)
def test_candidate_versions_follow_the_policy(folder, policy, expected):
    config = parse(
        f"model_config_list {{ config {{ name: 'a' base_path: '{folder}' model_version_policy {{ {policy} }} }} }}"
    )
    assert candidate_versions(config.model_config_list.config[0]) == expected
