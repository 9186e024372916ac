"""One job of one contestant in one process: prints seconds and peak memory as JSON. `compare.py` starts it.

    python contestants.py train|solve|rank kerasrec|bare|torch|recbole DATA.npz OPTIONS

`DATA.npz` contains the rows as `indptr` and `items`, `n_items`, and a mask `held_out` of the items. `OPTIONS` is JSON:
`{"batch": 500, "epochs": 3, "reg": 500.0}`. All contestants compute the same: `train` a Mult-VAE of
n → 600 → 200 → 600 → n with Adam and β = .2, `solve` EASE, `rank` five metrics at 20.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

BETA = 0.2
METRICS = ["recall_20", "ndcg_20", "precision_20", "map_20", "mrr_20"]


class Clock:
    """Ends of epochs. The first epoch, which includes setup, does not count."""

    def __init__(self) -> None:
        self.ends = [time.perf_counter()]

    def tick(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        return float(np.median(np.diff(self.ends)[1:]))


def rows(data: Any, held_out: bool | None = None) -> tuple[Any, Any]:
    """Row pointers and items: of all interactions, only the held-out ones, or only the others."""
    if held_out is None:
        return data["indptr"], data["items"]
    selected = data["held_out"] == held_out
    return np.append(0, np.cumsum(selected))[data["indptr"]], data["items"][selected]


def table(data: Any) -> Any:
    """All interactions as a table of kerasrec."""
    import kerasrec

    users = np.repeat(np.arange(len(data["indptr"]) - 1), np.diff(data["indptr"]))
    return kerasrec.Interactions.from_arrays(users, data["items"]).with_catalogue(np.arange(int(data["n_items"])))


def train_kerasrec(data: Any, options: dict[str, Any]) -> float:
    """`fit`, as users call it."""
    import keras

    import kerasrec

    clock, train = Clock(), table(data)
    model = kerasrec.MultVAE.for_interactions(train, options["epochs"], options["batch"], seed=1)
    model.compile()
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=clock.tick)]
    model.fit(train, batch_size=options["batch"], epochs=options["epochs"], callbacks=callbacks, verbose=0)
    return clock.seconds()


def train_bare(data: Any, options: dict[str, Any]) -> float:
    """A lower bound: one graph written by hand, with batches that are already tensors."""
    import tensorflow as tf

    from kerasrec.models.precision import product_dtype

    factors = product_dtype() or "float32"
    n = int(data["n_items"])
    (indptr, items), clock = rows(data), Clock()
    initializer = tf.keras.initializers.GlorotUniform(1)
    widths = [(n, 600), (600, 400), (200, 600), (600, n)]
    kernels = [tf.Variable(initializer(shape)) for shape in widths]
    biases = [tf.Variable(tf.zeros(shape[1])) for shape in widths]
    variables = kernels + biases
    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
    powers = tf.Variable(1.0), tf.Variable(1.0)

    def product(a: Any, b: Any) -> Any:
        return tf.cast(tf.matmul(tf.cast(a, factors), tf.cast(b, factors)), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.int64), tf.TensorSpec((), tf.int64)])
    def step(indices: Any, n_rows: Any) -> Any:
        ones = tf.ones(tf.shape(indices)[:1])
        x = tf.scatter_nd(indices, ones, tf.stack([n_rows, n]))
        with tf.GradientTape() as tape:
            hidden = tf.nn.dropout(tf.math.l2_normalize(x, 1), 0.5)
            hidden = tf.tanh(product(hidden, kernels[0]) + biases[0])
            mean, log_var = tf.split(tf.matmul(hidden, kernels[1]) + biases[1], 2, 1)
            kl = 0.5 * tf.reduce_sum(tf.exp(log_var) + mean**2 - 1 - log_var, 1)
            code = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
            logits = product(tf.tanh(tf.matmul(code, kernels[2]) + biases[2]), kernels[3]) + biases[3]
            loss = tf.nn.softmax_cross_entropy_with_logits(x, logits)
            loss = tf.reduce_mean(loss + BETA * kl)
        gradients = tape.gradient(loss, variables)
        powers[0].assign(powers[0] * 0.9)
        powers[1].assign(powers[1] * 0.999)
        for v, (m, s), g in zip(variables, moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=v.handle, m=m.handle, v=s.handle, beta1_power=powers[0], beta2_power=powers[1], lr=1e-3,
                beta1=0.9, beta2=0.999, epsilon=1e-7, grad=g,
            )  # fmt: skip
        return loss

    batches = _batches(indptr, items, options["batch"])
    for _ in range(options["epochs"]):
        for batch in batches:
            step(*batch)
        clock.tick()
    return clock.seconds()


def _batches(indptr: Any, items: Any, batch_size: int) -> list[tuple[Any, Any]]:
    """For each batch the (row, column) of its entries and the number of its rows, as tensors."""
    import tensorflow as tf

    batches = []
    for start in range(0, len(indptr) - 1, batch_size):
        pointers = indptr[start : start + batch_size + 1]
        row_numbers = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
        indices = np.stack([row_numbers, items[pointers[0] : pointers[-1]]], 1)
        batches.append((tf.constant(indices, tf.int64), tf.constant(len(pointers) - 1, tf.int64)))
    return batches


def train_torch(data: Any, options: dict[str, Any]) -> float:
    """PyTorch as its users write it: eager, with dense batches from a sparse matrix."""
    import scipy.sparse as sp
    import torch
    from torch import nn

    n, clock = int(data["n_items"]), Clock()
    ones = np.ones(len(data["items"]), np.float32)
    x = sp.csr_matrix((ones, data["items"], data["indptr"]), shape=(len(data["indptr"]) - 1, n))

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(n, 600), nn.Tanh(), nn.Linear(600, 400))
            self.decoder = nn.Sequential(nn.Linear(200, 600), nn.Tanh(), nn.Linear(600, n))

        def forward(self, batch: Any) -> Any:
            hidden = nn.functional.dropout(nn.functional.normalize(batch), 0.5)
            mean, log_var = self.encoder(hidden).chunk(2, 1)
            code = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
            return self.decoder(code), mean, log_var

    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(options["epochs"]):
        order = np.random.permutation(x.shape[0])
        for start in range(0, len(order), options["batch"]):
            batch = torch.from_numpy(x[order[start : start + options["batch"]]].toarray())
            logits, mean, log_var = model(batch)
            kl = 0.5 * (log_var.exp() + mean**2 - 1 - log_var).sum(1)
            loss = (BETA * kl - (torch.log_softmax(logits, 1) * batch).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        clock.tick()
    return clock.seconds()


def train_recbole(data: Any, options: dict[str, Any]) -> float:
    """RecBole's MultiVAE with RecBole's trainer."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "train_batch_size": options["batch"], "epochs": options["epochs"], "mlp_hidden_dimension": [600],
            "latent_dimension": 200, "dropout_prob": 0.5, "anneal_cap": BETA, "eval_step": 0,
        }  # fmt: skip
        config, _, train, _ = _recbole("MultiVAE", data, Path(folder), settings)
        from recbole.trainer import Trainer
        from recbole.utils import get_model, init_seed

        init_seed(1, True)
        model = get_model("MultiVAE")(config, train.dataset).to(config["device"])
        trainer, clock = Trainer(config, model), Clock()
        for epoch in range(options["epochs"]):
            trainer._train_epoch(train, epoch)
            clock.tick()
        return clock.seconds()


