"""Small versions of every model, and the table they learn, for the tests that all models must pass."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kerasrec import Interactions, Recommender
from kerasrec.callbacks import Checkpoints
from kerasrec.data.splits import HeldOut
from kerasrec.models import EASE, ZOO, MultDAE
from kerasrec.ops.sampled_softmax import SampledItems
from kerasrec.optimizers import Adam

N_USERS, N_ITEMS, N_BLOCKS = 90, 30, 3
SIDE = np.eye(N_BLOCKS)[np.arange(N_ITEMS) % N_BLOCKS]
"""Side information of the items of `blocks`, and of its users: the block of each, one-hot."""

PAPERS_CFN = {"activation": "tanh", "output_activation": "tanh", "centre_input": True}

# Name in the zoo and constructor arguments: one case for each way in which a model can be used. The contract tests run
# every case, and fail if a model of the zoo has none.
CASES = {
    "auto_rec users": ("auto_rec", {"rows": "users", "hidden_dims": (12,), "reg": 0.01, "dropout": 0.1}),
    "auto_rec items": ("auto_rec", {"rows": "items", "hidden_dims": (12,), "reg": 0.01}),
    "deep_rec": ("deep_rec", {"hidden_dims": (24, 12), "dropout": 0.2, "refeeds": 1}),
    "deep_rec once": ("deep_rec", {"hidden_dims": (24, 12), "dropout": 0.2, "refeeds": 0}),
    "ease_sgd": ("ease_sgd", {"reg": 0.05}),
    "edlae": ("edlae", {"dropout": 0.4, "reg": 5.0}),
    "elsa": ("elsa", {"latent_dim": 6}),
    "elsa compressed": ("elsa", {"latent_dim": 8, "n_kept": 4}),
    "cfn": ("cfn", {"rows": "users", "hidden_dims": (12,), "reg": 0.01, "side": SIDE, **PAPERS_CFN}),
    "cfn items": ("cfn", {"rows": "items", "hidden_dims": (12, 8), "reg": 0.01, "side": SIDE, **PAPERS_CFN}),
    "bias": ("bias", {"reg_users": 2.0, "reg_items": 3.0}),
    "cdae": ("cdae", {"latent_dim": 8, "dropout": 0.2, "reg": 1e-4}),
    "cdae untied": (
        "cdae",
        {"latent_dim": 8, "activation": None, "objective": "square", "dropout": 0.1, "tied": False, "reg": 1e-4},
    ),
    "cdae without users": ("cdae", {"latent_dim": 8, "user_node": False, "negatives": None, "reg": 1e-4}),
    "dan": ("dan", {"user_power": 0.4, "item_power": 0.1, "dropout": 0.3, "reg": 5.0, "max_diagonal": 0.3}),
    "ease": ("ease", {"reg": 5.0}),
    "feature_ease": ("feature_ease", {"reg": 5.0, "feature_reg": 1.0, "side": SIDE}),
    "feature_vae": ("feature_vae", {"hidden_dims": (24,), "latent_dim": 6, "anneal_steps": 200, "side": SIDE}),
    "ials": ("ials", {"latent_dim": 6, "iterations": 4, "reg": 0.003, "unobserved_weight": 0.1}),
    "inf_ae": ("inf_ae", {"reg": 2.0}),
    "item_knn": ("item_knn", {"n_neighbours": 12, "shrinkage": 2.0}),
    "kernel_net items": ("kernel_net", {"rows": "items", "hidden_dims": (12,), "kernel_dim": 2, "reg": 0.01}),
    "mult_dae": ("mult_dae", {"latent_dim": 12}),
    "mult_dae deep": ("mult_dae", {"hidden_dims": (24,), "latent_dim": 8}),
    "mult_dae sampled": ("mult_dae", {"latent_dim": 12, "n_sampled": 12}),
    "mult_dae noise": ("mult_dae", {"latent_dim": 12, "dropout": 0.0, "noise": 0.05}),
    "mult_vae": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "anneal_steps": 200}),
    "mult_vae gaussian": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "likelihood": "gaussian", "beta": 0.0}),
    "mult_vae logistic": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "likelihood": "logistic"}),
    "popularity": ("popularity", {}),
    "rdlae": ("rdlae", {"dropout": 0.3, "reg": 5.0, "max_diagonal": 0.3}),
    "rec_vae": ("rec_vae", {"hidden_dim": 16, "depth": 3, "latent_dim": 6, "refresh_steps": 6}),
    "rlae": ("rlae", {"reg": 5.0, "max_diagonal": 0.3}),
    "sansa": ("sansa", {"reg": 5.0, "n_factor": 12, "n_weights": 16}),
    "slim": ("slim", {"reg": 2.0, "l1_reg": 1.0}),
    "svae": (
        "svae",
        {"embedding_dim": 16, "gru_units": 12, "hidden_dims": (10,), "latent_dim": 6, "anneal_steps": 2000},
    ),
    "vasp": ("vasp", {"hidden_dim": 16, "latent_dim": 6, "encoder_depth": 2, "decoder_depth": 2}),
}
FIRST_OF_MODEL = set({name: case for case, (name, _) in reversed(CASES.items())}.values())
"""The first case of each model. The tests of the others are marked `slow`."""


def is_further(case: str) -> bool:
    """Whether a case computes scores as another one does.

    It has the rows and the inputs of the first case of its model, or differs from EASE only in how it is solved.
    """
    model = ZOO[CASES[case][0]]
    if model.call is EASE.call and not model.accepts_side:
        return model is not EASE
    return case not in FIRST_OF_MODEL and not case.endswith(("items", "without users"))


RUN_IN_PROCESSES = [case for case in CASES if os.environ.get("KERASREC_LONG_TESTS") or not is_further(case)]
"""The cases that processes of their own run."""

TRAINED = [case for case, (name, _) in CASES.items() if not ZOO[name].closed_form]
"""The cases that learn by gradient descent."""
IMPERSONAL = ("bias", "popularity")
"""The cases that rank the items of all users in one order."""


def blocks(feedback: str = "likes", seed: int = 0) -> Interactions:
    """Users who like (or rate high) the items of their own block, so that the right recommendations are known."""
    rng = np.random.default_rng(seed)
    user, item = np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS), indexing="ij")
    same_block = user % N_BLOCKS == item % N_BLOCKS
    if feedback == "ratings":
        # Half the items each: a loss that divides by the number of ratings is then the same on any share of the users.
        seen = rng.random(same_block.shape).argsort(axis=1) < N_ITEMS // 2
        values = np.where(same_block, 5.0, 1.0)[seen]
    else:
        seen = same_block & (rng.random(same_block.shape) < 0.6)
        values = None
    times = rng.integers(1, 10**6, seen.sum())
    return Interactions.from_arrays(user[seen], item[seen] * 10, values, times)


def held_out(table: Interactions, seed: int = 1) -> HeldOut:
    """A split with about a fifth of the interactions held out."""
    targets = np.random.default_rng(seed).random(len(table)) < 0.2
    return HeldOut(table.select(~targets, compact=False), table.select(targets, compact=False))


def in_own_block(item_ids: np.ndarray, user_ids: np.ndarray) -> np.ndarray:
    """Which of the items `(n_users, k)` are of their user's block."""
    return item_ids // 10 % N_BLOCKS == (user_ids % N_BLOCKS)[:, None]


