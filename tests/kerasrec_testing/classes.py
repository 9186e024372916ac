"""Small objects of every registered class that is not a model, for the tests that all of them must pass."""

from typing import Any, NamedTuple

import numpy as np

N_ITEMS = 11
RNG = np.random.default_rng(5)
LIKES = (RNG.random((6, N_ITEMS)) < 0.4).astype(np.float32)
RATINGS = np.where(LIKES > 0, RNG.integers(1, 6, LIKES.shape), np.nan).astype(np.float32)
SCORES = RNG.normal(size=LIKES.shape).astype(np.float32)
HIDDEN, MEAN, LOG_VAR = RNG.normal(size=(3, 6, 4)).astype(np.float32)
VECTORS = RNG.normal(size=(N_ITEMS, 3)).astype(np.float32)
POPULARITY = RNG.uniform(0.1, 1.0, N_ITEMS).astype(np.float32)
IDS = np.array([np.append(np.flatnonzero(row), [-1] * int(N_ITEMS - row.sum())) for row in LIKES], np.int32)
VALUES = np.where(IDS >= 0, 3.0, 0.0).astype(np.float32)


class Example(NamedTuple):
    """How a registered class is constructed and called.

    Attributes:
        arguments: constructor arguments, each different from its default.
        inputs: what a layer is called with, or `y_true` and `y_pred` of a loss or metric; `(batch, …)` each.
        always_float32: layers only: whether the output is float32 under any global dtype policy.
    """

    arguments: dict[str, Any]
    inputs: tuple[Any, ...] = ()
    always_float32: bool = False


# Class name and example. The tests of `tests/test_registry.py` run every example, and fail if a class has none.
EXAMPLES = {
    # layers
    "AddNegativeELBO": Example({"likelihood": "logistic", "beta": 0.2}, (LIKES, SCORES, MEAN, LOG_VAR)),
    "BFloat16Dense": Example({"units": 3, "activation": "tanh", "product_dtype": None}, (HIDDEN,)),
    "Densify": Example(
        {"n_columns": N_ITEMS, "use_values": True, "missing": -1.0}, ({"ids": IDS, "values": VALUES},), True
    ),
    "GaussianSampling": Example({"seed": 3}, (MEAN, LOG_VAR)),
    "KernelDense": Example(
        {"units": 3, "activation": "tanh", "kernel_dim": 2, "similarity_reg": 0.1, "vectors_seed": 3, "n_columns": 11},
        ({"ids": IDS, "values": VALUES},),
    ),
    "Logits": Example({"units": N_ITEMS, "product_dtype": "bfloat16"}, (HIDDEN,), True),
    "NextItemLogits": Example({"units": N_ITEMS, "product_dtype": "bfloat16"}, (HIDDEN,), True),
    "RowDense": Example(
        {"units": 3, "activation": "tanh", "sparse": True, "n_columns": N_ITEMS}, ({"ids": IDS, "values": VALUES},)
    ),
    "SampledLogits": Example({"units": N_ITEMS, "n_sampled": 4, "seed": 3}, (HIDDEN,), True),
    # losses
    "FocalLoss": Example({"alpha": 0.4, "gamma": 1.5}, (LIKES, SCORES)),
    "GaussianNLL": Example({"observed_weight": 3.0}, (LIKES, SCORES)),
    "LogisticNLL": Example({}, (LIKES, SCORES)),
    "MaskedMeanSquaredError": Example({"per": "row", "missing": -1.0}, (np.nan_to_num(RATINGS, nan=-1.0), SCORES)),
    "MultinomialNLL": Example({}, (LIKES, SCORES)),
    "NegativeELBO": Example(
        {"likelihood": "gaussian", "beta": 0.3}, (LIKES, {"logits": SCORES, "mean": MEAN, "log_var": LOG_VAR})
    ),
    "PointwiseLoss": Example({"objective": "square"}, ({"likes": LIKES, "weight": 1.0 + LIKES}, SCORES)),
    # metrics
    "CatalogueCoverage": Example({"k": 1, "n_items": N_ITEMS}, (LIKES, SCORES)),
    "HitRate": Example({"k": 2}, (LIKES, SCORES)),
    "IntraListDiversity": Example({"k": 3, "vectors": VECTORS.tolist()}, (LIKES, SCORES)),
    "MAE": Example({"value_range": (1.0, 5.0), "missing": -1.0}, (np.nan_to_num(RATINGS, nan=-1.0), SCORES)),
    "MAP": Example({"k": 3}, (LIKES, SCORES)),
    "MRR": Example({"k": 3}, (LIKES, SCORES)),
    "NDCG": Example({"k": 3}, (LIKES, SCORES)),
    "Novelty": Example({"k": 3, "popularity": POPULARITY.tolist()}, (LIKES, SCORES)),
    "PlainRecall": Example({"k": 3}, (LIKES, SCORES)),
    "Precision": Example({"k": 3}, (LIKES, SCORES)),
    "RMSE": Example({"value_range": (1.0, 5.0), "missing": -1.0}, (np.nan_to_num(RATINGS, nan=-1.0), SCORES)),
    "Recall": Example({"k": 3}, (LIKES, SCORES)),
    # optimizers and learning rate schedules
    "Adam": Example({"learning_rate": 0.125, "lazy": True}),
    "CosineDecay": Example({"learning_rate": 0.01, "steps": 7, "start": 2}),
    "HalvingDecay": Example({"learning_rate": 0.01, "steps": 7, "start": 2, "shares": (0.25, 0.75)}),
    # callbacks
    "Checkpoints": Example({"folder": "checkpoints", "monitor": "val_rmse", "mode": "min"}),
}
