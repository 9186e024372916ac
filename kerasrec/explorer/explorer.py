"""Answers to the page's questions about one run. Lists, scores and reasons come from the graph of an export."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasrec.data import HeldOut, Interactions
from kerasrec.explorer.activations import LayerOutput, LayerRecorder, blend_members, summary, weight_shapes
from kerasrec.explorer.attribution import most_changed_units, score_reasons, strongest_units
from kerasrec.explorer.catalogue import MAX_RESULTS, Catalogue
from kerasrec.explorer.export_client import ExportClient
from kerasrec.explorer.item_weights import strongest_weights
from kerasrec.explorer.latent_map import LatentMap
from kerasrec.explorer.loss_demo import LossDemo
from kerasrec.explorer.neighbours import most_similar
from kerasrec.explorer.question import Question, row_of
from kerasrec.explorer.rounding import round_for_page
from kerasrec.explorer.score_bins import ScoreBins
from kerasrec.inference.explain import places_to_leave_out
from kerasrec.runs import Run
from kerasrec.types import Array, FloatArray, IntArray

K = 10
"""Length of the lists."""

N_DRAWS = 20
"""How many codes are drawn at a time."""

MAX_LATEST = 40
"""The most items of a history that `latent` and `prefixes` show, the latest ones."""


class Explorer:
    """Answers questions about one finished run.

    Lists and scores come from the graph that an export of the run contains, so they are those that a server returns.
    The outputs of layers, which no signature returns, are recorded from the same weights.

    Args:
        run: a finished run.

    Example:
        >>> from kerasrec import generate
        >>> from kerasrec.explorer import Explorer
        >>> from kerasrec.runs import RunConfig, train
        >>> config = RunConfig("ease", "generated", "held-out-users", 1, 1, 50, {"held_out": 30}, {"reg": 20.0})
        >>> run = train(config, lambda: generate(n_users=200, n_items=60, seed=1), getfixture("tmp_path") / "run")
        >>> explorer = Explorer(run)
        >>> len(explorer.explain(explorer.example_question())["list"])
        10
    """

    def __init__(self, run: Run) -> None:
        run.check_has_metrics()
        self.run = run
        self.model = run.model()
        split = run.split()
        self.train = split.train
        self.test = split.test
        self.catalogue = Catalogue(self.train)
        self.export = ExportClient(self.model, self.train, min(K, self.train.n_items))
        self.reads_history = "history" in self.export.serving_inputs
        self.recorder = LayerRecorder(self.model)
        self._bins = ScoreBins(self.train.n_items)
        self.loss_demo = LossDemo(self.train)
        self.latent_map = LatentMap(self.train, self.catalogue, self._codes_of_training_users)

    # ---- users --------------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """What the page needs before its first question."""
        metrics = self.run.metrics
        test = {name: value for name, value in metrics["test"].items() if f"{name}_se" in metrics["test"]}
        return {
            "name": self.run.folder.resolve().name,
            "model": type(self.model).__name__,
            "feedback": self.model.feedback,
            "serving_inputs": list(self.export.serving_inputs),
            "data": Path(metrics["data"]).name or metrics["data"],
            "protocol": metrics["protocol"],
            "test": {name: [value, metrics["test"][f"{name}_se"]] for name, value in test.items()},
            "n_items": self.train.n_items,
            "n_users": self.train.n_users,
            "rating_range": [float(self.train.values.min()), float(self.train.values.max())],
            "answers": self.answers,
            "has_layers": self.reads_history and self.recorder.has_layers,
            "has_code": self.has_code,
            "rows": self.model.rows,
            "weights": weight_shapes(self.model),
            "members": blend_members(self.model),
        }

    @property
    def has_code(self) -> bool:
        """Whether the model computes a code from a history."""
        return self.reads_history and self.model.code_layer is not None

    @cached_property
    def answers(self) -> list[str]:
        """Names of the questions that this model can answer: methods that take a `Question`."""
        optional = {
            "neighbours": self.export.has_similar,
            "latent": self.has_code,
            "draws": self.model.variational,
            "prefixes": self.model.ordered,
            "weights": self.model.linear,
        }
        return ["explain", "why", "losses", *(name for name, supported in optional.items() if supported)]

    def search_users(self, text: str) -> list[dict[str, Any]]:
        """Test users with a history whose id begins with `text`."""
        inputs = self.test.inputs
        candidates = np.flatnonzero(inputs.counts > 0).tolist()
        rows = [row for row in candidates if str(inputs.user_ids[row]).startswith(text.strip())][:MAX_RESULTS]
        return [{"id": inputs.user_ids[row].item(), "items": int(inputs.counts[row])} for row in rows]

    def test_user(self, user: Any) -> dict[str, Any]:
        """Id, history with titles, and ratings of a test user.

        Raises:
            ValueError: `user` is not a test user.
        """
        row = row_of(self.test.inputs, user)
        if row is None:
            raise ValueError(f"expected the id of a test user, got {user!r}")
        table = self.test.inputs.take_users([row]).in_time_order()
        history = [self.catalogue.item(column) for column in table.items.tolist()]
        ratings = table.values.tolist() if self.model.feedback == "ratings" else [None] * len(history)
        return {"user": user, "history": history, "ratings": ratings}

    def question_for(self, user: str) -> Question:
        """The question of a test user.

        Args:
            user: the id as text.

        Raises:
            ValueError: `user` is not a test user.
        """
        is_number = self.test.inputs.user_ids.dtype.kind in "iu" and user.lstrip("-").isdecimal()
        return self._question_for_id(int(user) if is_number else user)

    def example_question(self) -> Question:
        """The question of a test user with a history of medium length."""
        row = int(np.argmin(np.abs(self.test.inputs.counts - 25.0)))
        return self._question_for_id(self.test.inputs.user_ids[row].item())

    def _question_for_id(self, user: Any) -> Question:
        known = self.test_user(user)
        return Question([item["id"] for item in known["history"]], known["ratings"], known["user"])

    # ---- from history to list -----------------------------------------------------------------------

    def explain(self, question: Question) -> dict[str, Any]:
        """The steps from a history to a list: input, layers, reconstruction, mask, top-K."""
        known = question.restricted_to(self.catalogue)
        scores = self.export.scores([known])[0]
        columns, values = self._observed(known)
        order = np.argsort(-scores, kind="stable")
        rank = np.empty(len(scores), np.int64)
        rank[order] = np.arange(1, len(scores) + 1)
        unobserved = order[np.isin(order, columns, invert=True)]
        losses = self.model.entry_losses(scores, columns, values)
        observed = [
            {**self._scored(column, scores), "value": value, "rank": int(rank[column])}
            for column, value in zip(columns.tolist(), values.tolist(), strict=True)
        ]
        if losses is not None:
            for entry, loss in zip(observed, losses.values.tolist(), strict=True):
                entry["loss"] = round_for_page(loss)
        return {
            "unknown": [item for item in question.history if item not in self.catalogue],
            "layers": [self._summary(output) for output in self._layer_outputs([known])],
            "scores": {"bins": self._bins.highest(scores), "observed": self._bins.of(columns)},
            "observed": observed,
            "loss": None if losses is None else losses.name,
            "predicted": [self._scored(column, scores) for column in unobserved[:K].tolist()],
            "list": self._list(known),
        }

    def why(self, question: Question) -> dict[str, Any]:
        """What each item of the history contributes, measured by leaving it out.

        Returns:
            `reasons`: for each item of the list, the history items that raise its score most. `units`: for each
            layer, the most active units with the history items that change them most. `paths`: for each item that
            was left out, the unit of each layer that changes most. `left_out`: how many items were left out, one at
            a time.
        """
        known = question.restricted_to(self.catalogue)
        if not self.reads_history or not known.history:
            return {"reasons": {}, "units": {}, "paths": {}, "left_out": 0}
        places = places_to_leave_out(len(known.history), self.model.ordered)
        items = [self.catalogue.item_with_id(known.history[place]) for place in places]
        questions = [known, *(known.without(place) for place in places)]
        scores = self.export.scores(questions)
        outputs = self._layer_outputs(questions)
        return {
            "reasons": {str(column): score_reasons(scores, column, items) for column in self._listed_columns(known)},
            "units": {output.name: strongest_units(output, items) for output in outputs},
            "paths": {str(item["column"]): most_changed_units(outputs, i) for i, item in enumerate(items)},
            "left_out": len(places),
        }

    def neighbours(self, question: Question) -> dict[str, Any]:
        """The most similar items of each item of the history and of the list, by column."""
        known = question.restricted_to(self.catalogue)
        observed, _ = self._observed(known)
        columns = list(dict.fromkeys([*observed.tolist(), *self._listed_columns(known)]))
        return most_similar(self.export, self.catalogue, columns)

    def losses(self, question: Question) -> dict[str, Any]:
        """Predictions of two small autoencoders, one trained with the masked loss, one on all entries."""
        answer = self.loss_demo.compare(*self._observed(question.restricted_to(self.catalogue)))
        entries = [{**self.catalogue.item(entry["column"]), **entry} for entry in answer["entries"]]
        return {**answer, "entries": entries}

    # ---- of some models only ------------------------------------------------------------------------

    def latent(self, question: Question) -> dict[str, Any]:
        """The user's code on a map of the codes of training users, with the items of the history and of the list.

        An item is where a user is whose history is that item alone. The code of a rating model grows with the number of
        ratings, so there an item is the mean of the training users who rated it.

        Raises:
            ValueError: the model computes no code from a history.
        """
        if not self.has_code:
            raise ValueError(f"expected a model with a code, got {type(self.model).__name__}, which computes none")
        known = question.restricted_to(self.catalogue)
        latest = self.catalogue.columns(known.history[-MAX_LATEST:]).tolist()
        columns = list(dict.fromkeys([*latest, *self._listed_columns(known)]))
        (code,) = self.recorder.codes(self._batch([known]))
        if self.model.feedback == "ratings":
            return self.latent_map.show(code, *self.latent_map.mean_codes(columns))
        alone = [Question([item], [1.0]) for item in self.catalogue.item_ids[columns].tolist()]
        return self.latent_map.show(code, columns, self.recorder.codes(self._batch(alone)))

    def draws(self, question: Question, seed: int = 0) -> dict[str, Any]:
        """Lists of a variational model for codes drawn from the posterior q(z | x) instead of its mean.

        Raises:
            ValueError: the model is not variational.
        """
        if not self.model.variational:
            raise ValueError(f"expected a variational model, got {type(self.model).__name__}, which draws no codes")
        known = question.restricted_to(self.catalogue)
        seeds = range(seed * N_DRAWS, (seed + 1) * N_DRAWS)
        item_ids, _ = self.export.sample([known] * N_DRAWS, seeds)
        lists = [self.catalogue.columns(ids) for ids in item_ids]
        lists = [columns[columns >= 0] for columns in lists]
        columns, counts = np.unique(np.concatenate(lists), return_counts=True)
        most_frequent = np.argsort(-counts, kind="stable")[: 2 * K].tolist()
        in_mean_list = set(self._listed_columns(known))
        _, log_var = self.model.posterior(self._batch([known]))
        deviations = np.exp(np.asarray(keras.ops.convert_to_numpy(log_var), np.float64) / 2)
        return {
            "lists": [[self.catalogue.item(column) for column in row.tolist()] for row in lists],
            "items": [
                {
                    **self.catalogue.item(int(columns[i])),
                    "share": int(counts[i]) / N_DRAWS,
                    "in_mean_list": int(columns[i]) in in_mean_list,
                }
                for i in most_frequent
            ],
            "sigma": round_for_page(deviations.mean()),
        }

    def prefixes(self, question: Question) -> dict[str, Any]:
        """The first three items of the list after each item of the history, for models that read it in order."""
        known = question.restricted_to(self.catalogue)
        first = max(0, len(known.history) - MAX_LATEST)
        lengths = range(first, len(known.history) + 1)
        item_ids, _ = self.export.recommend([known.first(n) for n in lengths], min(3, self.train.n_items))
        return {
            "steps": [
                {
                    "after": self.catalogue.item_with_id(known.history[n - 1]) if n else None,
                    "list": [self.catalogue.item_with_id(item) for item in ids if item in self.catalogue],
                }
                for n, ids in zip(lengths, item_ids.tolist(), strict=True)
            ],
            "skipped": first,
        }

    def weights(self, question: Question) -> dict[str, Any]:
        """Item-to-item weights of a linear model: what raises and what lowers the score of an item.

        Raises:
            ValueError: the model is not linear.
        """
        if not self.model.linear:
            raise ValueError(f"expected a linear model, got {type(self.model).__name__}, which has no item weights")
        known = question.restricted_to(self.catalogue)
        history = self.catalogue.columns(known.history)
        return strongest_weights(self.model, self.catalogue, history, self._listed_columns(known))

    # ---- rows and scores ----------------------------------------------------------------------------

    def _list(self, known: Question) -> list[dict[str, Any]]:
        row = row_of(self.test.inputs, known.user)
        held_out: IntArray = np.array([], np.int64)
        if row is not None and self.test.targets is not None:
            held_out = self.test.targets.row(row)
        item_ids, scores = self.export.recommend([known], min(K, self.train.n_items))
        return [
            {**self.catalogue.item(column), "score": round_for_page(score), "held_out": column in held_out}
            for column, score in zip(self.catalogue.columns(item_ids[0]).tolist(), scores[0].tolist(), strict=True)
            if column >= 0
        ]

    def _listed_columns(self, known: Question) -> list[int]:
        return [item["column"] for item in self._list(known)]

    def _scored(self, column: int, scores: FloatArray) -> dict[str, Any]:
        return {**self.catalogue.item(column), "score": round_for_page(scores[column])}

    def _observed(self, known: Question) -> tuple[IntArray, FloatArray]:
        """Columns and values of the row that the model reads: the history, or the user's training row."""
        if self.reads_history:
            return self.catalogue.columns(known.history), np.array(known.ratings, np.float32)
        row = row_of(self.train, known.user)
        table = self.train.take_users([] if row is None else [row])
        return table.items.astype(np.int64), table.values

    def _layer_outputs(self, questions: list[Question]) -> list[LayerOutput]:
        """The outputs of the layers; none for models that look a user up instead of reading a history."""
        return self.recorder.outputs(self._batch(questions)) if self.reads_history else []

    def _codes_of_training_users(self, rows: IntArray) -> FloatArray:
        batches = self.model.batches(HeldOut(self.train.take_users(rows), rows=rows), len(rows))
        return self.recorder.codes(dict(batches.batch(np.arange(len(rows)))[0]))

    def _summary(self, output: LayerOutput) -> dict[str, Any]:
        return summary(output, is_code=output.name == self.model.code_layer, n_items=self.train.n_items)

    def _batch(self, questions: list[Question]) -> dict[str, Array]:
        ratings: Any = [question.ratings for question in questions] if self.model.feedback == "ratings" else None
        table = Interactions.from_histories([question.history for question in questions], self.train, ratings)
        row = row_of(self.train, questions[0].user)
        rows = np.full(len(questions), -1 if row is None else row)
        batches = self.model.batches(HeldOut(table, rows=rows), len(questions))
        return dict(batches.batch(np.arange(len(questions)))[0])
