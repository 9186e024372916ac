"""What every recommender of the zoo shares: fitting from interactions, masking, ranking, recommending."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kerasrec import metrics as kerasrec_metrics
from kerasrec.data.batches import Batches, for_backend
from kerasrec.data.interactions import Interactions, lookup
from kerasrec.data.splits import HeldOut, Split
from kerasrec.inference.batch_predictor import BatchPredictor
from kerasrec.layers import Densify
from kerasrec.ops.gradients import released
from kerasrec.ops.ranking import NOTHING, exclude, rank, top_k
from kerasrec.ops.sparse_rows import observed_rows
from kerasrec.optimizers import Adam
from kerasrec.types import Array, Batch, FloatArray, IntArray, Tensor
from kerasrec.validation import as_int_at_least

PAPER_BATCH_SIZE = 500


class Recommendations(NamedTuple):
    """The answer of `Recommender.recommend`.

    Attributes:
        item_ids: `(n_users, k)` original ids, best first; "" or -1 where fewer than k were left.
        scores: `(n_users, k)` float32, -inf there.
    """

    item_ids: Array
    scores: FloatArray


class Recommender(keras.Model):
    """Base of all models: one row of the interaction matrix in, one score a column out.

    A subclass gives `build`, `call(inputs, training)` → scores or logits `(batch, n_columns)` and
    `compute_loss`; it may override `default_optimizer`. Everything else is Keras: `compile`,
    `fit`, `evaluate`, `predict`, `save`. Beyond what Keras takes, `fit` takes `Interactions`, and
    `validation_data` and `evaluate` take a `HeldOut` part of a split.

    Class attributes:
        feedback: `"likes"` (what was observed, values ignored) or `"ratings"` (their values matter).
        serving_inputs: what a served request must tell: `"history"`, `"ratings"`, `"user_id"`.
        rows: `"users"`, or `"items"` where a row of the matrix is an item's.
        ordered: whether the order of a history matters to the model. Rows of about the same length
            then share a training batch, as a recurrent net takes as many steps as the longest.
        linear: whether the scores of a history are the sum of those of its items, each alone: x B for some B.
        default_epochs: epochs of the paper, or of our recipe where the paper gives none.
        default_batch_size: rows a batch, likewise.
    """

    feedback = "likes"
    serving_inputs: tuple[str, ...] = ("history",)
    rows = "users"
    ordered = False
    linear = False
    default_epochs = 100
    default_batch_size = PAPER_BATCH_SIZE

    def __init__(self, n_columns: int, seed: int | None = None, **kwargs: Any) -> None:
        # Autocasting would turn ids into bfloat16, which has 8 bits.
        super().__init__(autocast=False, **kwargs)
        if n_columns < 1:
            raise ValueError(f"a model needs at least one column, not {n_columns}")
        self.n_columns = n_columns
        self.seed = seed
        self.planned_steps: int | None = None
        # Past Keras' tracking: neither the compiled metrics nor the answering models are part of the weights.
        self.untracked = SimpleNamespace(metrics=[], answerers={})
        ratings = self.feedback == "ratings"
        self.dense_inputs = Densify(n_columns, use_values=ratings, name="densify")
        self.dense_targets = Densify(
            n_columns, use_values=ratings, missing=float("nan") if ratings else 0.0, name="targets"
        )

    @classmethod
    def for_interactions(
        cls, train: Interactions, epochs: int | None = None, batch_size: int | None = None, **arguments: Any
    ) -> Recommender:
        """The model sized for `train`, its schedules scaled to the run.

        Args:
            train: the training table.
            epochs: of the `fit` to come; whatever changes over a run (an annealed weight, a falling
                learning rate) is spread over it.
            batch_size: of that `fit`, if not `default_batch_size`.
            **arguments: of the constructor.
        """
        cls.check_feedback(train)
        rows = train.n_items if arguments.get("rows") == "items" else train.n_users
        steps = None if epochs is None else cls.steps_for(rows, epochs, batch_size)
        model = cls(**cls.config_for(train, steps, arguments))
        model.planned_steps = steps
        return model

    @classmethod
    def steps_for(cls, n_rows: int, epochs: int, batch_size: int | None = None) -> int:
        """How many batches `fit` takes for so many rows and epochs."""
        return epochs * -(-n_rows // (batch_size or cls.default_batch_size))

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        """Layers of the encoder with those of the decoder that undo them, the outermost first, for `pretrain`.

        Raises:
            ValueError: the model is no such stack.
        """
        raise ValueError(f"{type(self).__name__} is no stack of layers that come in pairs: nothing to pre-train")

    def truncated(self, depth: int) -> Recommender:
        """A new model of the `depth` outermost pairs of this one, built."""
        raise NotImplementedError

    @classmethod
    def config_for(cls, train: Interactions, steps: int | None, arguments: dict[str, Any]) -> dict[str, Any]:
        """All arguments of the constructor, from the given ones, the training table and the updates planned."""
        return {"n_items": train.n_items, **arguments}

    def seed_for(self, name: str) -> int | None:
        """A seed of its own for each source of randomness: equal seeds would give layers of one shape equal weights."""
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF

    # ---- learning -------------------------------------------------------------------------------

    def default_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the paper, or of our recipe where that is another."""
        return Adam(1e-3)

    @property
    def updates_per_batch(self) -> int:
        """How often the optimizer updates the weights for one batch of `fit`."""
        return 1

    def cosine_decay(self, rate: float) -> Any:
        """A learning rate that falls from `rate` to 0 as a cosine over the run that was planned.

        Raises:
            ValueError: none was.
        """
        if self.planned_steps is None:
            raise ValueError("no run was planned: give `for_interactions` the epochs and the batch size of `fit`")
        return keras.optimizers.schedules.CosineDecay(rate, self.planned_steps * self.updates_per_batch)

    def chosen_metrics(self, metrics: str | Sequence[Any] | None) -> list[Any]:
        """Metrics from names or metrics, the model's own where `None`; RMSE and MAE by name clip to its range."""
        names = self.default_metrics() if metrics is None else as_list(metrics)
        made = [kerasrec_metrics.get(m) for m in names]
        for name, metric in zip(names, made, strict=True):
            if isinstance(name, str) and hasattr(metric, "value_range"):
                metric.value_range = getattr(self, "value_range", None)
        return made

    def default_metrics(self) -> list[str]:
        """Names of the metrics that `compile` takes where none are given."""
        return ["rmse"] if self.feedback == "ratings" else ["recall_20", "recall_50", "ndcg_100"]

    def compile(self, optimizer: Any = None, metrics: str | Sequence[Any] | None = None, **kwargs: Any) -> None:
        """Configures the model for `fit` and `evaluate`.

        Args:
            optimizer: a Keras optimizer or its name; the paper's where absent.
            metrics: names (`"ndcg_100"`, `"recall_20"`, `"rmse"`, …) or metrics, measured on
                validation and test data; see `kerasrec.metrics.get`.
            **kwargs: `jit_compile`, `run_eagerly`, `steps_per_execution`, … as in Keras.

        Raises:
            ValueError: a `loss` or `weighted_metrics` are given, or a name is unknown.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(f"{type(self).__name__} brings its own loss (compute_loss): leave `loss` out")
        if kwargs.get("weighted_metrics") is not None:
            raise ValueError(
                "`weighted_metrics` have no meaning here: give `metrics`, which rank or rate held-out rows"
            )
        self.untracked.metrics = self.chosen_metrics(metrics)
        super().compile(optimizer=self.default_optimizer() if optimizer is None else optimizer, **kwargs)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The loss and the compiled metrics."""
        return [*super().metrics, *self.untracked.metrics]

    def get_compile_config(self) -> dict[str, Any] | None:
        config: dict[str, Any] | None = super().get_compile_config()
        if config:  # of a model that was not compiled there is none
            config["metrics"] = [keras.saving.serialize_keras_object(m) for m in self.untracked.metrics]
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def batches(
        self,
        data: Interactions | HeldOut,
        batch_size: int | None = None,
        shuffle: bool = False,
        steps: int | None = None,
    ) -> Batches:
        """The batches of a table or of a held-out part, rows the way this model wants them; `steps` of them an epoch.

        Raises:
            ValueError: the table has another number of columns than the model, or rows that it does not know.
        """
        size = self.default_batch_size if batch_size is None else batch_size
        held_out = data if isinstance(data, HeldOut) else HeldOut(data)
        held_out = held_out.T if self.rows == "items" else held_out
        columns = held_out.inputs.n_items
        if columns != self.n_columns:
            raise ValueError(
                f"the data has {columns:,} columns, this {type(self).__name__} {self.n_columns:,}: "
                "use the catalogue it was made for (`Interactions.with_catalogue`)"
            )
        made = Batches(
            held_out.inputs, held_out.targets, size, shuffle, self.seed or 0, held_out.rows, self.ordered, steps
        )
        if self.n_known_rows is not None and made.rows.max(initial=-1) >= self.n_known_rows:
            raise ValueError(
                f"the data has {made.inputs.n_users:,} {self.rows}, this {type(self).__name__} knows "
                f"{self.n_known_rows:,}: say which are whose (`HeldOut(inputs, targets, rows)`; -1 for a stranger)"
            )
        return made

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Trains as `keras.Model.fit` does.

        Args:
            x: `Interactions`, or anything Keras takes that yields the batch format.
            y: leave out: a row is its own target.
            batch_size: rows a batch.
            epochs: passes over the rows.
            verbose: as in Keras.
            callbacks: as in Keras.
            validation_split: as in Keras.
            validation_data: a `HeldOut` part of a split (`split.validation`), or batches of
                (fold-in, held-out) rows. Fold-in items are masked before ranking. Keras' callbacks
                that watch a figure of it need to be told the way: `EarlyStopping("val_ndcg_100", mode="max")`.
            shuffle: whether rows come in a new order each epoch, drawn from `seed` and the epoch.
            **kwargs: as in Keras. With `steps_per_epoch`, passes over `Interactions` go on from epoch to epoch.

        Returns:
            The Keras `History`.
        """
        refuse_split(x)
        _refuse_table(validation_data, "validation_data")
        if isinstance(x, Interactions):
            made = self.batches(x, batch_size, shuffle, kwargs.pop("steps_per_epoch", None))
            self._warn_of_another_run(len(made) * epochs)
            callbacks = [*as_list(callbacks), _EpochOrder(made)]
            x, batch_size, shuffle = for_backend(made), None, False
        if isinstance(validation_data, HeldOut):
            validation_data = for_backend(self.batches(validation_data, kwargs.pop("validation_batch_size", None)))
        return super().fit(
            x=x,
            y=y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            **kwargs,
        )

    # What these trace in a graph is not to outlive the model.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with released():
            return super().__call__(*args, **kwargs)

    def train_step(self, *args: Any) -> Any:
        with released():
            return super().train_step(*args)

    def _warn_of_another_run(self, steps: int) -> None:
        if self.planned_steps not in (None, steps):
            warnings.warn(
                f"the model was sized for a run of {self.planned_steps:,} updates and this one has {steps:,}, so "
                "whatever changes over a run will not end with it: give `for_interactions` the epochs and the "
                "batch size of `fit`",
                stacklevel=3,
            )

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Means of the compiled metrics; `x` may be a `HeldOut` part of a split.

        `kerasrec.evaluate` also gives standard errors and each row's figure.
        """
        _refuse_table(x, "x")
        if isinstance(x, HeldOut):
            x, batch_size = for_backend(self.batches(x, batch_size)), None
        return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    def predict(self, x: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Scores of all columns; `x` may be `Interactions`.

        The answer for a whole table is a dense array of its shape: `recommend` keeps to the best k.
        """
        if isinstance(x, (Interactions, HeldOut)):
            x, batch_size = for_backend(self.batches(x, batch_size)), None
        return super().predict(x, batch_size=batch_size, **kwargs)

    def check_learned(self) -> None:
        """Refuses to answer where answers would mean nothing.

        Raises:
            ValueError: they would.
        """

    def observed_entries(self, observed: Batch | Tensor) -> Any:
        """What was observed, for losses that take entries: `{"ids", "values"}`, or dense rows as `targets` has them."""
        if not isinstance(observed, Mapping):
            return self.dense_targets(observed)
        return {"ids": observed["ids"], "values": observed.get("values", 1.0)}

    @classmethod
    def check_feedback(cls, table: Interactions) -> None:
        """Refuses ratings that are all equal, of which a rating model would learn to repeat that one number.

        Raises:
            ValueError: they are.
        """
        if cls.feedback == "ratings" and len(table) and table.values.min() == table.values.max():
            raise ValueError(
                f"every rating is {table.values[0]:g}, so there is nothing for {cls.__name__} to predict: name the "
                "column of the ratings (`value`), or take a model of likes such as EASE or MultVAE"
            )

    def regularization_losses(self) -> Tensor:
        """Sum of weight decay and whatever `call` added with `add_loss`, scaled for distribution."""
        # Keras scales these by the number of replicas, as it does not for an overridden compute_loss.
        return super().compute_loss() if self.losses else 0.0

    def loss_from_call(self, y: Any, sample_weight: Any) -> Tensor:
        """The loss of a training step whose `call` told all of it with `add_loss`, as it knows more than its answer.

        Raises:
            ValueError: there are targets or weights, which `call` has not seen.
        """
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"each row is its own target in this {type(self).__name__}: give `fit` rows only, no `y`, no weights"
            )
        return self.regularization_losses()

    def compute_metrics(self, x: Any, y: Any, y_pred: Tensor, sample_weight: Any = None) -> dict[str, Tensor]:
        """Updates the compiled metrics where there is something held out (`y`).

        Training batches have none: ranking them would cost more than the step itself.
        """
        if y is None:
            return {"loss": next(m for m in self.metrics if m.name == "loss").result()}
        compiled = self.untracked.metrics
        ranked = [m for m in compiled if hasattr(m, "update_ranking")]
        if ranked:
            ranking = rank(self.mask_seen(y_pred, x), observed_rows(y), max(m.k for m in ranked))
            for metric in ranked:
                metric.update_ranking(ranking, sample_weight)
        rated = [m for m in compiled if m not in ranked]
        if rated:
            target = self.dense_targets(y)
            for metric in rated:
                metric.update_state(target, y_pred, sample_weight)
        return {m.name: m.result() for m in self.metrics}

    # ---- answering ------------------------------------------------------------------------------

    @property
    def answering_weights(self) -> list[keras.Variable]:
        """The weights that answers are made from, which are what an export holds; all of them, in most models."""
        return list(self.weights)

    def mask_seen(self, scores: Tensor, inputs: Batch | Tensor) -> Tensor:
        """`scores` with -inf at the entries that `inputs` already holds."""
        if isinstance(inputs, Mapping):
            return exclude(scores, inputs["ids"])
        return ops.where(ops.cast(inputs, "float32") == 0, ops.cast(scores, "float32"), float("-inf"))

    @property
    def n_known_rows(self) -> int | None:
        """How many training rows the model knows something of beyond their entries; `None` where none."""
        return None

    def as_user_model(self, train: Interactions) -> Recommender:
        """The same model as one whose rows are users; only item-row models differ from it.

        Args:
            train: the table that the model learned from.

        Raises:
            ValueError: the model can tell that it learned from another table.
        """
        if self.n_known_rows not in (None, train.n_users):
            raise ValueError(
                f"this {type(self).__name__} learned from {self.n_known_rows:,} users, not {train.n_users:,}: give the "
                "table it learned from as `train`, so that it knows who is who"
            )
        return self

    def recommend(
        self,
        histories: Interactions,
        k: int = 10,
        users: Sequence[Any] | None = None,
        exclude: Sequence[Any] = (),
        candidates: Sequence[Any] = (),
        train: Interactions | None = None,
        batch_size: int | None = None,
    ) -> Recommendations:
        """The best `k` items for users, without those they have already seen.

        Args:
            histories: what the users have seen. Its catalogue is the training table's.
            k: how many items, 1 to the size of the catalogue.
            users: ids of the users to answer, in this order; all of `histories` where absent.
            exclude: ids of items never to return.
            candidates: ids of the only items to return; all where empty.
            train: the table that the model learned from, for models that know its users
                (`"user_id" in serving_inputs`): users of `histories` are found in it by their ids, the
                others are strangers. Where absent, `histories` is that table.
            batch_size: users a batch, the model's default where absent; users × items scores never
                exist all at once.

        Returns:
            `item_ids` and `scores`, each `(n_users, k)`.

        Raises:
            ValueError: `k` is out of range, an id is unknown, or the model did not learn from `train`.
        """
        if not isinstance(histories, Interactions):
            raise TypeError(
                f"`histories` must be Interactions, as `split.test.inputs` and `Interactions.from_histories` are, not "
                f"{type(histories).__name__}"
            )
        k = as_int_at_least(1, k=k)
        if k > histories.n_items:
            raise ValueError(f"`k` must be between 1 and {histories.n_items:,}, the number of items, not {k}")
        penalty = np.zeros(histories.n_items, np.float32)
        if len(candidates):
            penalty[:] = NOTHING
            penalty[_columns(histories, candidates, "candidates")] = 0.0
        penalty[_columns(histories, exclude, "exclude")] = NOTHING
        answering = self.as_user_model(histories if train is None else train)
        table, rows = histories, None
        if users is not None:
            rows = _rows(histories, users)
            if (rows < 0).any():
                raise ValueError(f"`users` holds {users[int(np.argmin(rows))]!r}, who is not in `histories`")
            table = histories.take_users(rows)
        if train is not None:
            rows = _rows(train, table.user_ids)
        nothing = "" if histories.item_ids.dtype.kind in "US" else -1
        if not table.n_users:
            return Recommendations(np.full((0, k), nothing, histories.item_ids.dtype), np.empty((0, k), np.float32))
        made = answering.batches(HeldOut(table, rows=rows), batch_size)
        top = _TopK.cached(answering, k)
        top.penalty.assign(penalty)
        answers = list(top.predictions(made))
        columns, scores = (np.concatenate([answer[name] for answer in answers]) for name in ("items", "scores"))
        return Recommendations(np.where(columns < 0, nothing, histories.item_ids[columns]), scores)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


class _TopK(BatchPredictor):
    """A recommender's best items `(batch, k)`, without those in the history, and their scores."""

    def __init__(self, model: Recommender, k: int) -> None:
        super().__init__(model)
        self.k = k
        # What no row may be given: 0, or -inf for an item that is banned from this answer.
        self.penalty = self.add_weight(shape=(model.n_columns,), initializer="zeros", trainable=False, name="penalty")

    def call(self, inputs: dict[str, Batch]) -> dict[str, Tensor]:
        x = inputs["x"]
        scores = self.model.mask_seen(self.model(x, training=False), x) + self.penalty
        items, best = top_k(scores, self.k)
        return {"items": items, "scores": best}


class _EpochOrder(keras.callbacks.Callback):
    """Tells the batches which epoch begins, so that a resumed run draws the orders it would have drawn."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.epoch = epoch


def refuse_split(given: Any) -> None:
    """What `fit` is given is a table, and not all parts of a split.

    Raises:
        TypeError: it is a split.
    """
    if isinstance(given, Split):
        raise TypeError("`fit` learns from a table: give it `split.train`, and `validation_data=split.validation`")


def _refuse_table(given: Any, name: str) -> None:
    """A table says what was observed, and not what of it is to be found from the rest."""
    if isinstance(given, (Interactions, Split)):
        raise TypeError(
            f"`{name}` must be a held-out part, as `split.validation` and `split.test` are, or "
            f"`HeldOut(inputs, targets)`, not {type(given).__name__}"
        )


def _rows(table: Interactions, user_ids: Sequence[Any] | Array) -> IntArray:
    """Rows of the users in a table, whatever the order of its rows; -1 for those it does not have."""
    order = np.argsort(table.user_ids, kind="stable")
    return np.append(order, -1)[lookup(table.user_ids[order], np.asarray(user_ids))]


def _columns(table: Interactions, ids: Sequence[Any], name: str) -> IntArray:
    columns = lookup(table.item_ids, np.asarray(ids)) if len(ids) else np.array([], np.int64)
    if (columns < 0).any():
        raise ValueError(f"`{name}` holds {ids[int(np.argmin(columns))]!r}, which is not an item of the catalogue")
    return columns


def widths(hidden_dims: Sequence[int]) -> tuple[int, ...]:
    """The widths of a model's hidden layers, of which it must have one."""
    if isinstance(hidden_dims, int):
        raise ValueError(f"`hidden_dims` must be a width a layer, as in ({hidden_dims},), not {hidden_dims}")
    if not hidden_dims:
        raise ValueError("`hidden_dims` must hold at least one width, as in (600,)")
    return tuple(hidden_dims)


def as_list(given: Any) -> list[Any]:
    """What Keras takes as `callbacks` or `metrics` (none, one, or several) as a list."""
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]
