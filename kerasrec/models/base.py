"""`Recommender`, the base class of all models, and the interface that other packages use."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Self

import keras
from keras import ops

from kerasrec.data.catalogue import ids_digest
from kerasrec.data.interactions import Interactions
from kerasrec.data.side import checked_side
from kerasrec.data.splits import HeldOut
from kerasrec.data.table_argument import check_table
from kerasrec.models.construction import once, then_build
from kerasrec.models.entry_losses import EntryLosses
from kerasrec.models.lists import ItemLists
from kerasrec.models.presets import Presets
from kerasrec.models.saving import Saving
from kerasrec.models.search_space import SearchSpace
from kerasrec.models.side import Side
from kerasrec.models.training import Training
from kerasrec.ops.ranking import EXCLUDED_SCORE
from kerasrec.ops.sparse_rows import DenseRows, SparseRows, observed_rows
from kerasrec.types import Batch, FloatArray, IntArray, Tensor
from kerasrec.validation import as_int_at_least


class Recommender(ItemLists, Training, Side, Presets, Saving):
    """Base of all models: one row of the interaction matrix in, one score per column out.

    A subclass implements `build`, `call(inputs, training)` and `compute_loss`. Outside training `call` returns scores
    or logits `(batch, n_columns)`. In training it returns whatever `compute_loss` needs: the scores, or a dictionary.
    Constructor arguments are stored under their own names, from which `get_config` is derived. `compile`, `fit`,
    `evaluate`, `predict` and `save` are Keras' own; in addition `fit` and `predict` accept `Interactions`, and
    `validation_data` and `evaluate` accept a `HeldOut` part of a split.

    Class attributes:
        feedback: `"likes"` (values are ignored) or `"ratings"` (values are the targets).
        serving_inputs: inputs of a served request: `"history"`, `"ratings"`, `"user_id"`.
        rows: `"users"`, or `"items"` if a row of the matrix is an item's.
        ordered: whether the order of a history changes the scores. Rows of similar length then share a training
            batch, because a recurrent network takes as many steps as the longest row.
        loss_mean: whether the loss is a mean over `"rows"` or over `"entries"`.
        linear: whether scores are x B for some matrix B.
        closed_form: whether `fit` solves for the weights in one step.
        variational: whether the model has a posterior of its code; see `VariationalRecommender`.
        has_item_vectors: whether the class implements `item_vectors`; set when the class is defined.
        stores_histories: whether weights contain the histories of the training users.
        value_range: (lowest, highest) rating of a rating model, or None.
        default_epochs: epochs of the paper, or of our recipe if the paper states none. `config_for` chooses them
            for a table.
        default_batch_size: rows per batch, likewise.
        builds_at_construction: whether the weights exist before the first `fit`.
        search_space: what `kerasrec tune` searches: argument of the constructor, `"learning_rate"` or `"batch_size"` →
            the values to try. Empty if no setting changes the results.
    """

    feedback = "likes"
    serving_inputs: tuple[str, ...] = ("history",)
    rows = "users"
    ordered = False
    loss_mean = "rows"
    linear = False
    closed_form = False
    variational = False
    has_item_vectors = False
    stores_histories = False
    value_range: tuple[float, float] | None = None
    default_epochs = 100
    default_batch_size = 500
    builds_at_construction = True
    passed_on: tuple[str, ...] = ()  # by the `__init__` of a subclass with `**kwargs` to that of its base
    search_space: SearchSpace = {}

    def __init__(
        self,
        n_columns: int,
        seed: int | None = None,
        planned_steps: int | None = None,
        run_start: int = 0,
        warm_started: bool = False,
        columns_digest: str | None = None,
        product_dtype: str | None = "auto",
        **kwargs: Any,
    ) -> None:
        # Autocasting would convert ids to bfloat16, which represents integers up to 256 only.
        super().__init__(autocast=False, **kwargs)
        self.n_columns = as_int_at_least(1, n_columns=n_columns)
        self.seed = seed
        self.product_dtype = product_dtype  # of the widest products in training, see `precision.product_dtype`
        # State of the current run, see `plan_run`, and a digest of the columns' ids. `get_config` stores all four.
        self.planned_steps = planned_steps
        self.run_start = run_start
        self.warm_started = warm_started
        self.columns_digest = columns_digest
        self.item_popularity = None
        # Outside Keras' tracking: compiled metrics and predictors are not weights of the model.
        self.untracked = SimpleNamespace(metrics=[], train_table=lambda: None)
        self.predictor_cache = SimpleNamespace(predictors={})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "item_vectors" in cls.__dict__:
            cls.has_item_vectors = True
        if "build" in cls.__dict__:
            cls.build = once(cls.build)
        if "__init__" in cls.__dict__:
            cls.__init__ = then_build(cls.__init__)  # type: ignore[method-assign]

    @classmethod
    def for_interactions(
        cls,
        train: Interactions,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation: HeldOut | None = None,
        side: FloatArray | None = None,
        **arguments: Any,
    ) -> Self:
        """A model for the catalogue of `train`, with its schedules scaled to a run.

        Arguments that are not given follow from the table by `config_for`, so they can differ from the constructor's
        defaults, which are the paper's.

        Args:
            train: the training table.
            epochs: epochs of the `fit` that follows. What changes over a run (KL annealing, a decaying learning rate)
                is scaled to it.
            batch_size: batch size of that `fit`. Default: `default_batch_size`.
            validation: the validation part of the split, on which `config_for` compares values.
            side: features of the items, `(n_items, n_features)`, or of the users if they are the rows of the model, in
                the order of the table's ids; see `kerasrec.data.side_information`.
            **arguments: arguments of the constructor.

        Raises:
            TypeError: `train` is not a table.
            ValueError: a rating model gets ratings that are all equal, the table has no interactions, `epochs` or
                `batch_size` is below 1, the model reads no features, or `side` has another number of rows.
        """
        check_table(train=train)
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value is not None:
                as_int_at_least(1, **{name: value})
        cls.check_feedback(train)
        arguments = cls.config_for(train, validation, **arguments, side=side).arguments
        by_item = arguments.get("rows") == "items"
        n_rows = train.n_items if by_item else train.n_users
        if side is not None:
            cls.check_accepts_side()
            of = cls.described_by_side(arguments.get("rows", cls.rows))
            side = checked_side(side, train.n_items if of == "items" else train.n_users, of)
            arguments = {**arguments, **cls.arguments_of_side(side)}
        steps = None if epochs is None else cls.steps_for(n_rows, epochs, batch_size)
        digest = ids_digest(train.user_ids if by_item else train.item_ids)
        arguments = {**cls.sizes_for(train, arguments), **cls.schedule_for(steps, arguments), **arguments}
        model = cls(**arguments, planned_steps=steps, columns_digest=digest)
        if side is not None:
            model.set_side(side)
        model.count_items(train)
        return model

    @classmethod
    def check_feedback(cls, table: Interactions) -> None:
        """Refuses to train a rating model on ratings that are all equal.

        Raises:
            ValueError: all ratings are equal.
        """
        if cls.feedback == "ratings" and len(table) and table.values.min() == table.values.max():
            raise ValueError(
                f"{cls.__name__} predicts ratings, and every value of the table is {table.values[0]:g}. "
                "Fix: name the column of the ratings (`value`), or use a model of likes, for example EASE or MultVAE"
            )

    def seed_for(self, name: str) -> int | None:
        """A separate seed for each source of randomness. Equal seeds would give layers of one shape equal weights."""
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, read from the attributes of the same names."""
        parameters = inspect.signature(type(self).__init__).parameters.values()
        names = [p.name for p in parameters if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        state = ["seed", "product_dtype", "planned_steps", "run_start", "warm_started", "columns_digest"]
        config = super().get_config()
        names += [name for name in self.passed_on if name not in config]
        return {**config, **{name: getattr(self, name) for name in [*names, *state]}}

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """The shape of the scores, `(batch, n_columns)`."""
        shape = input_shape["ids"] if isinstance(input_shape, Mapping) else input_shape
        return (shape[0], self.n_columns)

    def compute_output_spec(self, inputs: Any, training: bool = False) -> keras.KerasTensor:
        """The scores as a symbolic tensor, float32 under any dtype policy."""
        tensor = inputs["ids"] if isinstance(inputs, Mapping) else inputs
        return keras.KerasTensor((tensor.shape[0], self.n_columns), "float32")

    # ---- what `call` and `compute_loss` of a model use --------------------------------------------

    def observed(self, inputs: Batch | Tensor) -> SparseRows | DenseRows:
        """The observed entries of a batch: their values for rating models, 1 each for models of likes."""
        if isinstance(inputs, Mapping) and "rows" in inputs:
            rows: SparseRows = inputs["rows"]
            return rows
        observed = observed_rows(inputs, use_values=self.feedback == "ratings")
        if isinstance(observed, DenseRows) and observed.values.shape[1] not in (None, self.n_columns):
            raise ValueError(
                f"expected rows with {self.n_columns} columns, got {observed.values.shape[1]}. "
                'Fix: pass lists of column ids as `{"ids": lists}`'
            )
        return observed

    def dense_inputs(self, inputs: Batch | Tensor) -> Tensor:
        """Dense rows `(batch, n_columns)`, 0 where nothing was observed."""
        rows = self.observed(inputs)
        return rows.dense(self.n_columns) if isinstance(rows, SparseRows) else rows.values

    def dense_targets(self, inputs: Batch | Tensor) -> Tensor:
        """Dense rows `(batch, n_columns)`. Unobserved entries are `nan` for rating models and 0 for models of likes."""
        missing = float("nan") if self.feedback == "ratings" else 0.0
        rows = self.observed(inputs)
        if isinstance(rows, SparseRows):
            return rows.dense(self.n_columns, missing)
        return ops.where(rows.mask > 0, rows.values, missing)

    @property
    def losses(self) -> list[Tensor]:
        """The weight regularizers, float32. Layers have several dtypes, and Keras adds only tensors of one dtype."""
        return [ops.cast(loss, "float32") for loss in super().losses]

    def regularization_losses(self) -> Tensor:
        """Sum of the weight regularizers, scaled for distribution, for `compute_loss` of a model with regularizers."""
        # Keras scales these by the number of replicas; it does not scale the result of an overridden compute_loss.
        return super().compute_loss() if self.losses else 0.0

    def refuse_targets(self, y: Any) -> None:
        """Raises an error for targets in `compute_loss` of a model whose rows are their own targets.

        Raises:
            ValueError: `y` is given.
        """
        if y is not None:
            raise ValueError(
                f"`y`: expected None, because each row is its own target in {type(self).__name__}, got a "
                f"{type(y).__name__}. Fix: call `fit` without `y`"
            )

    # ---- inference --------------------------------------------------------------------------------

    @property
    def inference_weights(self) -> list[keras.Variable]:
        """The weights that scores are computed from, which an export contains. Default: all."""
        return list(self.weights)

    @property
    def n_known_rows(self) -> int | None:
        """The number of training rows for which the model has weights, or None if it has no weights per row."""
        return None

    def check_fitted(self) -> None:
        """Refuses to predict with a model that has no fitted weights.

        Raises:
            ValueError: the model has not been fitted.
        """

    def mask_seen(self, scores: Tensor, inputs: Batch | Tensor) -> Tensor:
        """`scores` with -inf at the observed entries of `inputs`, float32."""
        rows, scores = self.observed(inputs), ops.cast(scores, "float32")
        if isinstance(rows, SparseRows):
            return rows.scatter_add(scores, EXCLUDED_SCORE)
        return ops.where(rows.mask > 0, EXCLUDED_SCORE, scores)

    def is_unknown(self, inputs: Batch | Tensor) -> Tensor:
        """Which rows the model has no information about, `(batch,)` bool. They get popular items.

        Such a row has no item of the catalogue and, for models with weights per user, is not a training user.
        """
        is_empty = self.observed(inputs).counts == 0
        if "user_id" not in self.serving_inputs or not isinstance(inputs, Mapping) or "row" not in inputs:
            return is_empty
        is_unknown_user = ops.cast(inputs["row"], "int32") < 0
        return is_empty & is_unknown_user if "history" in self.serving_inputs else is_unknown_user

    def as_user_model(self, train: Interactions) -> Recommender:
        """The model with users as rows. Only models of item rows return another model than themselves.

        Args:
            train: the training table.

        Raises:
            ValueError: `train` has another number of users than the model has weights for.
        """
        if self.n_known_rows not in (None, train.n_users):
            raise ValueError(
                f"this {type(self).__name__} has weights for {self.n_known_rows:,} users, and the table has "
                f"{train.n_users:,}. Fix: pass the training table as `train`, which identifies the users"
            )
        return self

    def as_served_model(self) -> Recommender:
        """The model whose weights an export stores: one with equal scores and smaller weights, or this model."""
        return self

    # ---- what plots, explorer, export and pre-training use ------------------------------------------

    def item_vectors(self, train: Interactions) -> FloatArray:
        """One vector per item, `(n_items, dim)` float32, from which the model computes the item's score.

        Args:
            train: the training table.

        Raises:
            ValueError: the model has no item vectors (`has_item_vectors` is False).
        """
        raise ValueError(
            f"{type(self).__name__} has no item vectors. Fix: implement `item_vectors`, or use another model"
        )

    @property
    def code_layer(self) -> str | None:
        """Name of the layer whose output is the code, or None."""
        return None

    def entry_losses(self, scores: FloatArray, columns: IntArray, values: FloatArray) -> EntryLosses | None:
        """What each observed entry of one row adds to the training loss, or None if the loss is not a sum over entries.

        Args:
            scores: `(n_columns,)`, the scores of the row.
            columns: `(n,)`, the observed columns.
            values: `(n,)`, their values.
        """
        return None

    def layer_pairs(self) -> list[list[keras.layers.Layer]]:
        """Layers of the encoder with the decoder layers that mirror them, the outermost first, for `pretrain`.

        Raises:
            ValueError: the model is not such a stack.
        """
        raise ValueError(f"{type(self).__name__} has no pairs of encoder and decoder layers to pre-train")

    def truncated(self, depth: int) -> Recommender:
        """A new model with the `depth` outermost layer pairs of this one, for `pretrain`."""
        raise NotImplementedError
