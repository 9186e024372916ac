"""The signatures of an export, as TensorFlow functions of original ids.

| signature | in | out |
|---|---|---|
| `serving_default` | `history` (batch, length) of item ids; `ratings` (batch, length) for rating models; `user_id` (batch,) for models with a user input | a list of top_k |
| `recommend` | the same; `k` (batch,); `exclude` (batch, m), ids that are never returned; `candidates` (batch, m), the only ids that are returned (a blank row means all) | a list as long as the largest k |
| `examples` | `examples` (batch,) of serialised `tf.train.Example` with the inputs of `recommend` as features, all optional; `k` is top_k if it is missing | as `recommend` |
| `score` | as `serving_default` | `scores` (batch, n_items) of all items, seen ones included, in the order of `assets/item_ids.txt`; a list of top_k, its scores as `top_k_scores` |
| `similar` | `item_ids` (batch,); models with item vectors only | a list of top_k, without the item |
| `titles` | `item_ids` (batch, length); only if the training table has titles | `titles` (batch, length), "" for unknown items and for items without a title |
| `embed` | as `serving_default`; variational autoencoders only | `embedding` (batch, latent_dim), the mean of the code |
| `sample` | the same and `seed` (batch,) int64; variational autoencoders only | a list of top_k for a code drawn with this seed |

A list has four outputs: `item_ids` and `scores` (batch, length), best first; `n_known` int32 (batch,), the number of
history items in the catalogue; `n_valid` int32 (batch,), the number of items in the list. If fewer items are left than
requested, the rest of the list is "" or -1 with the lowest float32 as its score. No output is infinite or NaN.

Each row of `history`, `exclude` and `candidates` starts with the padding "" or -1, because TF Serving pads a merged
request with its first element. The graph rejects other rows. All signatures ignore unknown items. An id that occurs
twice in a row counts once, with its last rating. Items of the history are never returned. For a model that takes the
user id only, the history is that of the training table.

Items with equal scores are in the order of their popularity. A request without a known item and, for models with a user
input, without a known user gets the most popular items. Their scores are numbers of training users. `scores` of `score`
are always those of the model.
"""  # noqa: E501 (a table row cannot be broken)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from kerasrec.data.popularity import ItemPopularity
from kerasrec.models import Recommender
from kerasrec.ops.diversity import diverse_top_k
from kerasrec.ops.ranking import EXCLUDED_SCORE, MISSING_SCORE, exclude, finite, popular_if_unknown, top_k
from kerasrec.ops.sparse_rows import from_padded_ids
from kerasrec.saved_model.inputs import checked, parse_examples, unique_items
from kerasrec.saved_model.vocabulary import ItemTitles, TrainingUsers, Vocabulary
from kerasrec.saved_model.weights import ExportedWeights
from kerasrec.types import Batch, FloatArray, Tensor


