"""Export to a SavedModel that TF Serving answers from: original ids in, the best items' ids and scores out.

Only stock TensorFlow ops are written, so neither kerasrec nor Keras is needed to serve a model.

| signature | in | out |
|---|---|---|
| `serving_default` | `history` (batch, length) of item ids, padded with "" or -1; `ratings` (batch, length) and `user_id` (batch,) for models that ask for them | `item_ids`, `scores` (batch, top_k) |
| `recommend` | the same; `k` (batch,); `exclude` (batch, m), ids never to return; `candidates` (batch, m), the only ids to return, all where the row is blank | `item_ids`, `scores` (batch, max k) |
| `score` | as `serving_default` | `scores` (batch, n_items) of all items, seen ones too, in the order of `assets/item_ids.txt`; `item_ids`, `top_k_scores` (batch, top_k) |
| `embed` | as `serving_default`; variational autoencoders only | `embedding` (batch, latent_dim), the mean of the latent code |
| `sample` | the same and `seed` (batch,) int64; variational autoencoders only | `item_ids`, `scores` (batch, top_k) for a code drawn by that seed |

In every signature: unknown items are ignored, an unknown user is a stranger, an id that stands
twice in a row counts once (with its last rating), what the history holds never comes back, and
where fewer items are left than were asked for, the rest is "" or -1 with score -inf. A model that
is asked by user alone takes the training table for the history.
"""  # noqa: E501 (a table row cannot be broken)

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

import kerasrec
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.models.base import Recommender
from kerasrec.ops.ranking import NOTHING, exclude, top_k
from kerasrec.ops.sparse_rows import from_padded_ids
from kerasrec.types import Array, Batch, Tensor
from kerasrec.validation import check_at_least

WEIGHTS = ("float32", "bfloat16")


