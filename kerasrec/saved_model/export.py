"""Writes the folder of an export: the graph, its vocabularies, metadata and warm-up requests."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

import kerasrec
from kerasrec.data import Interactions
from kerasrec.data.catalogue import ids_digest
from kerasrec.data.item_profiles import item_profiles
from kerasrec.data.popularity import ItemPopularity
from kerasrec.files import atomic_folder
from kerasrec.inference.similar import unit_vectors
from kerasrec.models import Recommender
from kerasrec.saved_model.metadata import metadata_json
from kerasrec.saved_model.signatures import Signatures
from kerasrec.saved_model.versions import delete_old_versions
from kerasrec.saved_model.vocabulary import ItemTitles, TrainingUsers, Vocabulary, check_ids
from kerasrec.saved_model.weights import DTYPES, ExportedWeights, top_k_overlap
from kerasrec.types import Array, FloatArray
from kerasrec.validation import as_int_at_least, check_recommender
from kerasrec.version_folders import version_folders


def export_saved_model(
    model: Recommender,
    path: str | os.PathLike[str],
    items: Interactions | Any,
    *,
    top_k: int = 100,
    version: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    weights: str = "float32",
    keep: int | None = None,
    run: Mapping[str, Any] | None = None,
    diversify: float = 0.0,
) -> Path:
    """Writes `model` as `path/<version>`, for TF Serving and `kerasrec serve`.

    The version appears complete or not at all, so a server may watch `path` during the export. Besides the graph it
    contains `assets.extra/tf_serving_warmup_requests` and `assets.extra/kerasrec.json`. The module
    `kerasrec.saved_model.signatures` lists the signatures. If `items` has titles, they are in `assets/item_titles.txt`,
    in the order of `assets/item_ids.txt`, and the signature `titles` returns them.

    Args:
        model: a fitted or loaded model, on the TensorFlow backend.
        path: folder of the model; created if necessary. Its name is the model name in requests to TF Serving.
        items: the training table. For models without a user input, a plain array of item ids is also accepted, one
            per column.
        top_k: length of the lists of `serving_default` and `score` (100); the whole catalogue if that is shorter.
        version: number of the version; if omitted, the highest number in `path` plus 1.
        metadata: further content of `kerasrec.json`, as JSON values. The export itself states the model, its
            configuration and table, the time of the export and the commit of the present git repository.
        weights: `"float32"`, or `"bfloat16"` for matrices of half the size on disk and in memory. All sums stay in
            float32, and each request pays for the conversion. `kerasrec.json` states the effect on the lists of
            training users: `top_100_overlap`, the mean share of the best 100 items that stay the same.
        keep: how many versions remain in `path`; older ones are deleted. Default: all.
        run: description of the run of the model, for `kerasrec.json`; `kerasrec.runs.export_run` passes it.
        diversify: 0 to 1: how much the similarity to better items lowers an item, in all lists; see
            `Recommender.recommend`. The scores of a list then need not descend.

    Returns:
        `path/<version>`.

    Raises:
        FileExistsError: the version exists.
        TypeError: `model` is not a model of kerasrec.
        OSError: the version cannot be written, for example because the disk is full. Nothing remains of it.
        ValueError: the backend is not TensorFlow, the model is not fitted, `items` is not its catalogue, or an id
            cannot be stored.

    Example:
        >>> from kerasrec import EASE, Interactions
        >>> from kerasrec.saved_model import export_saved_model
        >>> table = Interactions.from_arrays(["ann", "bob", "bob"], ["tea", "tea", "jam"])
        >>> model = EASE(table.n_items, reg=1.0)
        >>> _ = model.fit(table, verbose=0)
        >>> folder = getfixture("tmp_path") / "ease"
        >>> export_saved_model(model, folder, table).name
        '1'
        >>> recommend = tf.saved_model.load(folder / "1").signatures["serving_default"]
        >>> recommend(history=tf.constant([["", "tea"]]))["item_ids"].numpy()
        array([[b'jam', b'']], dtype=object)
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "only the TensorFlow backend can export. Fix: save the model, and load it with KERAS_BACKEND=tensorflow"
        )
    top_k = as_int_at_least(1, top_k=top_k)
    if keep is not None:
        as_int_at_least(1, keep=keep)
    if weights not in DTYPES:
        raise ValueError(f"`weights`: expected one of {', '.join(DTYPES)}, got {weights!r}")
    if version is not None:
        as_int_at_least(0, version=version)
    check_recommender(model)
    model.check_fitted()
    train = items if isinstance(items, Interactions) else None
    if train is None and (model.rows == "items" or "user_id" in model.serving_inputs):
        raise ValueError(f"`items`: expected the training table, because {type(model).__name__} needs the user ids")
    if not 0 <= diversify <= 1:
        raise ValueError(f"`diversify`: expected 0 to 1, got {diversify}")
    if train is None and diversify:
        raise ValueError("`items`: expected the training table, from which `diversify` compares items")
    if train is None and weights != "float32":
        raise ValueError(f"`items`: expected the training table, which the effect of {weights} is measured on")
    item_ids = check_ids(items if train is None else train.item_ids, "item")
    user_model = model if train is None else model.as_user_model(train)
    _check_catalogue(user_model, item_ids)
    user_model = user_model.as_served_model()
    exported_weights = ExportedWeights(user_model, weights)
    top_k = min(top_k, len(item_ids))
    about = {
        "model": type(model).__name__,
        "config": model.get_config(),
        "serving_inputs": list(user_model.serving_inputs),
        "n_items": len(item_ids),
        "n_users": None if train is None else train.n_users,
        "table": None if train is None else repr(train),
        "top_k": top_k,
        "weights": weights,
        "diversify": diversify,
        **({} if train is None or weights == "float32" else top_k_overlap(user_model, exported_weights, train)),
        "kerasrec": kerasrec.__version__,
    }
    about_json = metadata_json(about, run, metadata)
    path = Path(path)
    folder = path / str(1 + max(version_folders(path), default=0) if version is None else version)
    exists = FileExistsError(f"version {folder.name} exists in {path}. Fix: choose another `version`, or leave it out")
    if folder.exists():
        raise exists
    try:
        with atomic_folder(folder) as unfinished:
            vectors = similarity_vectors(model, train)
            name = path.resolve().name
            _write_model(unfinished, user_model, exported_weights, item_ids, train, vectors, top_k, name, diversify)
            (unfinished / "assets.extra" / "kerasrec.json").write_text(about_json, encoding="utf-8")
    except FileExistsError:
        if folder.exists():  # another export has just written the same version
            raise exists from None
        raise
    except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError, tf.errors.UnknownError) as error:
        # TensorFlow's types for a full disk, a limit of the size of a file, and a defective disk
        reason = error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise OSError(f"cannot write {folder}: {reason}. Fix: export to a disk with more space") from error
    if keep is not None:
        delete_old_versions(path, keep, folder)
    return folder


