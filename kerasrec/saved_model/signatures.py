"""The signatures of an export, as TensorFlow functions of original ids.

| signature | in | out |
|---|---|---|
| `serving_default` | `history` (batch, length) of item ids, padded with "" or -1; `ratings` (batch, length) for rating models; `user_id` (batch,) for models with a user input | `item_ids`, `scores` (batch, top_k) |
| `recommend` | the same; `k` (batch,); `exclude` (batch, m), ids that are never returned; `candidates` (batch, m), the only ids that are returned (a blank row means all) | `item_ids`, `scores` (batch, max k) |
| `score` | as `serving_default` | `scores` (batch, n_items) of all items, seen ones included, in the order of `assets/item_ids.txt`; `item_ids`, `top_k_scores` (batch, top_k) |
| `embed` | as `serving_default`; variational autoencoders only | `embedding` (batch, latent_dim), the mean of the code |
| `sample` | the same and `seed` (batch,) int64; variational autoencoders only | `item_ids`, `scores` (batch, top_k) for a code drawn with this seed |

All signatures ignore unknown items. An id that occurs twice in a row counts once, with its last rating. Items of the
history are never returned. If fewer items are left than requested, the rest of the list is "" or -1 with score -inf.
For a model that takes the user id only, the history is that of the training table.
"""  # noqa: E501 (a table row cannot be broken)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from kerasrec.models import Recommender
from kerasrec.ops.ranking import EXCLUDED_SCORE, exclude, top_k
from kerasrec.ops.sparse_rows import from_padded_ids
from kerasrec.saved_model.vocabulary import TrainingUsers, Vocabulary
from kerasrec.saved_model.weights import ExportedWeights
from kerasrec.types import Batch, Tensor


