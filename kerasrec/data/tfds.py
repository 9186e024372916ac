"""MovieLens through TensorFlow Datasets: the only reader that needs TensorFlow."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import numpy as np

from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions

HOST = "files.grouplens.org"
BATCH = 100_000


def read_tfds(name: str) -> Interactions:
    """Reads ratings of the `movielens` builder of TensorFlow Datasets, which prepares them if need be.

    They stay where TensorFlow Datasets keeps its data (`$TFDS_DATA_DIR`, or
    `~/tensorflow_datasets`). An archive in `$KERASREC_DATA/tfds/downloads/manual` spares the
    download. The original order is lost, as TensorFlow Datasets shuffles; each user's ratings come
    in time order instead.

    Args:
        name: as in `"movielens/latest-small-ratings"`.

    Returns:
        Interactions with ratings, times and titles; ids are integers.

    Raises:
        DataError: TensorFlow Datasets is missing, does not know `name`, or cannot prepare it.
    """
    try:
        import tensorflow as tf
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"{name} is read through TensorFlow Datasets, which cannot be imported ({error}): "
            "pip install tensorflow tensorflow-datasets importlib_resources, or give the path of the unpacked data"
        ) from None
    try:
        builder = tfds.builder(name)
    except (ValueError, tfds.core.registered.DatasetNotFoundError):
        there = [f"movielens/{c}" for c in tfds.builder_cls("movielens").builder_configs if c.endswith("-ratings")]
        raise DataError(f"TensorFlow Datasets has no set {name!r}: choose one of {', '.join(there)}") from None
    if "user_rating" not in builder.info.features:
        raise DataError(f"{name} holds no ratings: take the set whose name ends in -ratings")
    _prepare(builder, name)

    def fields(row: Any) -> tuple[Any, ...]:
        ids = (tf.strings.to_number(row[key], tf.int64) for key in ("user_id", "movie_id"))
        return (*ids, row["user_rating"], row["timestamp"], row["movie_title"])

    batches = builder.as_dataset(split="train").map(fields, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH)
    columns: list[list[Any]] = [[], [], [], []]
    titles: dict[int, str] = {}
    for *batch, title in batches.as_numpy_iterator():
        for column, part in zip(columns, batch, strict=True):
            column.append(part)
        movies, first = np.unique(batch[1], return_index=True)
        titles |= {movie: title[at].decode().strip() for movie, at in zip(movies.tolist(), first.tolist(), strict=True)}
    user, movie, rating, time = (np.concatenate(column) for column in columns)
    return Interactions.from_arrays(user, movie, rating, time, titles).in_time_order()


def _prepare(builder: Any, name: str) -> None:
    """Downloads and prepares the set, unless that was done before."""
    import tensorflow_datasets as tfds

    if Path(builder.data_path).exists():
        return
    folder = os.environ.get("KERASREC_DATA")
    manual = Path(folder) / "tfds" / "downloads" / "manual" if folder else None
    archive = f"ml-{builder.builder_config.format_version}.zip"
    place = manual or "$KERASREC_DATA/tfds/downloads/manual"
    advice = f"connect once, or put {archive} into {place}, or read that archive by its path"
    # TensorFlow Datasets would try for minutes before it gave up.
    if not (manual and (manual / archive).exists()) and not getproxies():
        try:
            socket.getaddrinfo(HOST, 443)
        except OSError as error:
            raise DataError(f"{name} must be downloaded and {HOST} cannot be reached ({error}): {advice}") from None
    try:
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual))
    except Exception as error:  # whatever a network, an archive or a disk can do
        raise DataError(f"TensorFlow Datasets cannot prepare {name} ({error}): {advice}") from error