def arguments_for(case: str, table: Interactions) -> dict:
    """The constructor arguments of a case, with side information for the rows of `table`."""
    arguments = dict(CASES[case][1])
    if "side" in arguments:
        is_of_items = arguments.get("rows") == "items" or ZOO[CASES[case][0]].side_axis == "columns"
        rows = table.n_items if is_of_items else table.n_users
        arguments["side"] = np.resize(SIDE, (rows, N_BLOCKS))
    return arguments


def make(case: str, table: Interactions, run_eagerly: bool = False, **arguments) -> Recommender:
    """A small compiled model. A few steps take less time eagerly than their tracing takes."""
    name, settings = CASES[case][0], arguments_for(case, table)
    model = ZOO[name].for_interactions(table, **{"seed": 3, **settings, **arguments})
    adam = Adam(0.01, lazy=True) if "n_sampled" in settings else keras.optimizers.Adam(0.01)
    model.compile(**({} if model.closed_form else {"optimizer": adam}), run_eagerly=run_eagerly)
    return model


def table_for(case: str) -> Interactions:
    """The training table of a case."""
    return blocks(ZOO[CASES[case][0]].feedback)


def fitted(case: str, table: Interactions | None = None, epochs: int = 2, **arguments) -> Recommender:
    """A small model after a few epochs."""
    table = table_for(case) if table is None else table
    model = make(case, table, **arguments)
    model.fit(table, batch_size=16, epochs=epochs, verbose=0)
    return model


