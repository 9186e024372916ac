"""Presets: a trained model and its catalogue in a folder, with the file layout of keras-hub.

| file | content |
|---|---|
| `config.json` | the class and the arguments of the model, as `keras.saving.serialize_keras_object` writes them |
| `model.weights.h5` | the weights, without the state of the optimizer |
| `assets/items.csv` | ids and titles of the catalogue, in the order of the model's columns |
| `metadata.json` | versions, number of parameters, licence, and what the caller adds: data, protocol, metrics |

A preset contains no user data.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata as packages
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from kerasrec.data.catalogue import ids_digest
from kerasrec.data.id_files import read_ids, read_titles, table_of_ids
from kerasrec.data.interactions import Interactions
from kerasrec.data.table_argument import check_table
from kerasrec.extras import install_command
from kerasrec.files import atomic_folder
from kerasrec.validation import check_json

CONFIG, WEIGHTS, METADATA, ITEMS = "config.json", "model.weights.h5", "metadata.json", "assets/items.csv"
SHIPPED = Path(__file__).parent / "shipped"
"""The folder of the presets that kerasrec contains."""


class Presets:
    """The part of `Recommender` that reads and writes presets."""

    def save_to_preset(
        self, folder: str | os.PathLike[str], items: Interactions, metadata: Mapping[str, Any] | None = None
    ) -> Path:
        """Stores the model and its catalogue as a preset, in the file layout of keras-hub, without user data.

        Args:
            folder: a new folder.
            items: the training table, or any table of the same catalogue. Its ids and titles are stored.
            metadata: JSON values for `metadata.json`, for example the data, the protocol, metrics and the licence.

        Returns:
            The folder.

        Raises:
            FileExistsError: `folder` exists.
            ValueError: `items` is another catalogue, the model has weights per user or has not been fitted, or
                `metadata` has other values than those of JSON.

        Example:
            >>> import tempfile
            >>> from kerasrec import ELSA, generate
            >>> table = generate(n_users=100, n_items=50, seed=1)
            >>> model = ELSA.for_interactions(table, latent_dim=4, seed=1)
            >>> folder = model.save_to_preset(tempfile.mkdtemp() + "/elsa", table, {"licence": "CC0-1.0"})
            >>> sorted(path.name for path in folder.iterdir())
            ['assets', 'config.json', 'metadata.json', 'model.weights.h5']
            >>> ELSA.from_preset(folder).latent_dim
            4
        """
        return write_preset(self, folder, items, metadata)

    @classmethod
    def from_preset(cls, handle: str | os.PathLike[str]) -> Self:
        """Loads the model of a preset.

        `kerasrec.models.presets.catalogue_from_preset` returns its items.

        Args:
            handle: a folder, `hf://USER/NAME` (Hugging Face), `kaggle://USER/MODEL/keras/VARIATION`, or the name of a
                preset that kerasrec contains: `"elsa_generated"`.

        Raises:
            FileNotFoundError: the preset does not exist.
            ImportError: the client library of the hub is not installed.
            ValueError: the preset contains a model of another class, or of another library.

        Example:
            >>> from kerasrec import ELSA, Interactions
            >>> from kerasrec.models.presets import catalogue_from_preset
            >>> model, catalogue = ELSA.from_preset("elsa_generated"), catalogue_from_preset("elsa_generated")
            >>> model.recommend(Interactions.from_histories([[3, 13]], catalogue), k=5).item_ids.shape
            (1, 5)
        """
        model = read_preset(handle)
        if not isinstance(model, cls):
            found = type(model).__name__
            raise ValueError(f"expected a preset of {cls.__name__}, got one of {found}. Fix: `{found}.from_preset`")
        return model


def write_preset(
    model: Any, folder: str | os.PathLike[str], items: Interactions, metadata: Mapping[str, Any] | None = None
) -> Path:
    """Writes a preset; see `Recommender.save_to_preset`."""
    _check_no_user_data(model)
    check_table(items=items)
    if items.n_items != model.n_columns or model.columns_digest not in (None, ids_digest(items.item_ids)):
        raise ValueError(
            f"`items`: expected the catalogue of this {type(model).__name__}, with {model.n_columns:,} items, got "
            f"{items.n_items:,} items or other ids. Fix: pass the training table"
        )
    model.check_fitted()
    check_json(metadata=dict(metadata or {}))
    titles = [""] * items.n_items if items.item_titles is None else items.item_titles.tolist()
    about = {
        "keras_version": keras.__version__,
        "kerasrec_version": packages.version("kerasrec"),
        "parameter_count": int(model.count_params()),
        "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        **(metadata or {}),
    }
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    config["config"]["columns_digest"] = ids_digest(items.item_ids)
    with atomic_folder(Path(folder)) as unfinished:
        (unfinished / "assets").mkdir()
        (unfinished / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (unfinished / METADATA).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        with (unfinished / ITEMS).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerows([["item", "title"], *zip(items.item_ids.tolist(), titles, strict=True)])
        model.save_weights(unfinished / WEIGHTS)
    return Path(folder)


def _check_no_user_data(model: Any) -> None:
    reason = None
    if model.rows == "items":
        reason = "a weight per user in each row"
    elif model.n_known_rows is not None:
        reason = "weights or side information per user"
    elif model.stores_histories:
        reason = "the histories of the training users in its weights"
    if reason:
        raise ValueError(
            f"expected a model without user data, got a {type(model).__name__} with {reason}. "
            'Fix: train with `user_node=False`, `rows="users"` or without `side`, choose another model, or store this '
            "one with `save`"
        )


def read_preset(handle: str | os.PathLike[str]) -> Any:
    """The model of a preset; see `Recommender.from_preset`."""
    folder = preset_folder(handle)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if config.get("registered_name", "").partition(">")[0] != "kerasrec":
        raise ValueError(
            f"expected a preset of kerasrec, got one of {config.get('registered_name') or config.get('class_name')!r}. "
            "Fix: load it with the library that wrote it"
        )
    model = keras.saving.deserialize_keras_object(config)
    model.load_weights(folder / WEIGHTS)
    return model


def catalogue_from_preset(handle: str | os.PathLike[str]) -> Interactions:
    """The items of a preset, as a table without interactions, for `Interactions.from_histories`.

    Args:
        handle: as for `Recommender.from_preset`.

    Example:
        >>> from kerasrec.models.presets import catalogue_from_preset
        >>> catalogue_from_preset("elsa_generated").item_ids[:3]
        array([1, 2, 3])
    """
    folder = preset_folder(handle)
    digest = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["config"]["columns_digest"]
    titles = read_titles(folder / ITEMS)
    item_ids = read_ids(folder / ITEMS, digest)
    return table_of_ids(np.zeros(0, np.int64), item_ids, titles if any(titles) else None)


def preset_metadata(handle: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of `metadata.json` of a preset.

    Args:
        handle: as for `Recommender.from_preset`.

    Example:
        >>> from kerasrec.models.presets import preset_metadata
        >>> preset_metadata("elsa_generated")["data"]
        'generated'
    """
    content: dict[str, Any] = json.loads((preset_folder(handle) / METADATA).read_text(encoding="utf-8"))
    return content