def export_saved_model(
    model: Recommender,
    path: str | os.PathLike[str],
    items: Interactions | Any,
    *,
    top_k: int = 100,
    version: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    weights: str = "float32",
) -> Path:
    """Writes `model` as `path/<version>`, ready for TF Serving and `kerasrec serve`.

    The version appears whole or not at all, so a server may watch `path` meanwhile. Beside the
    graph it holds `assets.extra/tf_serving_warmup_requests` and `assets.extra/kerasrec.json`.

    Args:
        model: a fitted or loaded model, on the TensorFlow backend.
        path: the model's folder, made where it is absent. Its name is the name that TF Serving's
            clients ask for.
        items: the training `Interactions`; for models that are asked by history also a plain
            array of item ids, one a column.
        top_k: length of the answers of `serving_default` and `score` (100); the whole catalogue
            where that is shorter.
        version: number of the version; one more than the highest in `path` where absent.
        metadata: what else `kerasrec.json` should tell (data set, protocol, metrics, commit), as
            JSON values.
        weights: `"float32"`, or `"bfloat16"` for matrices of half the size on disk and in memory.
            All sums stay in float32, but each request pays for the conversion. How much of the
            lists stays the same is measured on training users and written into `kerasrec.json`:
            `top_100_overlap`, the mean share of the best 100 (or `k`, of a smaller catalogue).

    Returns:
        `path/<version>`.

    Raises:
        FileExistsError: the version is there already.
        ValueError: the model is not built, `items` is not its catalogue, or an id cannot be written.

    Example:
        >>> from kerasrec import EASE, Interactions
        >>> from kerasrec.saved_model import export_saved_model
        >>> table = Interactions.from_arrays(["ann", "bob", "bob"], ["tea", "tea", "jam"])
        >>> model = EASE(table.n_items, reg=1.0)
        >>> _ = model.fit(table, verbose=0)
        >>> folder = getfixture("tmp_path") / "ease"
        >>> export_saved_model(model, folder, table).name
        '1'
        >>> answer = tf.saved_model.load(folder / "1").signatures["serving_default"]
        >>> answer(history=tf.constant([["tea"]]))["item_ids"].numpy()
        array([[b'jam', b'']], dtype=object)
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError("only the TensorFlow backend exports: load the saved model under KERAS_BACKEND=tensorflow")
    if not model.built:
        raise ValueError(f"this {type(model).__name__} has no weights yet: fit it or load it before the export")
    check_at_least(1, top_k=top_k)
    if weights not in WEIGHTS:
        raise ValueError(f"`weights` must be one of {', '.join(WEIGHTS)}, not {weights!r}")
    if version is not None and version < 0:
        raise ValueError(f"`version` must not be negative, not {version}")
    train = items if isinstance(items, Interactions) else None
    if train is None and (model.rows == "items" or "user_id" in model.serving_inputs):
        raise ValueError(f"{type(model).__name__} is asked by user: `items` must be the training Interactions")
    if train is None and weights != "float32":
        raise ValueError(f"{weights} is measured on training users: `items` must be the training Interactions")
    item_ids = _ids(items if train is None else train.item_ids, "item")
    answering = model if train is None else model.as_user_model(train)
    if len(item_ids) != answering.n_columns:
        raise ValueError(f"`items` holds {len(item_ids):,} items, the model was made for {answering.n_columns:,}")
    held = _Weights(answering, weights)
    about = {
        "model": type(model).__name__,
        "config": model.get_config(),
        "serving_inputs": list(answering.serving_inputs),
        "n_items": len(item_ids),
        "n_users": None if train is None else train.n_users,
        "data": None if train is None else repr(train),
        "top_k": min(top_k, len(item_ids)),
        "weights": weights,
        **({} if train is None or weights == "float32" else _overlap(answering, held, train)),
        "kerasrec": kerasrec.__version__,
        **(metadata or {}),
    }
    try:
        described = json.dumps(about, indent=2, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"`metadata` must hold JSON values: {error}") from None

    with _new_version(Path(path), version) as (folder, name):
        vocabularies = folder / "vocabularies"
        vocabularies.mkdir()
        catalogue = _Vocabulary(item_ids, vocabularies / "item_ids.txt")
        users = None
        if train is not None and "user_id" in answering.serving_inputs:
            users = _Users(train, vocabularies / "user_ids.txt", "history" in answering.serving_inputs)
        endpoint = _Endpoint(answering, held, catalogue, users, about["top_k"])
        tf.saved_model.save(endpoint.saved(), folder, endpoint.signatures())
        shutil.rmtree(vocabularies)  # copied to assets
        extra = folder / "assets.extra"
        extra.mkdir()
        (extra / "kerasrec.json").write_text(described + "\n", encoding="utf-8")
        _write_warmup(extra / "tf_serving_warmup_requests", endpoint.examples(Path(path).resolve().name))
    return Path(path) / name


class _Weights:
    """The model's weights as they are written: matrices in half the size where that is asked for."""

    def __init__(self, model: Recommender, dtype: str) -> None:
        halve = dtype != "float32"
        matrices = [w for w in model.inference_weights if halve and len(w.shape) > 1 and w.dtype == "float32"]
        self.halved = [(w, tf.Variable(tf.cast(w.value, dtype), trainable=False)) for w in matrices]
        self.whole = [w for w in model.inference_weights if not any(w is matrix for matrix in matrices)]

    def saved(self) -> tf.Module:
        """All that is written."""
        module = tf.Module()
        module.whole = [w.value for w in self.whole]
        module.halved = [half for _, half in self.halved]
        return module

    def in_use(self) -> Any:
        """A context in which the model computes with what is written."""
        if not self.halved:
            return nullcontext()
        return keras.StatelessScope([(own, tf.cast(half, tf.float32)) for own, half in self.halved])


class _Vocabulary(tf.Module):
    """Original ids and their places 0, 1, 2, …, each found from the other in one text file."""

    def __init__(self, ids: Array, file: Path) -> None:
        super().__init__()
        text = ids.dtype.kind == "U"
        self.dtype = tf.string if text else tf.int64
        self.nothing = "" if text else -1
        self.first = ids[:8].tolist()
        file.write_text("\n".join(map(str, ids.tolist())) + "\n", encoding="utf-8", newline="\n")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        self.place = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), self.dtype, line, tf.int64, number), -1
        )
        self.id = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(str(file), tf.int64, number, self.dtype, line), self.nothing
        )

    def places(self, ids: Tensor) -> Tensor:
        """int32, -1 where the id is unknown."""
        return tf.cast(self.place.lookup(ids), tf.int32)

    def ids(self, places: Tensor) -> Tensor:
        """The original ids, "" or -1 where the place is -1."""
        return self.id.lookup(tf.cast(places, tf.int64))