class Signatures:
    """The signatures of one model.

    Args:
        model: a model with users as rows.
        weights: its weights.
        catalogue: the item ids.
        users: the training users, for a model with a user input.
        top_k: length of the lists of all signatures but `recommend`.
    """

    def __init__(
        self,
        model: Recommender,
        weights: ExportedWeights,
        catalogue: Vocabulary,
        users: TrainingUsers | None,
        top_k: int,
    ) -> None:
        self.model = model
        self.weights = weights
        self.catalogue = catalogue
        self.users = users
        self.top_k = top_k
        ids = catalogue.dtype
        inputs = {}
        if "history" in model.serving_inputs:
            inputs["history"] = tf.TensorSpec((None, None), ids, "history")
        if "ratings" in model.serving_inputs:
            inputs["ratings"] = tf.TensorSpec((None, None), tf.float32, "ratings")
        if users is not None:
            inputs["user_id"] = tf.TensorSpec((None,), users.vocabulary.dtype, "user_id")
        restrictions = {
            "k": tf.TensorSpec((None,), tf.int32, "k"),
            "exclude": tf.TensorSpec((None, None), ids, "exclude"),
            "candidates": tf.TensorSpec((None, None), ids, "candidates"),
        }
        self.inputs = {"serving_default": inputs, "recommend": {**inputs, **restrictions}, "score": inputs}
        self.functions = {"serving_default": self.default, "recommend": self.recommend, "score": self.score}
        if model.variational:
            self.inputs |= {"embed": inputs, "sample": {**inputs, "seed": tf.TensorSpec((None,), tf.int64, "seed")}}
            self.functions |= {"embed": self.embed, "sample": self.sample}

    def as_module(self) -> tf.Module:
        """The weights and tables that the functions read. The Keras model itself is not part of the SavedModel."""
        module = tf.Module()
        module.weights = self.weights.as_module()
        module.catalogue = self.catalogue
        module.users = self.users
        return module

    def concrete_functions(self) -> dict[str, Any]:
        """Signature → function, for `tf.saved_model.save`."""
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self.inputs[name])
            for name, function in self.functions.items()
        }

    # ---- signatures -----------------------------------------------------------------------------

    def default(self, **inputs: Tensor) -> dict[str, Tensor]:
        _, unseen = self._scores(_checked(inputs, self.model.n_columns))
        item_ids, scores = self._best(unseen, self.top_k)
        return {"item_ids": item_ids, "scores": scores}

    def score(self, **inputs: Tensor) -> dict[str, Tensor]:
        scores, unseen = self._scores(_checked(inputs, self.model.n_columns))
        item_ids, top_k_scores = self._best(unseen, self.top_k)
        return {"scores": scores, "item_ids": item_ids, "top_k_scores": top_k_scores}

    def recommend(self, **inputs: Tensor) -> dict[str, Tensor]:
        n_items = self.model.n_columns
        inputs = _checked(inputs, n_items)
        k, candidates = inputs["k"], inputs["candidates"]
        _, scores = self._scores(inputs)
        scores = exclude(scores, self.catalogue.positions(inputs["exclude"]))
        unrestricted = tf.reduce_all(candidates == self.catalogue.padding, axis=1, keepdims=True)

        def restricted() -> Tensor:
            allowed = from_padded_ids(self.catalogue.positions(candidates)).dense(n_items) > 0
            return tf.where(unrestricted | allowed, scores, EXCLUDED_SCORE)

        scores = tf.cond(tf.reduce_all(unrestricted), lambda: scores, restricted)
        largest_k = tf.maximum(tf.reduce_max(k), 1)  # the maximum of an empty batch is the lowest integer
        item_ids, best_scores = self._best(scores, largest_k)
        requested = tf.range(largest_k) < k[:, tf.newaxis]
        return {
            "item_ids": tf.where(requested, item_ids, self.catalogue.padding),
            "scores": tf.where(requested, best_scores, EXCLUDED_SCORE),
        }

    def embed(self, **inputs: Tensor) -> dict[str, Tensor]:
        batch = self._batch(_checked(inputs, self.model.n_columns))
        with self.weights.in_use():
            mean, _ = self.model.posterior(batch)
        return {"embedding": tf.cast(mean, tf.float32)}

    def sample(self, **inputs: Tensor) -> dict[str, Tensor]:
        inputs = _checked(inputs, self.model.n_columns)
        batch = self._batch(inputs)
        with self.weights.in_use():
            mean, log_var = (tf.cast(output, tf.float32) for output in self.model.posterior(batch))
            width = mean.shape[-1]
            # Each row has its own stream of noise, so that its list does not depend on the other rows of the batch.
            noise = tf.map_fn(
                lambda seed: tf.random.stateless_normal((width,), tf.stack([seed, 0])),
                inputs["seed"],
                fn_output_signature=tf.float32,
            )
            scores = tf.cast(self.model.decode(mean + tf.exp(log_var / 2) * noise), tf.float32)
        item_ids, best_scores = self._best(self.model.mask_seen(scores, batch), self.top_k)
        return {"item_ids": item_ids, "scores": best_scores}

    # ---- from ids to scores to ids ----------------------------------------------------------------

    def _batch(self, inputs: Mapping[str, Tensor]) -> Batch:
        """Converts a request to the batch format of training, as sparse rows."""
        batch = {}
        if self.users is not None:
            batch["row"] = self.users.vocabulary.positions(inputs["user_id"])
        if "history" in inputs:
            batch |= unique_items(self.catalogue.positions(inputs["history"]), inputs.get("ratings"))
            batch.setdefault("row", tf.fill(tf.shape(batch["ids"])[:1], -1))  # an unknown user
        elif self.users is not None:
            batch["ids"] = self.users.histories(batch["row"])
        return self.model.with_sparse_rows(batch)

    def _scores(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The scores of all items, and the same with -inf at the items of the history."""
        batch = self._batch(inputs)
        with self.weights.in_use():
            scores = tf.cast(self.model(batch, training=False), tf.float32)
        return scores, self.model.mask_seen(scores, batch)

    def _best(self, scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and scores of the best `k` items of each row."""
        positions, best_scores = top_k(scores, k)
        return self.catalogue.ids(positions), best_scores

    # ---- warm-up --------------------------------------------------------------------------------

    def example_requests(self, name: str) -> Iterator[PredictRequest]:
        """One request to each signature of the model `name`."""
        history, blank = self.catalogue.first_ids, [[self.catalogue.padding]]
        values: dict[str, Any] = {"history": [history], "ratings": [[1.0] * len(history)], "k": [1], "seed": [0]}
        values |= {"exclude": blank, "candidates": blank}
        if self.users is not None:
            values["user_id"] = self.users.vocabulary.first_ids[:1]
        for signature, inputs in self.inputs.items():
            spec = ModelSpec(name=name, signature_name=signature)
            tensors = {field: tf.make_tensor_proto(values[field], inputs[field].dtype) for field in inputs}
            yield PredictRequest(model_spec=spec, inputs=tensors)


def unique_items(ids: Tensor, ratings: Tensor | None) -> Batch:
    """Removes unknown items and repetitions from histories, and moves the padding behind the items.

    An item that occurs twice keeps its last rating. Without ratings it keeps its first place.

    Args:
        ids: `(batch, length)` positions in the catalogue, -1 for unknown items and padding.
        ratings: `(batch, length)`, or None.

    Returns:
        The batch format of training.
    """
    if ratings is not None:
        # TF Serving pads the shorter requests of a batch with their first entry. The trailing copies of the first entry
        # are removed, because the last of them would count as the last rating of that item.
        differs = (ids != ids[:, :1]) | (ratings != ratings[:, :1])
        is_trailing = tf.cumsum(tf.cast(differs, tf.int32), axis=1, reverse=True) == 0
        ids = tf.concat([ids[:, :1], tf.where(is_trailing, -1, ids)[:, 1:]], axis=1)
    order = tf.argsort(ids, axis=1, stable=True)
    ascending = tf.gather(ids, order, batch_dims=1)
    changes, edge = ascending[:, 1:] != ascending[:, :-1], tf.ones_like(ids[:, :1], tf.bool)
    is_chosen = tf.concat([edge, changes] if ratings is None else [changes, edge], axis=1)
    length = tf.shape(ids)[1]
    # Places of the chosen entries in the request, ascending, then `length` as padding.
    chosen = tf.sort(tf.where(is_chosen & (ascending >= 0), order, length), axis=1)

    def take(entries: Tensor, padding: Any) -> Tensor:
        return tf.gather(tf.pad(entries, [[0, 0], [0, 1]], constant_values=padding), chosen, batch_dims=1)

    return {"ids": take(ids, -1)} if ratings is None else {"ids": take(ids, -1), "values": take(ratings, 0.0)}


def _checked(inputs: Mapping[str, Tensor], n_items: int) -> dict[str, Tensor]:
    """The inputs of a request, which no operation can read before they have been checked.

    The error of any other operation would not name the input.
    """
    first = "history" if "history" in inputs else "user_id"
    n_rows = tf.shape(inputs[first])[0]
    checks = [
        tf.Assert(tf.shape(tensor)[0] == n_rows, [f"`{name}` must have as many rows as `{first}`"])
        for name, tensor in inputs.items()
        if name != first
    ]
    if "ratings" in inputs:
        same_shape = tf.reduce_all(tf.shape(inputs["ratings"]) == tf.shape(inputs["history"]))
        checks.append(tf.Assert(same_shape, ["`ratings` must have the shape of `history`"]))
        is_finite = tf.reduce_all(tf.math.is_finite(inputs["ratings"]))
        checks.append(tf.Assert(is_finite, ["`ratings` must be finite numbers"]))
    if "k" in inputs:
        in_range = tf.reduce_all((inputs["k"] >= 1) & (inputs["k"] <= n_items))
        message = f"`k` must be between 1 and {n_items:,}, the number of items, not"
        checks.append(tf.Assert(in_range, [message, inputs["k"]]))
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}