class Signatures:
    """The signatures of one model.

    Args:
        model: a model with users as rows.
        weights: its weights.
        catalogue: the item ids.
        users: the training users, for a model with a user input.
        popularity: the popularity of the items, or `None`.
        item_vectors: `(n_items, dim)` of length 1, whose products are the similarities of items; `None` if the model is
            linear, so that its scores are the similarities, or has no item vectors.
        top_k: length of the lists of all signatures but `recommend`.
        diversify: strength of the re-ranking by `diverse_top_k`.
        profiles: a vector of length 1 per item, for `diversify`.
        titles: the titles of the items, or `None`.
    """

    def __init__(
        self,
        model: Recommender,
        weights: ExportedWeights,
        catalogue: Vocabulary,
        users: TrainingUsers | None,
        popularity: ItemPopularity | None,
        item_vectors: FloatArray | None,
        top_k: int,
        diversify: float = 0.0,
        profiles: FloatArray | None = None,
        titles: ItemTitles | None = None,
    ) -> None:
        self.model = model
        self.weights = weights
        self.catalogue = catalogue
        self.users = users
        self.item_titles = titles
        self.item_counts, self.places = None, None
        if popularity is not None:
            self.item_counts = tf.Variable(popularity.counts, trainable=False)
            self.places = tf.Variable(popularity.places, trainable=False)
        self.top_k = top_k
        self.diversify = diversify
        self.profiles = None if profiles is None else tf.Variable(profiles, trainable=False, name="item_profiles")
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
        self.inputs = {
            "serving_default": inputs,
            "recommend": {**inputs, **restrictions},
            "examples": {"examples": tf.TensorSpec((None,), tf.string, "examples")},
            "score": inputs,
        }
        self.functions = {
            "serving_default": self.default,
            "recommend": self.recommend,
            "examples": self.examples,
            "score": self.score,
        }
        self.item_vectors = None
        if item_vectors is not None:
            self.item_vectors = tf.Variable(tf.cast(item_vectors, weights.dtype), trainable=False)
        if model.linear or item_vectors is not None:
            self.inputs["similar"] = {"item_ids": tf.TensorSpec((None,), ids, "item_ids")}
            self.functions["similar"] = self.similar
        if titles is not None:
            self.inputs["titles"] = {"item_ids": tf.TensorSpec((None, None), ids, "item_ids")}
            self.functions["titles"] = self.titles
        if model.variational:
            self.inputs |= {"embed": inputs, "sample": {**inputs, "seed": tf.TensorSpec((None,), tf.int64, "seed")}}
            self.functions |= {"embed": self.embed, "sample": self.sample}

    def as_module(self) -> tf.Module:
        """The weights and tables that the functions read. The Keras model itself is not part of the SavedModel."""
        module = tf.Module()
        module.weights = self.weights.as_module()
        module.catalogue = self.catalogue
        module.users = self.users
        module.item_titles = self.item_titles
        items = (self.item_counts, self.places, self.item_vectors, self.profiles)
        module.items = [weight for weight in items if weight is not None]
        return module

    def concrete_functions(self) -> dict[str, Any]:
        """Signature → function, for `tf.saved_model.save`."""
        return {
            name: tf.function(function, autograph=False).get_concrete_function(**self.inputs[name])
            for name, function in self.functions.items()
        }

    # ---- signatures -----------------------------------------------------------------------------

    def default(self, **inputs: Tensor) -> dict[str, Tensor]:
        batch = self._batch(self._checked(inputs))
        _, unseen = self._scores(batch)
        return self._list(batch, unseen, self.top_k)

    def score(self, **inputs: Tensor) -> dict[str, Tensor]:
        batch = self._batch(self._checked(inputs))
        scores, unseen = self._scores(batch)
        answer = self._list(batch, unseen, self.top_k)
        return {**answer, "scores": finite(scores), "top_k_scores": answer["scores"]}

    def recommend(self, **inputs: Tensor) -> dict[str, Tensor]:
        inputs = self._checked(inputs)
        k, candidates = tf.cast(inputs["k"], tf.int32), inputs["candidates"]
        batch = self._batch(inputs)
        _, scores = self._scores(batch)
        scores = exclude(scores, self.catalogue.positions(inputs["exclude"]))
        unrestricted = tf.reduce_all(candidates == self.catalogue.padding, axis=1, keepdims=True)

        def restricted() -> Tensor:
            allowed = from_padded_ids(self.catalogue.positions(candidates)).dense(self.model.n_columns) > 0
            return tf.where(unrestricted | allowed, scores, EXCLUDED_SCORE)

        scores = tf.cond(tf.reduce_all(unrestricted), lambda: scores, restricted)
        return self._list(batch, scores, tf.maximum(tf.reduce_max(k), 1), k)  # an empty batch has no maximum

    def examples(self, examples: Tensor) -> dict[str, Tensor]:
        padding = self.catalogue.padding
        defaults = {"k": self.top_k, "ratings": 0.0, "history": padding, "exclude": padding, "candidates": padding}
        if self.users is not None:
            defaults["user_id"] = self.users.vocabulary.padding
        return self.recommend(**parse_examples(examples, self.inputs["recommend"], defaults))

    def similar(self, item_ids: Tensor) -> dict[str, Tensor]:
        positions = self.catalogue.positions(item_ids)[:, tf.newaxis]
        batch = self.model.with_sparse_rows({"ids": positions, "row": tf.fill(tf.shape(item_ids), -1)})
        if self.item_vectors is None:
            with self.weights.in_use():
                similarities = tf.cast(self.model(batch, training=False), tf.float32)
        else:
            vectors = tf.cast(self.item_vectors, tf.float32)
            items = tf.gather(vectors, tf.maximum(positions[:, 0], 0))
            similarities = tf.matmul(items, vectors, transpose_b=True)
        listed = tf.where(positions >= 0, exclude(similarities, positions), EXCLUDED_SCORE)
        return self._list(batch, listed, self.top_k)

    def titles(self, item_ids: Tensor) -> dict[str, Tensor]:
        assert self.item_titles is not None  # noqa: S101 - without titles, there is no such signature
        return {"titles": self.item_titles.titles(self.catalogue.positions(item_ids))}

    def embed(self, **inputs: Tensor) -> dict[str, Tensor]:
        batch = self._batch(self._checked(inputs))
        with self.weights.in_use():
            mean, _ = self.model.posterior(batch)
        return {"embedding": finite(tf.cast(mean, tf.float32))}

    def sample(self, **inputs: Tensor) -> dict[str, Tensor]:
        inputs = self._checked(inputs)
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
        return self._list(batch, self.model.mask_seen(scores, batch), self.top_k)

    # ---- from ids to scores to ids ----------------------------------------------------------------

    def _checked(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return checked(inputs, self.model.n_columns, self.catalogue.padding)

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

    def _scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The scores of all items, and those of the lists: of popular items if nothing is known, -inf if seen."""
        with self.weights.in_use():
            scores = tf.cast(self.model(batch, training=False), tf.float32)
        listed = scores
        if self.item_counts is not None:
            listed = popular_if_unknown(scores, self.model.is_unknown(batch), self.item_counts)
        return scores, self.model.mask_seen(listed, batch)

    def _list(self, batch: Batch, scores: Tensor, length: Tensor, k: Tensor | None = None) -> dict[str, Tensor]:
        """The outputs of a list signature.

        Args:
            batch: the requests.
            scores: `(batch, n_items)`, -inf for items that must not be returned.
            length: width of the lists.
            k: `(batch,)`, most items in the list of each row; `length` if omitted.
        """
        if self.profiles is None:
            positions, best_scores = top_k(scores, length, self.places)
        else:
            positions, best_scores = diverse_top_k(scores, length, self.profiles, self.diversify, self.places)
        if k is not None:
            positions = tf.where(tf.range(length) < k[:, tf.newaxis], positions, -1)
        is_valid = positions >= 0
        return {
            "item_ids": self.catalogue.ids(positions),
            "scores": tf.where(is_valid, finite(best_scores), MISSING_SCORE),
            "n_known": _row_counts(batch["ids"] >= 0),
            "n_valid": _row_counts(is_valid),
        }

    # ---- warm-up --------------------------------------------------------------------------------

    def example_requests(self, name: str) -> Iterator[PredictRequest]:
        """One request to each signature of the model `name`."""
        blank = [self.catalogue.padding]
        history = blank + self.catalogue.first_ids
        values: dict[str, Any] = {"history": [history], "ratings": [[1.0] * len(history)], "k": [1], "seed": [0]}
        values |= {"exclude": [blank], "candidates": [blank]}
        if self.users is not None:
            values["user_id"] = self.users.vocabulary.first_ids[:1]
        values["item_ids"] = self.catalogue.first_ids[:1]
        values["examples"] = [tf.train.Example().SerializeToString()]
        for signature, inputs in self.inputs.items():
            if signature == "titles":
                values["item_ids"] = [values["item_ids"]]  # a list for each row
            spec = ModelSpec(name=name, signature_name=signature)
            tensors = {field: tf.make_tensor_proto(values[field], inputs[field].dtype) for field in inputs}
            yield PredictRequest(model_spec=spec, inputs=tensors)


def _row_counts(is_counted: Tensor) -> Tensor:
    return tf.reduce_sum(tf.cast(is_counted, tf.int32), axis=1)
