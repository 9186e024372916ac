"""Requests to the graph that an export contains, so that the page shows what a server would answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasrec.data import Interactions
from kerasrec.explorer.question import Question
from kerasrec.models import Recommender
from kerasrec.saved_model.live_signatures import LiveSignatures
from kerasrec.types import Array, FloatArray


class ExportClient:
    """Runs the signatures of a model's export.

    Args:
        model: a fitted model.
        train: the table that it was fitted on.
        k: length of the lists of `sample`.

    Attributes:
        signatures: their names.
        serving_inputs: names of the inputs that describe the user: `"history"`, `"ratings"`, `"user_id"`.
    """

    def __init__(self, model: Recommender, train: Interactions, k: int) -> None:
        self._live = LiveSignatures(model, train, k)
        self.signatures = frozenset(self._live.inputs)
        self.serving_inputs = self._live.inputs["serving_default"]
        self._text_items = train.item_ids.dtype.kind in "US"
        self._text_users = train.user_ids.dtype.kind in "US"

    def recommend(self, questions: Sequence[Question], k: int) -> tuple[Array, FloatArray]:
        """Item ids and scores of the best items, each `(n_questions, k)`."""
        n, padding = len(questions), "" if self._text_items else -1
        no_items = np.full((n, 1), padding, self._dtype(self._text_items))
        extra = {"k": np.full(n, k, np.int32), "exclude": no_items, "candidates": no_items}
        return self._lists("recommend", questions, extra)

    def sample(self, questions: Sequence[Question], seeds: Sequence[int]) -> tuple[Array, FloatArray]:
        """Item ids and scores for codes drawn from the posterior; variational models only."""
        return self._lists("sample", questions, {"seed": np.array(seeds, np.int64)})

    @property
    def has_similar(self) -> bool:
        """Whether the export returns similar items."""
        return "similar" in self.signatures

    def similar(self, item_ids: Sequence[Any]) -> tuple[Array, FloatArray]:
        """Item ids and similarities of the most similar items, each `(n_items, k)`; only if `has_similar`."""
        ids = np.array(item_ids, self._dtype(self._text_items))
        return self._decoded(self._run("similar", [], {"item_ids": ids}))

    def scores(self, questions: Sequence[Question]) -> FloatArray:
        """Scores of all items, `(n_questions, n_items)`."""
        return self._run("score", questions, {})["scores"]

    def _lists(self, signature: str, questions: Sequence[Question], extra: dict[str, Array]) -> tuple[Array, Any]:
        return self._decoded(self._run(signature, questions, extra))

    def _decoded(self, answer: dict[str, Array]) -> tuple[Array, FloatArray]:
        item_ids = answer["item_ids"]
        if self._text_items:
            item_ids = np.char.decode(item_ids.astype(np.bytes_), "utf-8")
        return item_ids, answer["scores"]

    def _run(self, signature: str, questions: Sequence[Question], extra: dict[str, Array]) -> dict[str, Array]:
        return self._live.run(signature, {**(self._user_inputs(questions) if questions else {}), **extra})

    def _user_inputs(self, questions: Sequence[Question]) -> dict[str, Array]:
        # Each row starts with padding.
        n, length = len(questions), 1 + max(len(question.history) for question in questions)
        inputs: dict[str, Array] = {}
        if "history" in self.serving_inputs:
            inputs["history"] = np.full((n, length), "" if self._text_items else -1, self._dtype(self._text_items))
            for row, question in zip(inputs["history"], questions, strict=True):
                row[length - len(question.history) :] = question.history
        if "ratings" in self.serving_inputs:
            inputs["ratings"] = np.zeros((n, length), np.float32)
            for row, question in zip(inputs["ratings"], questions, strict=True):
                row[length - len(question.ratings) :] = question.ratings
        if "user_id" in self.serving_inputs:
            unknown = "" if self._text_users else -1
            users = [q.user if isinstance(q.user, str if self._text_users else int) else unknown for q in questions]
            inputs["user_id"] = np.array(users, self._dtype(self._text_users))
        return inputs

    @staticmethod
    def _dtype(text: bool) -> Any:
        return object if text else np.int64