class _Users(tf.Module):
    """The training users and, for models that are not told it, what each of them has seen."""

    def __init__(self, train: Interactions, file: Path, told_histories: bool) -> None:
        super().__init__()
        self.vocabulary = _Vocabulary(_ids(train.user_ids, "user"), file)
        self.n_users = train.n_users
        if told_histories:
            return
        # Variables, because constants would count against the 2 GB that a graph may have. The last
        # row, a stranger's, is empty.
        self.splits = tf.Variable(np.append(train.indptr, train.indptr[-1]), trainable=False)
        self.items = tf.Variable(train.items, trainable=False)

    def seen(self, row: Tensor) -> Tensor:
        """The columns that the users in `row` have in training, padded with -1."""
        rows = tf.RaggedTensor.from_row_splits(self.items, self.splits, validate=False)
        return tf.gather(rows, tf.where(row < 0, self.n_users, row)).to_tensor(-1)


class _Endpoint:
    """The signatures of a model as TensorFlow functions of original ids."""

    def __init__(
        self, model: Recommender, weights: _Weights, catalogue: _Vocabulary, users: _Users | None, top_k: int
    ) -> None:
        self.model = model
        self.weights = weights
        self.catalogue = catalogue
        self.users = users
        self.top_k = top_k
        inputs = {}
        if "history" in model.serving_inputs:
            inputs["history"] = tf.TensorSpec((None, None), catalogue.dtype, "history")
        if "ratings" in model.serving_inputs:
            inputs["ratings"] = tf.TensorSpec((None, None), tf.float32, "ratings")
        if users is not None:
            inputs["user_id"] = tf.TensorSpec((None,), users.vocabulary.dtype, "user_id")
        request = {
            **inputs,
            "k": tf.TensorSpec((None,), tf.int32, "k"),
            "exclude": tf.TensorSpec((None, None), catalogue.dtype, "exclude"),
            "candidates": tf.TensorSpec((None, None), catalogue.dtype, "candidates"),
        }
        self.inputs = {"serving_default": inputs, "recommend": request, "score": inputs}
        self.functions = {"serving_default": self.default, "recommend": self.recommend, "score": self.score}
        if hasattr(model, "posterior"):
            self.inputs |= {"embed": inputs, "sample": {**inputs, "seed": tf.TensorSpec((None,), tf.int64, "seed")}}
            self.functions |= {"embed": self.embed, "sample": self.sample}

    def saved(self) -> tf.Module:
        """What the signatures read: weights and tables. The Keras model itself stays out of the SavedModel."""
        module = tf.Module()
        module.weights = self.weights.saved()
        module.catalogue = self.catalogue
        module.users = self.users
        return module

    def signatures(self) -> dict[str, Any]:
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self.inputs[name])
            for name, function in self.functions.items()
        }

    def default(self, **inputs: Tensor) -> dict[str, Tensor]:
        _, unseen = self.scores(_checked(inputs, self.model.n_columns))
        item_ids, scores = self.best(unseen, self.top_k)
        return {"item_ids": item_ids, "scores": scores}

    def score(self, **inputs: Tensor) -> dict[str, Tensor]:
        scores, unseen = self.scores(_checked(inputs, self.model.n_columns))
        item_ids, best = self.best(unseen, self.top_k)
        return {"scores": scores, "item_ids": item_ids, "top_k_scores": best}

    def recommend(self, **inputs: Tensor) -> dict[str, Tensor]:
        n_items = self.model.n_columns
        inputs = _checked(inputs, n_items)
        k, candidates = inputs["k"], inputs["candidates"]
        _, unseen = self.scores(inputs)
        unseen = exclude(unseen, self.catalogue.places(inputs["exclude"]))
        unrestricted = tf.reduce_all(candidates == self.catalogue.nothing, axis=1, keepdims=True)

        def among_candidates() -> Tensor:
            allowed = from_padded_ids(self.catalogue.places(candidates)).dense(n_items) > 0
            return tf.where(unrestricted | allowed, unseen, NOTHING)

        unseen = tf.cond(tf.reduce_all(unrestricted), lambda: unseen, among_candidates)
        widest = tf.maximum(tf.reduce_max(k), 1)  # the largest of no k at all is the lowest integer
        item_ids, scores = self.best(unseen, widest)
        asked = tf.range(widest) < k[:, tf.newaxis]
        return {
            "item_ids": tf.where(asked, item_ids, self.catalogue.nothing),
            "scores": tf.where(asked, scores, NOTHING),
        }

    def embed(self, **inputs: Tensor) -> dict[str, Tensor]:
        batch = self.batch(_checked(inputs, self.model.n_columns))
        with self.weights.in_use():
            mean, _ = self.model.posterior(batch)
        return {"embedding": tf.cast(mean, tf.float32)}

    def sample(self, **inputs: Tensor) -> dict[str, Tensor]:
        inputs = _checked(inputs, self.model.n_columns)
        batch = self.batch(inputs)
        with self.weights.in_use():
            mean, log_var = (tf.cast(part, tf.float32) for part in self.model.posterior(batch))
            width = mean.shape[-1]
            # A stream of noise for each row, so that an answer does not depend on who else is in the batch.
            noise = tf.map_fn(
                lambda seed: tf.random.stateless_normal((width,), tf.stack([seed, 0])),
                inputs["seed"],
                fn_output_signature=tf.float32,
            )
            scores = tf.cast(self.model.decode(mean + tf.exp(log_var / 2) * noise), tf.float32)
        item_ids, best = self.best(self.model.mask_seen(scores, batch), self.top_k)
        return {"item_ids": item_ids, "scores": best}

    def scores(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The model's scores of all items, and the same with -inf at what must not come back."""
        batch = self.batch(inputs)
        with self.weights.in_use():
            scores = tf.cast(self.model(batch, training=False), tf.float32)
        return scores, self.model.mask_seen(scores, batch)

    def batch(self, inputs: Mapping[str, Tensor]) -> Batch:
        """The model's input."""
        batch = {}
        if self.users is not None:
            batch["row"] = self.users.vocabulary.places(inputs["user_id"])
        if "history" in inputs:
            batch |= self.rows(inputs["history"], inputs.get("ratings"))
            batch.setdefault("row", tf.fill(tf.shape(batch["ids"])[:1], -1))  # a stranger's
        elif self.users is not None:
            batch["ids"] = self.users.seen(batch["row"])
        return batch

    def rows(self, history: Tensor, ratings: Tensor | None) -> Batch:
        """The batch format of training: known items, each once, in the order given, padding behind them.

        Of an item that stands twice its last rating counts, and its first place where there are no ratings.
        """
        ids = self.catalogue.places(history)
        if ratings is not None:
            # TF Serving pads a shorter request of a batch with its own first entry, which must not count as the last.
            other = (ids != ids[:, :1]) | (ratings != ratings[:, :1])
            behind = tf.cumsum(tf.cast(other, tf.int32), axis=1, reverse=True) == 0
            ids = tf.concat([ids[:, :1], tf.where(behind, -1, ids)[:, 1:]], axis=1)
        order = tf.argsort(ids, axis=1, stable=True)
        ascending = tf.gather(ids, order, batch_dims=1)
        changes, edge = ascending[:, 1:] != ascending[:, :-1], tf.ones_like(ids[:, :1], tf.bool)
        once = tf.concat([edge, changes] if ratings is None else [changes, edge], axis=1)
        length = tf.shape(ids)[1]
        kept = tf.sort(tf.where(once & (ascending >= 0), order, length), axis=1)

        def take(entries: Tensor, padding: Any) -> Tensor:
            return tf.gather(tf.pad(entries, [[0, 0], [0, 1]], constant_values=padding), kept, batch_dims=1)

        return {"ids": take(ids, -1)} if ratings is None else {"ids": take(ids, -1), "values": take(ratings, 0.0)}

    def best(self, scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and scores of the best `k` items of each row."""
        columns, best = top_k(scores, k)
        return self.catalogue.ids(columns), best

    def examples(self, name: str) -> Iterator[PredictRequest]:
        """One request to each signature of the model `name`."""
        history, blank = self.catalogue.first, [[self.catalogue.nothing]]
        fields = {"history": [history], "ratings": [[1.0] * len(history)], "k": [1], "exclude": blank}
        fields["candidates"] = blank
        fields["seed"] = [0]
        if self.users is not None:
            fields["user_id"] = self.users.vocabulary.first[:1]
        for signature, inputs in self.inputs.items():
            spec = ModelSpec(name=name, signature_name=signature)
            tensors = {field: tf.make_tensor_proto(fields[field], inputs[field].dtype) for field in inputs}
            yield PredictRequest(model_spec=spec, inputs=tensors)


def _checked(inputs: Mapping[str, Tensor], n_items: int) -> dict[str, Tensor]:
    """The inputs, which nothing can read before they have passed: any other op's complaint would name no input."""
    first = "history" if "history" in inputs else "user_id"
    n_rows = tf.shape(inputs[first])[0]
    checks = [
        tf.Assert(tf.shape(tensor)[0] == n_rows, [f"`{name}` must have as many rows as `{first}`"])
        for name, tensor in inputs.items()
        if name != first
    ]
    if "ratings" in inputs:
        same = tf.reduce_all(tf.shape(inputs["ratings"]) == tf.shape(inputs["history"]))
        checks.append(tf.Assert(same, ["`ratings` must have the shape of `history`"]))
        finite = tf.reduce_all(tf.math.is_finite(inputs["ratings"]))
        checks.append(tf.Assert(finite, ["`ratings` must be finite numbers"]))
    if "k" in inputs:
        in_range = tf.reduce_all((inputs["k"] >= 1) & (inputs["k"] <= n_items))
        checks.append(
            tf.Assert(in_range, [f"`k` must be between 1 and {n_items:,}, the number of items, not", inputs["k"]])
        )
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


def _overlap(model: Recommender, weights: _Weights, train: Interactions) -> dict[str, float]:
    """The share of the best 100 that the written weights leave as they were, over up to 1,000 training users."""
    users = np.sort(np.random.default_rng(0).permutation(train.n_users)[:1000]).astype(np.int32)
    width = min(100, train.n_items)
    shares = []
    batches = model.batches(HeldOut(train.take_users(users), None, users), 100)
    for (batch,) in map(batches.__getitem__, range(len(batches))):
        whole = model.mask_seen(model(batch, training=False), batch)
        with weights.in_use():
            written = model(batch, training=False)
        written = model.mask_seen(written, batch)
        for own, other in zip(top_k(whole, width)[0].numpy(), top_k(written, width)[0].numpy(), strict=True):
            found = own[own >= 0]
            if len(found):
                shares.append(np.isin(found, other).mean())
    return {f"top_{width}_overlap": float(np.mean(shares)) if shares else 1.0}


def _ids(ids: Any, whose: str) -> Array:
    """The ids as an array of int64 or str, after a look at whether a vocabulary file can hold them."""
    array = np.asarray(ids)
    if array.dtype.kind == "O":
        array = np.array(array.tolist())
    if array.dtype.kind not in "iuU" or array.ndim != 1:
        raise ValueError(f"{whose} ids must be a flat array of integers or strings, not {array.dtype} {array.shape}")
    array = array.astype(np.int64) if array.dtype.kind in "iu" else array
    if len(np.unique(array)) < len(array):
        raise ValueError(f"{whose} ids must be distinct: {len(array) - len(np.unique(array)):,} are repeated")
    for place, value in enumerate(array.tolist()):
        if value in ("", -1):
            raise ValueError(f"{value!r} cannot be the id of {_an(whose)} (number {place}): it stands for padding")
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            raise ValueError(
                f"{whose} id {value!r} (number {place}) holds a line break, which a vocabulary file cannot: rename it"
            )
    return array


def _an(word: str) -> str:
    return f"an {word}" if word[0] in "aeio" else f"a {word}"


@contextmanager
def _new_version(path: Path, version: int | None) -> Iterator[tuple[Path, str]]:
    """A hidden folder to write in, which takes the version's name at the end; nothing is left after a failure."""
    made_here = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    if version is None:
        version = 1 + max((int(p.name) for p in path.iterdir() if p.name.isdecimal()), default=0)
    final = path / str(version)
    taken = FileExistsError(f"version {version} is already in {path}: give another `version`, or none for the next")
    if final.exists():
        raise taken
    # Not tempfile.mkdtemp, whose folders no other user (TF Serving's, say) may read.
    folder = path / f".{version}.{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder, final.name
        try:
            folder.rename(final)
        except OSError:
            if final.exists():
                raise taken from None
            raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if made_here and not any(path.iterdir()):
            path.rmdir()
        raise


def _write_warmup(file: Path, requests: Iterable[PredictRequest]) -> None:
    """What TF Serving answers for itself before it takes traffic, so that no client waits for the first run."""
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            writer.write(PredictionLog(predict_log=PredictLog(request=request)).SerializeToString())