def preset_folder(handle: str | os.PathLike[str]) -> Path:
    """The folder of a preset, downloaded if it is on a hub.

    Args:
        handle: as for `Recommender.from_preset`.

    Raises:
        FileNotFoundError: the folder or a file of the preset does not exist.
        ImportError: the client library of the hub is not installed.
    """
    text = os.fspath(handle)
    if text.startswith("hf://"):
        folder = _from_hugging_face(text.removeprefix("hf://"))
    elif text.startswith("kaggle://"):
        folder = _from_kaggle(text.removeprefix("kaggle://"))
    else:
        folder = Path(text) if Path(text).exists() else SHIPPED / text
    missing = [name for name in (CONFIG, WEIGHTS, METADATA, ITEMS) if not (folder / name).is_file()]
    if missing:
        shipped = ", ".join(sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()))
        raise FileNotFoundError(
            f"{text!r} is not a preset of kerasrec ({', '.join(missing)} missing). Fix: pass a folder that "
            f"`save_to_preset` wrote, hf://USER/NAME, kaggle://USER/MODEL/keras/VARIATION, or one of {shipped}"
        )
    return folder


def _from_hugging_face(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ImportError(f"hf:// needs the package huggingface_hub. Fix: {install_command('presets')}") from None
    return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS, METADATA, ITEMS]))


def _from_kaggle(name: str) -> Path:
    try:
        from kagglehub import model_download
    except ImportError:
        raise ImportError(f"kaggle:// needs the package kagglehub. Fix: {install_command('presets')}") from None
    return Path(model_download(name))
