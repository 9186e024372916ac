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
BATCH_SIZE = 100_000


def read_tfds(name: str) -> Interactions:
    """Reads ratings of the `movielens` builder of TensorFlow Datasets, and prepares them if necessary.

    TensorFlow Datasets stores them in its own folder (`$TFDS_DATA_DIR` or `~/tensorflow_datasets`).
    An archive in `$KERASREC_DATA/tfds/downloads/manual` replaces the download. TensorFlow Datasets
    shuffles the ratings, so the original order is lost: each user's ratings are in time order.

    Args:
        name: name of the data set, for example `"movielens/latest-small-ratings"`.

    Returns:
        Interactions with ratings, times and titles. Ids are integers.

    Raises:
        DataError: TensorFlow Datasets is not installed, has no data set `name`, or cannot prepare it.
    """
    try:
        import tensorflow as tf
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"{name}: expected TensorFlow Datasets, got an import error ({error}). Fix: pip install tensorflow "
            "tensorflow-datasets importlib_resources, or pass the path of the unpacked data"
        ) from None
    try:
        builder = tfds.builder(name)
    except (ValueError, tfds.core.registered.DatasetNotFoundError):
        configs = [c for c in tfds.builder_cls("movielens").builder_configs if c.endswith("-ratings")]
        names = ", ".join(f"movielens/{config}" for config in configs)
        raise DataError(
            f"expected the name of a data set of TensorFlow Datasets, got {name!r}. Fix: choose one of {names}"
        ) from None
    if "user_rating" not in builder.info.features:
        raise DataError(
            f"{name}: expected a data set with ratings, got one without. Fix: choose a name that ends in -ratings"
        )
    _prepare(builder, name)

    def columns_of(row: Any) -> tuple[Any, ...]:
        ids = (tf.strings.to_number(row[key], tf.int64) for key in ("user_id", "movie_id"))
        return (*ids, row["user_rating"], row["timestamp"], row["movie_title"])

    batches = builder.as_dataset(split="train").map(columns_of, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH_SIZE)
    columns: list[list[Any]] = [[], [], [], []]
    titles: dict[int, str] = {}
    for *batch, batch_titles in batches.as_numpy_iterator():
        for column, part in zip(columns, batch, strict=True):
            column.append(part)
        movies, first = np.unique(batch[1], return_index=True)
        titles |= {movie: batch_titles[at].decode().strip() for movie, at in zip(movies.tolist(), first, strict=True)}
    user, movie, rating, time = (np.concatenate(column) for column in columns)
    return Interactions.from_arrays(user, movie, rating, time, titles).in_time_order()


def _prepare(builder: Any, name: str) -> None:
    """Downloads and prepares the data set, if that has not been done before."""
    import tensorflow_datasets as tfds

    if Path(builder.data_path).exists():
        return
    folder = os.environ.get("KERASREC_DATA")
    manual = Path(folder) / "tfds" / "downloads" / "manual" if folder else None
    archive = f"ml-{builder.builder_config.format_version}.zip"
    fix = (
        f"connect to the network once, or copy {archive} to {manual or '$KERASREC_DATA/tfds/downloads/manual'}, or "
        "pass the path of that archive to `kerasrec.read`"
    )
    # Without this check, TensorFlow Datasets tries for minutes.
    if not (manual and (manual / archive).exists()) and not getproxies():
        try:
            socket.getaddrinfo(HOST, 443)
        except OSError as error:
            raise DataError(f"{name}: expected a connection to {HOST}, got an error ({error}). Fix: {fix}") from None
    try:
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual))
    except Exception as error:  # of the network, the archive or the disk
        raise DataError(f"{name}: expected a complete download, got an error ({error}). Fix: {fix}") from error