def _check_catalogue(model: Recommender, item_ids: Array) -> None:
    """Checks that item ids are those of the model.

    Raises:
        ValueError: their number or, as far as the model stores a digest of them, the ids differ.
    """
    if len(item_ids) != model.n_columns:
        raise ValueError(f"`items`: expected the {model.n_columns:,} items of the model, got {len(item_ids):,}")
    if model.columns_digest not in (None, ids_digest(item_ids)):
        raise ValueError("`items`: expected the items of the training table in their order, got other ids")


def similarity_vectors(model: Recommender, train: Interactions | Any) -> FloatArray | None:
    """The vectors of the signature `similar`; `None` if the model is linear or has no item vectors."""
    return unit_vectors(model.item_vectors(train)) if model.has_item_vectors and not model.linear else None


def _write_model(
    folder: Path,
    model: Recommender,
    weights: ExportedWeights,
    item_ids: Array,
    train: Interactions | None,
    vectors: FloatArray | None,
    top_k: int,
    name: str,
    diversify: float,
) -> None:
    """Writes the SavedModel and the warm-up requests of a model called `name`."""
    vocabularies = folder / "vocabularies"
    vocabularies.mkdir()
    signatures = signatures_of(model, weights, item_ids, train, vectors, top_k, vocabularies, diversify)
    with _without_info_of_tensorflow():
        tf.saved_model.save(signatures.as_module(), folder, signatures.concrete_functions())
    shutil.rmtree(vocabularies)  # TensorFlow has copied them to `assets`
    (folder / "assets.extra").mkdir()
    write_warmup(folder / "assets.extra" / "tf_serving_warmup_requests", signatures.example_requests(name))


def signatures_of(
    model: Recommender,
    weights: ExportedWeights,
    item_ids: Array,
    train: Interactions | None,
    vectors: FloatArray | None,
    top_k: int,
    vocabularies: Path,
    diversify: float = 0.0,
) -> Signatures:
    """The signatures of an export.

    Args:
        model: a model with users as rows.
        weights: its weights.
        item_ids: what `check_ids` returned.
        train: the training table, or `None`.
        vectors: the vectors of the signature `similar`, or `None`.
        top_k: length of the lists.
        vocabularies: where to write the files that the lookup tables are read from; needed until the signatures exist,
            or until they are saved.
        diversify: strength of the re-ranking.
    """
    catalogue = Vocabulary(item_ids, vocabularies / "item_ids.txt")
    users = None
    if train is not None and "user_id" in model.serving_inputs:
        users = TrainingUsers(train, vocabularies / "user_ids.txt", "history" not in model.serving_inputs)
    popularity = ItemPopularity.of_rows(train) if model.item_popularity is None else model.item_popularity
    profiles = item_profiles(train) if train is not None and diversify else None
    titles = None
    if train is not None and train.item_titles is not None:
        titles = ItemTitles(train.item_titles, vocabularies / "item_titles.txt")
    return Signatures(model, weights, catalogue, users, popularity, vectors, top_k, diversify, profiles, titles)


@contextmanager
def _without_info_of_tensorflow() -> Iterator[None]:
    """Hides "Assets written to …" in notebooks, because the folder that it names is renamed afterwards."""
    log = tf.get_logger()
    level = log.level
    log.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        log.setLevel(level)


def write_warmup(file: Path, requests: Iterable[PredictRequest]) -> None:
    """Writes requests that TF Serving runs before it accepts traffic, so that no client waits for the first run."""
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            writer.write(PredictionLog(predict_log=PredictLog(request=request)).SerializeToString())
