"""What the page asks about a run. Lists, scores and reasons come from the exported graph, as a server answers them."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasrec.data.ids import lookup
from kerasrec.data.interactions import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.models.auto_rec import AutoRec
from kerasrec.runs import Run
from kerasrec.saved_model import export_saved_model
from kerasrec.serving.errors import RequestError, short_message
from kerasrec.serving.servable import Servable
from kerasrec.types import Array, FloatArray, IntArray

K = 10
"""Length of the lists."""

MOST_LEFT_OUT = 100
"""The most items of a history that are left out one by one, the latest ones."""

MOST_STEPS = 6000
"""The most items in all these histories together, for models that read them one item after another."""

MOST_STROKES = 1200
"""The most strokes in the picture of a row: a screen has no more pixels across."""

DRAWS = 20
"""How many codes are drawn at a time."""


@dataclass(frozen=True)
class Question:
    """Whose list is asked for.

    Attributes:
        history: item ids, oldest first.
        ratings: their ratings, for rating models; the highest where empty or None.
        user: a user id; none for somebody new.
    """

    history: list[Any] = field(default_factory=list)
    ratings: list[float | None] = field(default_factory=list)
    user: Any = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Question:
        """From a request's JSON.

        Raises:
            ValueError: a field has another type than it should.
        """
        history, ratings = body.get("history", []), body.get("ratings", [])
        if not isinstance(history, list) or not all(isinstance(i, (str, int)) for i in history):
            raise ValueError("`history` must be a list of item ids")
        if not isinstance(ratings, list) or not all(r is None or isinstance(r, (int, float)) for r in ratings):
            raise ValueError("`ratings` must be a list of numbers")
        if ratings and len(ratings) != len(history):
            raise ValueError("`ratings` must be as many as `history` has items")
        return cls(history, ratings, body.get("user"))


class Explorer:
    """Answers about one trained run.

    The run's model is exported to a temporary folder, and what a server of that export would say
    is what is shown. Activations of layers, which no signature returns, are read off the same
    weights' own layers while the model computes.

    Args:
        run: a finished run.

    Example:
        >>> from kerasrec import generate
        >>> from kerasrec.explorer import Explorer
        >>> from kerasrec.runs import RunConfig, train
        >>> plan = RunConfig("ease", "generated", "held-out-users", 1, 1, 50, {"held_out": 30}, {"reg": 20.0})
        >>> run = train(plan, lambda: generate(n_users=200, n_items=60, seed=1), getfixture("tmp_path") / "run")
        >>> explorer = Explorer(run)
        >>> len(explorer.explain(explorer.somebody())["list"])
        10
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.model = run.model()
        split = run.split()
        self.train = split.train
        self.test = split.test
        with tempfile.TemporaryDirectory(prefix="kerasrec-explore-") as folder:  # once loaded it is all in memory
            self.servable = Servable(export_saved_model(self.model, Path(folder) / "model", self.train, top_k=K))
        self.serving_inputs = self.model.as_user_model(self.train).serving_inputs
        self._training = threading.Lock()
        self.titles = self.train.item_ids.astype(str) if self.train.item_titles is None else self.train.item_titles

    # ---- who --------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """What the page must know before the first question."""
        figures = self.run.metrics
        test = {name: value for name, value in figures["test"].items() if f"{name}_se" in figures["test"]}
        return {
            "name": self.run.folder.resolve().name,
            "model": type(self.model).__name__,
            "what": (type(self.model).__doc__ or "").split("\n\n")[0].replace("\n", " "),
            "feedback": self.model.feedback,
            "serving_inputs": list(self.serving_inputs),
            "data": figures["data"],
            "protocol": figures["protocol"],
            "test": {name: [value, figures["test"][f"{name}_se"]] for name, value in test.items()},
            "n_items": self.train.n_items,
            "n_users": self.train.n_users,
            "range": [float(self.train.values.min()), float(self.train.values.max())],
            "draws": hasattr(self.model, "decode"),
            "ordered": bool(self.model.ordered),
            "weights": self.model.linear,
        }

    def items(self, text: str) -> list[dict[str, Any]]:
        """The most popular items whose title or id holds `text`."""
        text = text.strip().casefold()
        found = [i for i in self._by_popularity if text in self._folded[i]][:12]
        return [{**self._item(i), "users": int(self.train.item_counts[i])} for i in found]

    def users(self, text: str) -> list[dict[str, Any]]:
        """Test users whose id begins with `text`."""
        ids = self.test.inputs.user_ids
        there = self.test.inputs.counts > 0
        found = [u for u in np.flatnonzero(there).tolist() if str(ids[u]).startswith(text.strip())][:12]
        return [{"id": ids[u].item(), "items": int(self.test.inputs.counts[u])} for u in found]

    def user(self, user: Any) -> dict[str, Any]:
        """What is known of a test user: id, history with titles, ratings.

        Raises:
            ValueError: there is no such user.
        """
        row = self._test_row(user)
        if row is None:
            raise ValueError(f"no test user {user!r}")
        table = self.test.inputs.take_users([row]).in_time_order()
        history = [self._item(i) for i in table.items.tolist()]
        said = table.values.tolist() if self.model.feedback == "ratings" else [None] * len(history)
        return {"user": user, "history": history, "ratings": said}

    def somebody(self) -> Question:
        """A test user with a history of medium length, to begin with."""
        counts = self.test.inputs.counts
        row = int(np.argmin(np.abs(counts - 25.0)))
        known = self.user(self.test.inputs.user_ids[row].item())
        return Question([item["id"] for item in known["history"]], known["ratings"], known["user"])

    def question_of(self, user: str) -> Question:
        """A test user's question, from the id as text.

        Raises:
            ValueError: there is no such user.
        """
        whole = self.test.inputs.user_ids.dtype.kind in "iu" and user.lstrip("-").isdecimal()
        known = self.user(int(user) if whole else user)
        return Question([item["id"] for item in known["history"]], known["ratings"], known["user"])

    # ---- the pipeline -----------------------------------------------------------------------------

    def explain(self, question: Question) -> dict[str, Any]:
        """The way from a history to a list: input, layers, reconstruction, mask, top-K."""
        known, ratings = self._known(question)
        scores = self._scores([known], [ratings], question.user)[0]
        item_ids, best = self._served("recommend", [known], [ratings], question.user, k=min(K, self.train.n_items))
        observed = self._observed(known, ratings, question.user)
        place = np.empty(len(scores), np.int64)
        place[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        columns, values = observed
        hidden_from = set(columns.tolist())
        filled = [i for i in np.argsort(-scores, kind="stable")[: K + len(columns)].tolist() if i not in hidden_from]
        error, what_error = self._errors(scores, columns, values)
        return {
            "history": [self._item(i) for i in columns.tolist()],
            "values": values.tolist(),
            "unknown": [i for i in question.history if not self._is_item(i)],
            "layers": self._layers(known, ratings, question.user),
            "row": {"strokes": self._strokes(scores), "observed": self._stroke_of(columns).tolist()},
            "observed": [
                {**self._item(i), "value": v, "score": _round(scores[i]), "error": _round(e), "place": int(place[i])}
                for i, v, e in zip(columns.tolist(), values.tolist(), error.tolist(), strict=True)
            ],
            "error": what_error,
            "filled": [{**self._item(i), "score": _round(scores[i])} for i in filled[:K]],
            "masked": [
                {**self._item(i), "score": _round(scores[i]), "place": int(place[i])}
                for i in sorted(columns.tolist(), key=lambda i: place[i])[:K]
            ],
            "list": self._listed(item_ids[0], best[0], question.user),
        }

    def why(self, question: Question) -> dict[str, Any]:
        """What each item of the history does, found by asking again without it.

        Returns:
            For each item of the list the history items that raise its score most, and for each
            layer the units that are most active, with the items that drive them.
        """
        known, ratings = self._known(question)
        if "history" not in self.serving_inputs or not known:
            return {"reasons": {}, "units": {}, "left_out": 0}
        most = min(MOST_LEFT_OUT, max(1, MOST_STEPS // len(known))) if self.model.ordered else MOST_LEFT_OUT
        left_out = list(range(max(0, len(known) - most), len(known)))
        histories = [known, *(known[:i] + known[i + 1 :] for i in left_out)]
        all_ratings = [ratings, *(ratings[:i] + ratings[i + 1 :] for i in left_out)]
        scores = self._scores(histories, all_ratings, question.user)
        item_ids, _ = self._served("recommend", [known], [ratings], question.user, k=min(K, self.train.n_items))
        columns = [int(c) for c in lookup(self.train.item_ids, item_ids[0]) if c >= 0]
        reasons = {}
        for column in columns:
            gain = scores[0, column] - scores[1:, column]
            best = [i for i in np.argsort(-gain)[:3].tolist() if gain[i] > 0]
            reasons[str(column)] = [{**self._item_of(known[left_out[i]]), "change": _round(gain[i])} for i in best]
        units: dict[str, list[dict[str, Any]]] = {}
        for name, _, values in self._activations(histories, all_ratings, question.user):
            top = np.argsort(-np.abs(values[0]))[:5].tolist()
            units[name] = []
            for unit in top:
                change = values[0, unit] - values[1:, unit]
                strongest = np.argsort(-np.abs(change))[:3].tolist()
                drivers = [{**self._item_of(known[left_out[i]]), "change": _round(change[i])} for i in strongest]
                units[name].append({"unit": unit, "value": _round(values[0, unit]), "drivers": drivers})
        return {"reasons": reasons, "units": units, "left_out": len(left_out)}

    # ---- what only some models have ---------------------------------------------------------------

    def draws(self, question: Question, seed: int = 0) -> dict[str, Any]:
        """Lists of a VAE whose code is drawn from q(z | x) again and again, instead of its mean.

        Raises:
            ValueError: the model draws no code.
        """
        if not hasattr(self.model, "decode"):
            raise ValueError(f"{type(self.model).__name__} draws no code")
        known, ratings = self._known(question)
        batch = self._batch([known], [ratings], question.user)
        mean, log_var = self.model.encode(batch)
        noise = np.random.default_rng(seed).normal(size=(DRAWS, mean.shape[1])).astype(np.float32)
        codes = ops.cast(mean, "float32") + ops.exp(ops.cast(log_var, "float32") / 2) * noise
        scores = np.array(self.model.decode(ops.cast(codes, mean.dtype)), np.float32)
        scores[:, self._columns(known)] = -np.inf
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        items, counts = np.unique(lists, return_counts=True)
        of_mean, _ = self._served("recommend", [known], [ratings], question.user, k=min(K, self.train.n_items))
        return {
            "lists": [[self._item(i) for i in row] for row in lists.tolist()],
            "items": [
                {**self._item(i), "share": n / DRAWS, "of_mean": bool(self.train.item_ids[i] in of_mean[0])}
                for i, n in sorted(zip(items.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1])[:20]
            ],
            "sigma": _round(float(ops.mean(ops.exp(ops.cast(log_var, "float32") / 2)))),
        }

    def prefixes(self, question: Question) -> dict[str, Any]:
        """The list after each item of the history, for models that read it in order."""
        known, ratings = self._known(question)
        first = max(0, len(known) - 40)
        ends = range(first, len(known) + 1)
        rows = [known[:n] for n in ends], [ratings[:n] for n in ends]
        item_ids, _ = self._served("recommend", *rows, question.user, k=min(3, self.train.n_items))
        return {
            "steps": [
                {
                    "after": self._item_of(known[n - 1]) if n else None,
                    "list": [self._item_of(i) for i in ids if i in self],
                }
                for n, ids in zip(ends, item_ids.tolist(), strict=True)
            ],
            "before": first,
        }

    def weights(self, question: Question) -> dict[str, Any]:
        """Item-to-item weights of a linear model: what speaks for and against each item.

        Raises:
            ValueError: the model has no such weights.
        """
        if not self.model.linear:
            raise ValueError(f"{type(self.model).__name__} has no weights from item to item")
        known, ratings = self._known(question)
        columns = self._columns(known)
        alone = self.model({"ids": columns.reshape(-1, 1).astype(np.int32)})  # a row of B for each item of the history
        part = np.asarray(ops.convert_to_numpy(alone))
        item_ids, _ = self._served("recommend", [known], [ratings], question.user, k=min(K, self.train.n_items))
        listed = [int(c) for c in lookup(self.train.item_ids, item_ids[0]) if c >= 0]
        least = [i for i in np.argsort(part.sum(0))[: 2 * K].tolist() if i not in set(columns.tolist())][:5]

        def spoken(column: int) -> dict[str, Any]:
            own = part[:, column]
            order = np.argsort(-own)
            pick = [*(i for i in order[:4] if own[i] > 0), *(i for i in order[-3:] if own[i] < 0)]
            return {
                **self._item(column),
                "score": _round(own.sum()),
                "weights": [{**self._item(int(columns[i])), "weight": _round(own[i])} for i in pick],
            }

        return {"list": [spoken(i) for i in listed], "least": [spoken(i) for i in least]}

    def losses(self, question: Question) -> dict[str, Any]:
        """The same small autoencoder trained twice: by the masked loss, and by the mean squared error of all entries.

        They learn the most popular items only, so that this takes seconds, once.
        """
        columns, values = self._observed(*self._known(question), question.user)
        with self._training:
            chosen, masked, plain = self._two_losses
        inside = np.isin(columns, chosen)
        row = np.zeros((1, len(chosen)), np.float32)
        at = lookup(chosen, columns[inside])
        row[0, at] = values[inside]
        answers = {
            name: np.asarray(model(row, training=False), np.float32)[0]
            for name, model in (("masked", masked), ("plain", plain))
        }
        unseen = np.setdiff1d(np.arange(len(chosen)), at)
        return {
            "n_items": len(chosen),
            "share_observed": _round(self.train.select(np.isin(self.train.items, chosen)).density),
            "entries": [
                {
                    **self._item(int(chosen[i])),
                    "value": float(row[0, i]),
                    **{n: _round(a[i]) for n, a in answers.items()},
                }
                for i in at.tolist()
            ][:30],
            "means": {
                name: {"observed": _round(a[at].mean()) if len(at) else None, "unobserved": _round(a[unseen].mean())}
                for name, a in answers.items()
            },
            "histograms": {name: _histogram(a, *self._value_bounds) for name, a in answers.items()},
            "bounds": list(self._value_bounds),
        }

    def prepare(self) -> None:
        """Does ahead of the first question what takes seconds: TensorFlow's first run, the two models of `losses`."""
        question = self.somebody()
        self.explain(question)
        self.why(question)
        self.losses(question)

    # ---- asking the export --------------------------------------------------------------------------

    def _served(
        self,
        signature: str,
        histories: Sequence[Sequence[Any]],
        ratings: Sequence[Sequence[float]],
        user: Any,
        k: int = 1,
    ) -> tuple[Array, FloatArray]:
        """Item ids and scores (or the scores of all items twice) as the exported graph answers."""
        n = len(histories)
        inputs = {}
        expected = self.servable.signatures[signature].inputs
        nothing = "" if self._text else -1
        dtype: Any = object if self._text else np.int64
        width = max(1, *map(len, histories)) if histories else 1
        if "history" in expected:
            padded = np.full((n, width), nothing, dtype)
            for row, history in enumerate(histories):
                padded[row, : len(history)] = history
            inputs["history"] = padded
        if "ratings" in expected:
            numbers = np.zeros((n, width), np.float32)
            for row, own in enumerate(ratings):
                numbers[row, : len(own)] = own
            inputs["ratings"] = numbers
        if "user_id" in expected:
            text = self.train.user_ids.dtype.kind in "US"
            stranger = "" if text else -1
            inputs["user_id"] = np.full(n, stranger if user is None else user, object if text else np.int64)
        if signature == "recommend":
            inputs["k"] = np.full(n, k, np.int32)
            inputs["exclude"] = inputs["candidates"] = np.full((n, 1), nothing, dtype)
        try:
            self.servable.check(signature, inputs)
            answer = self.servable.run(signature, inputs)
        except RequestError as error:
            raise ValueError(str(error)) from None
        except tf.errors.OpError as error:
            raise ValueError(short_message(error)) from None
        ids = answer["item_ids"]
        return np.char.decode(ids.astype(np.bytes_), "utf-8") if self._text else ids, answer["scores"]

    def _scores(self, histories: Sequence[Any], ratings: Sequence[Any], user: Any) -> FloatArray:
        return self._served("score", histories, ratings, user)[1]

    # ---- watching the model -------------------------------------------------------------------------

    def _layers(self, known: list[Any], ratings: list[float], user: Any) -> list[dict[str, Any]]:
        layers = []
        for name, kind, values in self._activations([known], [ratings], user):
            own = values[0]
            largest = float(np.abs(own).max(initial=0.0))
            layers.append(
                {
                    "name": name,
                    "kind": kind,
                    "units": len(own),
                    "values": [] if len(own) == self.train.n_items else [_round(v) for v in own.tolist()],
                    "quiet": _round(float((np.abs(own) < 0.05 * largest).mean()) if largest else 1.0),
                    "lowest": _round(own.min()),
                    "highest": _round(own.max()),
                    "code": name in ("mean", "code") or name == self._code_layer,
                }
            )
        return layers

    def _activations(
        self, histories: Sequence[Any], ratings: Sequence[Any], user: Any
    ) -> list[tuple[str, str, FloatArray]]:
        """Name, kind and output `(n, units)` of each layer with weights, in the order in which they compute."""
        if "history" not in self.serving_inputs:
            return []
        batch = self._batch(histories, ratings, user)
        if self.model.feedback == "ratings":
            batch.setdefault("values", np.ones(batch["ids"].shape, np.float32))
        steps = (batch["ids"] >= 0).sum(1)
        found = []
        for layer, output in zip(*self._watching(batch), strict=True):
            values = output.numpy()
            if values.ndim == 3:  # a value at each step of a history: what counts is the last one
                values = values[np.arange(len(values)), np.maximum(steps - 1, 0)]
            found.append((layer.name, type(layer).__name__, values))
        return found

    def _watching(self, batch: Any) -> tuple[list[keras.layers.Layer], list[Any]]:
        """The layers with weights and their outputs for a batch."""
        graph = self._graph
        return self._watched, graph(batch={name: tf.constant(value) for name, value in batch.items()})

    @cached_property
    def _graph(self) -> Any:
        """The watched layers' outputs as a function of a batch: a graph, as a recurrent net is slow without one."""
        inputs = {"ids": tf.TensorSpec((None, None), tf.int32), "row": tf.TensorSpec((None,), tf.int32)}
        if self.model.feedback == "ratings":
            inputs["values"] = tf.TensorSpec((None, None), tf.float32)

        def outputs(batch: Any) -> list[Any]:
            with _recorded(self.model) as recorded:
                self.model(batch, training=False)
            self._watched = [layer for layer, _ in recorded]
            return [ops.cast(output, "float32") for _, output in recorded]

        return tf.function(outputs, autograph=False).get_concrete_function(inputs)

    @cached_property
    def _code_layer(self) -> str | None:
        """The narrowest layer, where none is named for being the code."""
        layers = [layer for layer in self.model.layers if hasattr(layer, "units")]
        if not layers or any(layer.name == "mean" for layer in layers):
            return None
        return min(layers, key=lambda layer: layer.units).name

    def _batch(self, histories: Sequence[Any], ratings: Sequence[Any], user: Any) -> Any:
        values = ratings if self.model.feedback == "ratings" else None
        table = Interactions.from_histories(histories, self.train, values)
        row = self._train_row(user)
        rows = np.full(len(histories), -1 if row is None else row)
        return self.model.batches(HeldOut(table, rows=rows), len(histories)).batch(np.arange(len(histories)))[0]

    # ---- items and users ----------------------------------------------------------------------------

    def __contains__(self, item: Any) -> bool:
        return self._is_item(item)

    def _known(self, question: Question) -> tuple[list[Any], list[float]]:
        """The items of the catalogue in a history, each once, and their ratings."""
        ratings = question.ratings or [None] * len(question.history)
        highest = float(self.train.values.max())
        said = zip(question.history, ratings, strict=True)
        both = {i: highest if r is None else float(r) for i, r in said if self._is_item(i)}
        return list(both), list(both.values())

    def _observed(self, known: list[Any], ratings: list[float], user: Any) -> tuple[IntArray, FloatArray]:
        """Columns and values of the row that the model reads."""
        if "history" in self.serving_inputs:
            return self._columns(known), np.array(ratings, np.float32)
        row = self._train_row(user)
        if row is None:
            return np.array([], np.int64), np.array([], np.float32)
        table = self.train.take_users([row])
        return table.items.astype(np.int64), table.values

    def _is_item(self, item: Any) -> bool:
        if isinstance(item, bool) or isinstance(item, str) != self._text:
            return False
        return bool(lookup(self.train.item_ids, np.array([item]))[0] >= 0)

    def _columns(self, ids: Sequence[Any]) -> IntArray:
        return lookup(self.train.item_ids, np.array(ids)) if len(ids) else np.array([], np.int64)

    def _item(self, column: int) -> dict[str, Any]:
        return {"column": column, "id": self.train.item_ids[column].item(), "title": str(self.titles[column])}

    def _item_of(self, item: Any) -> dict[str, Any]:
        return self._item(int(self._columns([item])[0]))

    def _test_row(self, user: Any) -> int | None:
        found = np.flatnonzero(self.test.inputs.user_ids == user)
        return int(found[0]) if len(found) else None

    def _train_row(self, user: Any) -> int | None:
        if user is None:
            return None
        found = np.flatnonzero(self.train.user_ids == user)
        return int(found[0]) if len(found) else None

    def _listed(self, item_ids: Array, scores: FloatArray, user: Any) -> list[dict[str, Any]]:
        row = self._test_row(user)
        held_out = set()
        if row is not None and self.test.targets is not None:
            held_out = set(self.train.item_ids[self.test.targets.row(row)].tolist())
        return [
            {**self._item_of(item), "score": _round(score), "held_out": item in held_out}
            for item, score in zip(item_ids.tolist(), scores.tolist(), strict=True)
            if item in self
        ]

    def _errors(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> tuple[FloatArray, str]:
        """What each observed entry adds to the loss, and the name of it."""
        if self.model.feedback == "ratings":
            return (values - scores[columns]) ** 2, "squared error"
        if hasattr(self.model, "nll"):
            shifted = scores - scores.max()
            return np.log(np.exp(shifted).sum()) - shifted[columns], "-log softmax"
        return (1 - scores[columns]) ** 2, "squared error"

    def _strokes(self, scores: FloatArray) -> list[float]:
        """The highest score in each of at most `MOST_STROKES` runs of columns."""
        starts = np.unique(np.linspace(0, len(scores), min(len(scores), MOST_STROKES), endpoint=False).astype(np.int64))
        return [_round(v) for v in np.maximum.reduceat(scores, starts).tolist()]

    def _stroke_of(self, columns: IntArray) -> IntArray:
        n = self.train.n_items
        starts = np.unique(np.linspace(0, n, min(n, MOST_STROKES), endpoint=False).astype(np.int64))
        return np.unique(np.searchsorted(starts, columns, side="right") - 1)

    @cached_property
    def _text(self) -> bool:
        return self.train.item_ids.dtype.kind in "US"

    @cached_property
    def _by_popularity(self) -> list[int]:
        return np.argsort(-self.train.item_counts, kind="stable").tolist()

    @cached_property
    def _folded(self) -> list[str]:
        ids = self.train.item_ids.tolist()
        return [f"{title} {item}".casefold() for title, item in zip(self.titles.tolist(), ids, strict=True)]

    @cached_property
    def _value_bounds(self) -> tuple[float, float]:
        return 0.0, float(self.train.values.max()) * 1.2

    @cached_property
    def _two_losses(self) -> tuple[IntArray, AutoRec, AutoRec]:
        """The columns that they know, and two models that differ in nothing but what their loss looks at."""
        chosen = np.sort(np.array(self._by_popularity[:300]))
        users = np.random.default_rng(0).permutation(self.train.n_users)[:1000]
        table = self.train.take_users(np.sort(users)).with_catalogue(self.train.item_ids[chosen])
        trained = []
        for cls in (AutoRec, _OfAllEntries):
            model = cls(len(chosen), hidden_dims=(64,), reg=0.001, seed=1, name=f"small_{cls.__name__.lower()}")
            model.compile(keras.optimizers.Adam(0.01))
            model.fit(table, epochs=30, batch_size=250, verbose=0)
            trained.append(model)
        return chosen, trained[0], trained[1]


class _OfAllEntries(AutoRec):
    """AutoRec whose targets are 0 where nothing was observed, so that its loss counts every entry."""

    def truth(self, observed: Any) -> Any:
        return self.dense_inputs(observed)


@contextmanager
def _recorded(model: keras.Model) -> Iterator[list[tuple[keras.layers.Layer, Any]]]:
    """Collects what each layer with weights returns while the model is called."""
    outputs: list[tuple[keras.layers.Layer, Any]] = []
    watched = [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.Model)]

    def watch(layer: keras.layers.Layer) -> None:
        call = layer.call

        def recording(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            outputs.append((layer, output))
            return output

        object.__setattr__(layer, "call", recording)

    for layer in watched:
        watch(layer)
    try:
        yield outputs
    finally:
        for layer in watched:
            object.__delattr__(layer, "call")


def _histogram(values: FloatArray, low: float, high: float, bins: int = 24) -> list[int]:
    return np.histogram(np.clip(values, low, high), bins, (low, high))[0].tolist()


def _round(value: Any) -> float:
    """Five significant digits: more are noise, and take space in the page."""
    return float(f"{float(value):.5g}")
