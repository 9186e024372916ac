"""Which models and versions a server loads: TF Serving's `ModelServerConfig`, from a file or for one folder."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from kerasrec.version_folders import version_folders, version_of


def read_config(file: Path) -> ModelServerConfig:
    """Reads a `models.config` file of TF Serving; relative paths in it are relative to its folder.

    Raises:
        ValueError: The file is not a valid `ModelServerConfig`.
    """
    try:
        config = text_format.Parse(file.read_text(encoding="utf-8"), ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not a valid ModelServerConfig in text format: {error}") from None
    for model in config.model_config_list.config:
        if model.base_path:
            model.base_path = str(file.parent / model.base_path)
    return check_config(config)


def config_for_folder(path: Path, name: str | None = None) -> ModelServerConfig:
    """The configuration that serves one folder.

    Args:
        path: folder of a model, whose highest version is served, or folder of one version.
        name: name of the model; if omitted, the name of the model's folder.

    Raises:
        FileNotFoundError: `path` contains no SavedModel in a version folder.
    """
    config = ModelServerConfig()
    model = config.model_config_list.config.add(model_platform="tensorflow")
    if (path / "saved_model.pb").exists():
        version = version_of(path)
        if version is None:
            raise FileNotFoundError(f"expected {path} in a version folder. Fix: move it to {path / '1'}")
        model.model_version_policy.specific.versions.append(version)
        path = path.parent
    elif not any((folder / "saved_model.pb").exists() for folder in version_folders(path).values()):
        raise FileNotFoundError(
            f"no SavedModel in {path}: expected {path / '1' / 'saved_model.pb'}, or another number. "
            "Fix: write one with kerasrec export RUN --to FOLDER"
        )
    model.name, model.base_path = name or path.name, str(path)
    return config


def check_config(config: ModelServerConfig) -> ModelServerConfig:
    """Checks that this server supports a configuration, and returns it.

    Raises:
        ValueError: There is no model, a name or a path is missing, two models have the same name, a platform is not
            TensorFlow, or a `specific` policy lists no version.
    """
    models = config.model_config_list.config
    if config.WhichOneof("config") != "model_config_list" or not models:
        raise ValueError("expected a `model_config_list` with at least one `config`, got none")
    names = set()
    for model in models:
        if not model.name or not model.base_path:
            raise ValueError(
                f"expected a `name` and a `base_path` in each `config`, got {model.name!r} and {model.base_path!r}"
            )
        if model.name in names:
            raise ValueError(f"expected one `config` for each name, got {model.name!r} twice")
        names.add(model.name)
        if model.model_platform not in ("", "tensorflow"):
            raise ValueError(
                f'expected `model_platform` "tensorflow" for model {model.name!r}, got {model.model_platform!r}'
            )
        policy = model.model_version_policy
        if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
            raise ValueError(f"expected `versions` in the `specific` policy of model {model.name!r}, got none")
    return config


def candidate_versions(config: ModelConfig) -> tuple[list[int], int]:
    """The versions that a model's policy allows, in the order to try them, and how many of them to serve."""
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        versions = sorted(set(policy.specific.versions), reverse=True)
        return versions, len(versions)
    versions = sorted(version_folders(Path(config.base_path)), reverse=True)
    return versions, len(versions) if choice == "all" else max(policy.latest.num_versions, 1)
