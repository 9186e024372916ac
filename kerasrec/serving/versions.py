"""Loads, watches and unloads the versions of the served models."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from kerasrec.serving.errors import RequestError, short_message
from kerasrec.serving.logs import LOG
from kerasrec.serving.model_config import candidate_versions, check_config, read_config
from kerasrec.serving.servable import Servable
from kerasrec.version_folders import version_folders

State = ModelVersionStatus.State
Fingerprint = tuple[tuple[str, int, int], ...]
"""Path, size and modification time of each file of a version."""


class Status(NamedTuple):
    """State of a version, and the error that prevents it from serving."""

    state: int
    error: str = ""


class Model:
    """Configuration and versions of one model.

    Attributes:
        config: its entry in the server's configuration.
        servables: version → the loaded version.
        status: version → status, of all versions found so far.
        failed: version → the files that could not be loaded; it is tried again when they change.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.servables: dict[int, Servable] = {}
        self.status: dict[int, Status] = {}
        self.failed: dict[int, Fingerprint] = {}


class Models:
    """The models of a server.

    A new version serves once it is loaded and warmed up; the old version is unloaded after that. A
    version that cannot be loaded changes nothing: its state is END with the error, and it is tried
    again when its folder changes.

    Args:
        config: the models.
        config_file: file that contains `config`, which is read again when it changes.

    Attributes:
        on_load_failure: called with the name of a model of which a version could not be loaded.
    """

    def __init__(self, config: ModelServerConfig, config_file: Path | None = None) -> None:
        self.on_load_failure: Callable[[str], None] = lambda name: None
        self._config_file = config_file
        self._config_text = _content(config_file)
        self._rejected_config_text = b""
        self._models = {c.name: Model(c) for c in check_config(config).model_config_list.config}
        self._changing = threading.Lock()  # one change of versions at a time
        self._released = threading.Condition()  # guards `_in_use` and every `servables`
        self._in_use: dict[Servable, int] = {}
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def names(self) -> list[str]:
        """The names of all models."""
        return list(self._models)

    def active_versions(self) -> dict[str, list[int]]:
        """Model name → the versions that answer requests."""
        return {name: sorted(model.servables) for name, model in list(self._models.items())}

    def start(self, poll: float) -> None:
        """Loads the versions, then checks the files for changes every `poll` seconds; never if `poll` is 0.

        Raises:
            ValueError: A model has no version that can be loaded.
        """
        with self._changing:
            for model in self._models.values():
                self._update(model)
                _check_available(model)
        if poll > 0:
            self._watcher = threading.Thread(target=self._watch, args=(poll,), name="kerasrec-watch", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """Stops checking the folders."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()

    def reload(self, config: ModelServerConfig) -> None:
        """Replaces the configuration. Models that the new configuration does not contain are unloaded.

        Raises:
            RequestError: The configuration is invalid, or one of its models has no version that can be loaded.
                The models that were served before are still served.
        """
        try:
            configs = {c.name: c for c in check_config(config).model_config_list.config}
        except ValueError as error:
            raise RequestError(str(error)) from None
        with self._changing:
            removed = self._models.keys() - configs.keys()
            for new_config in configs.values():
                self._replace(new_config)
            for name in removed:
                model = self._models.pop(name)
                self._unload(model, list(model.servables))

    def _replace(self, config: ModelConfig) -> None:
        """Serves one model by a new configuration."""
        current = self._models.get(config.name)
        moved = current is None or current.config.base_path != config.base_path
        model = Model(config) if current is None or moved else current
        old_config, model.config = model.config, config
        try:
            self._update(model)
            _check_available(model)
        except ValueError as error:
            if model is current:
                model.config = old_config
                self._update(model)
            raise RequestError(str(error), grpc.StatusCode.FAILED_PRECONDITION) from None
        self._models[config.name] = model
        if current is not None and current is not model:
            self._unload(current, list(current.servables))

    def status(self, spec: ModelSpec) -> dict[int, Status]:
        """Version → status, of the version that `spec` names or of all versions.

        Raises:
            RequestError: The model, the label or the version does not exist.
        """
        model = self._models.get(spec.name)
        if model is None:
            message = f"model {spec.name!r} not found. Models: {', '.join(self._models)}"
            raise RequestError(message, grpc.StatusCode.NOT_FOUND)
        status = dict(model.status)
        version = _requested_version(spec, model.config)
        if version is None:
            return status
        if version not in status:
            versions = ", ".join(map(str, sorted(model.servables)))
            message = f"version {version} of model {spec.name!r} not found. Versions: {versions}"
            raise RequestError(message, grpc.StatusCode.NOT_FOUND)
        return {version: status[version]}

    @contextmanager
    def acquire(self, spec: ModelSpec) -> Iterator[Servable]:
        """The version that `spec` names, else the highest one; it is not unloaded inside the block.

        Raises:
            RequestError: `spec` has no name, or the model, the label or the version does not exist or is not
                available.
        """
        if not spec.name:
            raise RequestError("ModelSpec has no name specified.")
        status = self.status(spec)
        with self._released:
            model = self._models.get(spec.name)
            servables = {} if model is None else model.servables
            versions = [version for version in status if version in servables]
            if versions:
                servable = servables[max(versions)]
                self._in_use[servable] = self._in_use.get(servable, 0) + 1
        if not versions:
            raise _unavailable(spec.name, status)
        try:
            yield servable
        finally:
            with self._released:
                self._in_use[servable] -= 1
                if not self._in_use[servable]:
                    del self._in_use[servable]
                    self._released.notify_all()

    def _watch(self, poll: float) -> None:
        while not self._stopped.wait(poll):
            self._read_changed_config()
            with self._changing:
                for model in list(self._models.values()):
                    try:
                        self._update(model)
                    except Exception:  # an unreadable folder may be readable at the next check
                        LOG.exception("model %r: reading the version folders failed", model.config.name)

    def _read_changed_config(self) -> None:
        """Reads the configuration file if it has changed. An invalid one changes nothing."""
        text = _content(self._config_file)
        if self._config_file is None or text in (self._config_text, b""):
            return
        try:
            self.reload(read_config(self._config_file))
        except (ValueError, OSError, RequestError) as error:  # tried again, because a model may still be copied
            if text != self._rejected_config_text:
                LOG.error("%s is rejected: %s", self._config_file, error)
            self._rejected_config_text = text
        else:
            LOG.info("%s is loaded; models: %s", self._config_file, ", ".join(self._models))
            self._config_text = text

    def _update(self, model: Model) -> None:
        """Loads and unloads versions until they match the model's policy."""
        base = Path(model.config.base_path)
        folders = version_folders(base)
        candidates, n_needed = candidate_versions(model.config)
        available: list[int] = []
        for version in candidates:
            if len(available) == n_needed:
                break
            if version in model.servables or self._load(model, folders.get(version, base / str(version))):
                available.append(version)
        if available:  # otherwise the loaded versions continue to serve
            self._unload(model, [version for version in model.servables if version not in available])
        for version in set(model.status) - set(model.servables):
            if version not in folders and version not in candidates:
                del model.status[version]
                model.failed.pop(version, None)

    def _load(self, model: Model, folder: Path) -> bool:
        """Loads a version and returns True if it serves now."""
        version = int(folder.name)
        fingerprint = _fingerprint(folder)
        if model.failed.get(version) == fingerprint:
            return False
        model.status[version] = Status(State.LOADING)
        start = time.monotonic()
        try:
            if not (folder / "saved_model.pb").exists():
                raise FileNotFoundError(f"no saved_model.pb in {folder}: the copy may be incomplete")
            servable = Servable(folder)
            seconds = time.monotonic() - start
            LOG.info("model %r: version %d is loaded after %.1f s", model.config.name, version, seconds)
            servable.warm_up()
        except Exception as error:  # TensorFlow raises many types for invalid files
            message = short_message(error)
            model.status[version] = Status(State.END, message)
            model.failed[version] = fingerprint
            LOG.error("model %r: version %d is rejected: %s", model.config.name, version, message)
            self.on_load_failure(model.config.name)
            return False
        model.failed.pop(version, None)
        with self._released:
            model.servables[version] = servable
            model.status[version] = Status(State.AVAILABLE)
        LOG.info("model %r: version %d is active", model.config.name, version)
        return True

    def _unload(self, model: Model, versions: list[int]) -> None:
        """Removes versions for new requests, then waits until their running requests are finished."""
        for version in versions:
            with self._released:
                servable = model.servables.pop(version)
                model.status[version] = Status(State.UNLOADING)
                self._released.wait_for(lambda servable=servable: servable not in self._in_use)  # type: ignore[misc]
            model.status[version] = Status(State.END)
            LOG.info("model %r: version %d is unloaded", model.config.name, version)
            del servable
        if versions:
            gc.collect()  # graphs and their weights are in reference cycles


def _check_available(model: Model) -> None:
    """Checks that a model serves at least one version, and each version that has a label.

    Raises:
        ValueError: It does not.
    """
    name = model.config.name
    if not model.servables:
        errors = [s.error for _, s in sorted(model.status.items(), reverse=True) if s.error]
        reason = "; ".join(errors) or f"no version folder in {model.config.base_path}"
        raise ValueError(f"model {name!r} has no version that can be loaded: {reason}")
    for label, version in model.config.version_labels.items():
        if version not in model.servables:
            raise ValueError(f"label {label!r} of model {name!r} is set to version {version}, which is not available")


def _requested_version(spec: ModelSpec, config: ModelConfig) -> int | None:
    if spec.version_label:
        if spec.version_label not in config.version_labels:
            labels = ", ".join(sorted(config.version_labels)) or "none"
            raise RequestError(f"Unrecognized servable version label: {spec.version_label}. Labels: {labels}")
        return int(config.version_labels[spec.version_label])
    return int(spec.version.value) if spec.HasField("version") else None


def _unavailable(name: str, status: dict[int, Status]) -> RequestError:
    """The error for a model of which no requested version serves."""
    if any(one.state == State.LOADING for one in status.values()) or not status:
        return RequestError(f"model {name!r} is loading. Fix: try again later", grpc.StatusCode.UNAVAILABLE)
    version, (state, error) = max(status.items())
    message = ": ".join(filter(None, (f"version {version} of model {name!r} is {State.Name(state)}", error)))
    return RequestError(message, grpc.StatusCode.NOT_FOUND)


def _content(file: Path | None) -> bytes:
    """The content of a file; empty if it does not exist, for example while it is replaced."""
    try:
        return b"" if file is None else file.read_bytes()
    except OSError:
        return b""


def _fingerprint(folder: Path) -> Fingerprint:
    fingerprint = []
    for file in sorted(folder.rglob("*")):
        try:
            stat = file.stat()
        except OSError:  # deleted since `rglob` listed it
            continue
        fingerprint.append((str(file), stat.st_size, stat.st_mtime_ns))
    return tuple(fingerprint)