def solve_kerasrec(data: Any, options: dict[str, Any]) -> float:
    """`fit` of EASE."""
    import kerasrec

    train = table(data)
    began = time.perf_counter()
    kerasrec.EASE(train.n_items, reg=options["reg"]).fit(train, verbose=0)
    return time.perf_counter() - began


def solve_recbole(data: Any, options: dict[str, Any]) -> float:
    """RecBole's EASE, which solves in its constructor."""
    with tempfile.TemporaryDirectory() as folder:
        config, _, train, _ = _recbole("EASE", data, Path(folder), {"reg_weight": options["reg"]})
        from recbole.utils import get_model

        began = time.perf_counter()
        get_model("EASE")(config, train.dataset)
        return time.perf_counter() - began


def rank_kerasrec(data: Any, options: dict[str, Any]) -> float:
    """`evaluate` of a Mult-VAE with random weights."""
    import kerasrec

    interactions, held_out = table(data), data["held_out"]
    test = kerasrec.HeldOut(interactions.select(~held_out, compact=False), interactions.select(held_out, compact=False))
    model = kerasrec.MultVAE(int(data["n_items"]), seed=1)
    few = np.arange(min(1000, test.inputs.n_users))
    kerasrec.evaluate(model, kerasrec.HeldOut(test.inputs.take_users(few), test.targets.take_users(few)), METRICS)
    began = time.perf_counter()
    kerasrec.evaluate(model, test, METRICS, batch_size=options["batch"])
    return time.perf_counter() - began