class Recorder(keras.callbacks.Callback):
    """Records the learning rate and the annealed values before each batch."""

    def __init__(self):
        super().__init__()
        self.rates, self.betas = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))
        self.betas.append(self.model.annealed_values().get("beta"))


class OneCheckpoint(Checkpoints):
    """Writes a single epoch, which is the state that an interruption after it leaves."""

    def __init__(self, folder: Path, epoch: int) -> None:
        super().__init__(folder)
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch + 1 == self.epoch:
            super().on_epoch_end(epoch, logs)


class Training(NamedTuple):
    """A finished `fit` with validation.

    Attributes:
        model: the model after the last epoch.
        history: the losses of all epochs and the validation metrics of the last one.
        checkpoints: a folder that holds the state after half of the epochs.
        batch_size: rows per batch.
        epochs: number of epochs.
    """

    model: Recommender
    history: dict[str, list[float]]
    checkpoints: Path
    batch_size: int
    epochs: int


def train(model: Recommender, table: Interactions, part: HeldOut, batch_size: int, epochs: int) -> Training:
    """Fits a model, validates it on `part` after the last epoch, and keeps a checkpoint of half of the run."""
    folder = Path(tempfile.mkdtemp(prefix="kerasrec-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    checkpoint = OneCheckpoint(folder, epochs // 2)
    validation = {"validation_data": part, "validation_freq": epochs}
    run = model.fit(table, batch_size=batch_size, epochs=epochs, callbacks=checkpoint, verbose=0, **validation)
    return Training(model, run.history, folder, batch_size, epochs)


def resumed(case: str, table: Interactions, training: Training) -> Recommender:
    """A new model that continues an interrupted run to its last epoch."""
    model = make(case, table)
    epoch = Checkpoints(training.checkpoints).restore(model)
    assert epoch == training.epochs // 2
    model.fit(table, batch_size=training.batch_size, epochs=training.epochs, initial_epoch=epoch, verbose=0)
    return model


@cache
def training(case: str) -> Training:
    """A run of four epochs, shared by the tests that read its results."""
    table = table_for(case)
    return train(make(case, table), table, held_out(table), batch_size=16, epochs=4)


def trained(case: str) -> Recommender:
    """The model of `training`, which no test may change."""
    return training(case).model


def scores(model, table: Interactions | HeldOut, batch_size: int = 1000) -> np.ndarray:
    """The scores of all columns for the rows of a table."""
    return model.predict(table, batch_size, verbose=0)


def scores_of_call(model, table: Interactions) -> np.ndarray:
    """The scores of all columns for the rows of a table, in one batch and without tracing a function."""
    return keras.ops.convert_to_numpy(model(model.batches(table, 1000)[0][0]))


def steps_on_a_given_sample() -> list[np.ndarray]:
    """The weights after three steps without random numbers, so that backends can be compared."""
    rng = np.random.default_rng(0)
    model = MultDAE(N_ITEMS, latent_dim=5, dropout=0.0, reg=0.01, n_sampled=8)
    model.build()
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.weights])
    items = np.sort(rng.integers(0, N_ITEMS, 8)).astype(np.int32)
    expected = rng.uniform(0.2, 2.0, 8).astype(np.float32)
    model.logits.draw = lambda ids: SampledItems(*map(keras.ops.convert_to_tensor, (items, expected)))
    model.compile(Adam(0.01, lazy=True))
    model.fit(blocks(), batch_size=30, epochs=1, shuffle=False, verbose=0)
    return model.get_weights()
