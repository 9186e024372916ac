"""Which versions of which models are served: folders watched, versions warmed up, old ones drained."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from kerasrec.serving.servable import RequestError, Servable, reason

State = ModelVersionStatus.State
LOG = logging.getLogger("kerasrec.serving")

Fingerprint = tuple[tuple[str, int, int], ...]


class Status(NamedTuple):
    """The state of a version, and what kept it from answering."""

    state: int
    reason: str = ""


class Model:
    """What is known of one model: its configuration, its versions that answer and the state of all."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.ready: dict[int, Servable] = {}
        self.status: dict[int, Status] = {}
        self.broken: dict[int, Fingerprint] = {}


class Models:
    """The models of a server.

    A new version answers once it is loaded and warmed up, and only then the old one stops. One that
    cannot be loaded changes nothing: its state is END with the reason, and it is tried again when
    its folder changes.
    """

    def __init__(self, config: ModelServerConfig) -> None:
        self._models = {c.name: Model(c) for c in checked(config).model_config_list.config}
        self._changing = threading.Lock()  # one change of versions at a time
        self._free = threading.Condition()  # guards what follows
        self._in_use: dict[Servable, int] = {}
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def names(self) -> list[str]:
        """Of all models."""
        return list(self._models)

    def start(self, poll: float) -> None:
        """Loads what the folders hold, then looks every `poll` seconds for changes.

        Raises:
            ValueError: a model has no version that can be loaded.
        """
        with self._changing:
            for model in self._models.values():
                self._update(model)
                self._must_answer(model)
        if poll > 0:
            self._watcher = threading.Thread(target=self._watch, args=(poll,), name="kerasrec-watch", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """Stops looking for changes."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()

    def reload(self, config: ModelServerConfig) -> None:
        """Serves what another configuration says; models that it leaves out are dropped.

        Raises:
            RequestError: the configuration is wrong, or a model of it has no version that can be loaded.
                Models that were served before go on as they were.
        """
        try:
            configs = {c.name: c for c in checked(config).model_config_list.config}
        except ValueError as error:
            raise RequestError(str(error)) from None
        with self._changing:
            before = dict(self._models)
            for name, new in configs.items():
                known = before.get(name)
                old = None if known is None else known.config
                if known is None or known.config.base_path != new.base_path:
                    model = Model(new)
                else:
                    model, known.config = known, new
                try:
                    self._update(model)
                    self._must_answer(model)
                except ValueError as error:
                    if known is not None and old is not None:
                        known.config = old
                    raise RequestError(str(error), grpc.StatusCode.FAILED_PRECONDITION) from None
                if known is not None and known is not model:
                    self._models[name] = model
                    self._unload(known, list(known.ready))
                else:
                    self._models[name] = model
            for name in before.keys() - configs.keys():
                gone = self._models.pop(name)
                self._unload(gone, list(gone.ready))

    def status(self, spec: ModelSpec) -> dict[int, Status]:
        """Version → status, of the version that `spec` names or of all.

        Raises:
            RequestError: there is no such model or version.
        """
        model = self._models.get(spec.name)
        if model is None:
            raise RequestError(
                f"no model {spec.name!r} here: there is {', '.join(self._models)}", grpc.StatusCode.NOT_FOUND
            )
        everything = dict(model.status)
        version = _asked_version(spec, model.config)
        if version is None:
            return everything
        if version not in everything:
            there = ", ".join(map(str, sorted(model.ready)))
            message = f"no version {version} of model {spec.name!r} here: there is {there}"
            raise RequestError(message, grpc.StatusCode.NOT_FOUND)
        return {version: everything[version]}

    @contextmanager
    def using(self, spec: ModelSpec) -> Iterator[Servable]:
        """The version that `spec` names, the highest where it names none; it stays loaded meanwhile.

        Raises:
            RequestError: there is no such model or version, or it does not answer now.
        """
        asked = self.status(spec)
        with self._free:
            model = self._models.get(spec.name)
            ready = {} if model is None else model.ready
            versions = [version for version in asked if version in ready]
            if versions:
                servable = ready[max(versions)]
                self._in_use[servable] = self._in_use.get(servable, 0) + 1
        if not versions:
            raise _not_ready(spec.name, asked)
        try:
            yield servable
        finally:
            with self._free:
                self._in_use[servable] -= 1
                if not self._in_use[servable]:
                    del self._in_use[servable]
                    self._free.notify_all()

    def ready(self) -> bool:
        """Whether every model has a version that answers."""
        return all(model.ready for model in self._models.values())

    def _watch(self, poll: float) -> None:
        while not self._stopped.wait(poll):
            with self._changing:
                for model in list(self._models.values()):
                    try:
                        self._update(model)
                    except Exception:  # a folder that cannot be read today may be readable tomorrow
                        LOG.exception("model %r: looking for versions failed", model.config.name)

    def _update(self, model: Model) -> None:
        """Loads and unloads versions until they are those that the model's policy wants."""
        base = Path(model.config.base_path)
        candidates, enough = _wanted(model.config, base)
        good: list[int] = []
        for version in candidates:
            if len(good) == enough:
                break
            if version in model.ready or self._load(model, base / str(version)):
                good.append(version)
        if good:  # else whatever still answers goes on answering
            self._unload(model, [version for version in model.ready if version not in good])
        for version in set(model.status) - set(model.ready):
            if not (base / str(version)).exists() and version not in candidates:
                del model.status[version]
                model.broken.pop(version, None)

    def _load(self, model: Model, folder: Path) -> bool:
        version = int(folder.name)
        found = _fingerprint(folder)
        if model.broken.get(version) == found:
            return False
        model.status[version] = Status(State.LOADING)
        try:
            if not (folder / "saved_model.pb").exists():
                raise FileNotFoundError(f"no saved_model.pb in {folder}: is it still being copied?")
            servable = Servable(folder)
            servable.warm_up()
        except Exception as error:  # TensorFlow raises what it pleases on files that are no SavedModel
            why = reason(error)
            model.status[version] = Status(State.END, why)
            model.broken[version] = found
            LOG.error("model %r: version %d cannot be loaded: %s", model.config.name, version, why)
            return False
        model.broken.pop(version, None)
        with self._free:
            model.ready[version] = servable
            model.status[version] = Status(State.AVAILABLE)
        LOG.info("model %r: version %d answers", model.config.name, version)
        return True

    def _unload(self, model: Model, versions: list[int]) -> None:
        """Takes no more requests for these versions and waits for those under way."""
        for version in versions:
            with self._free:
                servable = model.ready.pop(version)
                model.status[version] = Status(State.UNLOADING)
                self._free.wait_for(lambda servable=servable: servable not in self._in_use)  # type: ignore[misc]
            model.status[version] = Status(State.END)
            LOG.info("model %r: version %d is unloaded", model.config.name, version)
            del servable
        if versions:
            gc.collect()  # graphs hold each other, and their weights, in cycles

    def _must_answer(self, model: Model) -> None:
        name = model.config.name
        if not model.ready:
            reasons = [s.reason for _, s in sorted(model.status.items(), reverse=True) if s.reason]
            raise ValueError(
                f"model {name!r} has no version that can be loaded: {'; '.join(reasons) or 'none is there'}"
            )
        for label, version in model.config.version_labels.items():
            if version not in model.ready:
                raise ValueError(
                    f"label {label!r} of model {name!r} stands for version {version}, which does not answer"
                )


def read_config(file: Path) -> ModelServerConfig:
    """TF Serving's `models.config`; relative paths in it are relative to its folder.

    Raises:
        ValueError: it is no such file.
    """
    try:
        config = text_format.Parse(file.read_text(encoding="utf-8"), ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no ModelServerConfig in text form: {error}") from None
    for model in config.model_config_list.config:
        if model.base_path:
            model.base_path = str(file.parent / model.base_path)
    return checked(config)


def config_of(path: Path, name: str | None = None) -> ModelServerConfig:
    """The configuration that serves one folder: a model's, whose highest version is served, or a version's.

    Raises:
        FileNotFoundError: there is no SavedModel in it.
    """
    config = ModelServerConfig()
    model = config.model_config_list.config.add(model_platform="tensorflow")
    if (path / "saved_model.pb").exists():
        if not path.name.isdecimal():
            raise FileNotFoundError(f"{path} is a SavedModel without a version: move it to {path / '1'}")
        model.model_version_policy.specific.versions.append(int(path.name))
        path = path.parent
    elif not any((folder / "saved_model.pb").exists() for folder in _version_folders(path)):
        raise FileNotFoundError(f"no SavedModel in {path}: expected {path / '1' / 'saved_model.pb'} or {path / '…'}")
    model.name, model.base_path = name or path.name, str(path)
    return config


def checked(config: ModelServerConfig) -> ModelServerConfig:
    """The configuration, after a look at what this server cannot do.

    Raises:
        ValueError: something in it is missing or not known here.
    """
    models = config.model_config_list.config
    if config.WhichOneof("config") != "model_config_list" or not models:
        raise ValueError("the configuration must hold a `model_config_list` with at least one `config`")
    seen = set()
    for model in models:
        if not model.name or not model.base_path:
            raise ValueError(
                f"each `config` needs a `name` and a `base_path`: one has {model.name!r}, {model.base_path!r}"
            )
        if model.name in seen:
            raise ValueError(f"model {model.name!r} stands twice in the configuration")
        seen.add(model.name)
        if model.model_platform not in ("", "tensorflow"):
            raise ValueError(
                f'model {model.name!r}: `model_platform` must be "tensorflow", not {model.model_platform!r}'
            )
        policy = model.model_version_policy
        if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
            raise ValueError(f"model {model.name!r}: `specific` names no `versions`")
    return config


def _wanted(config: ModelConfig, base: Path) -> tuple[list[int], int]:
    """Versions in the order in which they should be tried, and how many of them are enough."""
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        versions = sorted(set(policy.specific.versions), reverse=True)
        return versions, len(versions)
    versions = sorted((int(folder.name) for folder in _version_folders(base)), reverse=True)
    return versions, len(versions) if choice == "all" else max(policy.latest.num_versions, 1)


def _version_folders(path: Path) -> list[Path]:
    return [p for p in path.iterdir() if p.name.isdecimal() and p.is_dir()] if path.is_dir() else []


def _asked_version(spec: ModelSpec, config: ModelConfig) -> int | None:
    if spec.version_label:
        if spec.version_label not in config.version_labels:
            there = ", ".join(sorted(config.version_labels)) or "none"
            message = f"no version label {spec.version_label!r} of model {spec.name!r} here: there is {there}"
            raise RequestError(message, grpc.StatusCode.NOT_FOUND)
        return int(config.version_labels[spec.version_label])
    return int(spec.version.value) if spec.HasField("version") else None


def _not_ready(name: str, asked: dict[int, Status]) -> RequestError:
    if any(status.state == State.LOADING for status in asked.values()) or not asked:
        message = f"model {name!r} is still loading: ask again in a moment"
        return RequestError(message, grpc.StatusCode.UNAVAILABLE)
    version, status = max(asked.items())
    reason = f": {status.reason}" if status.reason else ""
    message = f"version {version} of model {name!r} is {State.Name(status.state)}{reason}"
    return RequestError(message, grpc.StatusCode.NOT_FOUND)


def _fingerprint(folder: Path) -> Fingerprint:
    """Changes when a file of the version does."""
    found = []
    for file in sorted(folder.rglob("*")):
        try:
            about = file.stat()
        except OSError:  # gone while we looked
            continue
        found.append((str(file), about.st_size, about.st_mtime_ns))
    return tuple(found)