def rank_bare(data: Any, options: dict[str, Any]) -> float:
    """A lower bound: only forward pass, mask and top 20, in float32, without metrics, from ready tensors."""
    import tensorflow as tf

    n, initializer = int(data["n_items"]), tf.keras.initializers.GlorotUniform(1)
    kernels = [tf.Variable(initializer(shape)) for shape in ((n, 600), (600, 200), (200, 600), (600, n))]

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.int64), tf.TensorSpec((), tf.int64)])
    def top_20(indices: Any, n_rows: Any) -> Any:
        x = tf.SparseTensor(indices, tf.ones(tf.shape(indices)[:1]), tf.stack([n_rows, n]))
        hidden = tf.tanh(tf.sparse.sparse_dense_matmul(x, kernels[0]))
        scores = tf.matmul(tf.tanh(tf.matmul(tf.matmul(hidden, kernels[1]), kernels[2])), kernels[3])
        mask = tf.fill(tf.shape(indices)[:1], float("-inf"))
        return tf.math.top_k(tf.tensor_scatter_nd_add(scores, indices, mask), 20).indices

    batches = _batches(*rows(data, False), options["batch"])
    top_20(*batches[0])
    began = time.perf_counter()
    for batch in batches:
        top_20(*batch).numpy()
    return time.perf_counter() - began


def rank_recbole(data: Any, options: dict[str, Any]) -> float:
    """RecBole's full ranking of a MultiVAE with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "mlp_hidden_dimension": [600], "latent_dimension": 200, "topk": [20], "valid_metric": "NDCG@20",
            "metrics": ["Recall", "NDCG", "Precision", "MAP", "MRR"],
            "eval_batch_size": options["batch"] * int(data["n_items"]),
        }  # fmt: skip
        config, _, train, test = _recbole("MultiVAE", data, Path(folder), settings, hold_out=True)
        from recbole.trainer import Trainer
        from recbole.utils import get_model

        model = get_model("MultiVAE")(config, train.dataset).to(config["device"])
        trainer = Trainer(config, model)
        began = time.perf_counter()
        trainer.evaluate(test, load_best_model=False)
        return time.perf_counter() - began


def _recbole(model: str, data: Any, folder: Path, settings: dict[str, Any], hold_out: bool = False) -> Any:
    """RecBole's configuration, data set, training data and test data, by way of its file format."""
    import torch

    load = torch.load  # RecBole does not support `weights_only=True`, which became the default later
    torch.load = lambda *args, **kwargs: load(*args, **{"weights_only": False, **kwargs})
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation

    (folder / "data").mkdir()
    for name, held_out in (("train", False if hold_out else None), ("valid", True), ("test", True)):
        with open(folder / "data" / f"data.{name}.inter", "w") as file:
            file.write("user_id:token\titem_id:token\n")
            indptr, items = rows(data, held_out)
            users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
            np.savetxt(file, np.stack([users, items], 1), "%d", "\t")
    sys.argv = sys.argv[:1]  # RecBole parses the command line
    config = Config(
        model=model, dataset="data",
        config_dict={
            "data_path": str(folder), "benchmark_filename": ["train", "valid", "test"], "use_gpu": False,
            "load_col": {"inter": ["user_id", "item_id"]}, "checkpoint_dir": str(folder), "show_progress": False,
            "train_neg_sample_args": None, "state": "ERROR", "eval_args": {"mode": "full", "order": "RO"}, **settings,
        },
    )  # fmt: skip
    dataset = create_dataset(config)
    train, _, test = data_preparation(config, dataset)
    return config, dataset, train, test


def main() -> None:
    """Runs the job of the command line."""
    job, contestant, file, options = sys.argv[1:]
    with np.load(file) as data:
        data = dict(data)
    seconds = globals()[f"{job}_{contestant}"](data, json.loads(options))
    print(json.dumps({"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
