"""Small versions of every model, and the table they learn, for the tests that all models must pass."""

from functools import cache

import keras
import numpy as np

from kerasrec import Interactions
from kerasrec.data.splits import HeldOut
from kerasrec.models import ZOO, MultDAE
from kerasrec.ops.sampled_softmax import Sample
from kerasrec.optimizers import Adam

N_USERS, N_ITEMS, N_BLOCKS = 90, 30, 3
SIDE = np.eye(N_BLOCKS)[np.arange(N_ITEMS) % N_BLOCKS]
"""What is known of the items of `blocks`, and of its users: which block each is of."""

# (name in the zoo, constructor arguments): each way in which a model can be used stands here once.
CASES = {
    "auto_rec users": ("auto_rec", {"hidden_dims": (12,), "reg": 0.01, "dropout": 0.1}),
    "auto_rec items": ("auto_rec", {"rows": "items", "hidden_dims": (12,), "reg": 0.01}),
    "deep_rec": ("deep_rec", {"hidden_dims": (24, 12), "dropout": 0.2}),
    "deep_rec once": ("deep_rec", {"hidden_dims": (24, 12), "dropout": 0.2, "refeeds": 0}),
    "ease_sgd": ("ease_sgd", {"reg": 0.05}),
    "edlae": ("edlae", {"dropout": 0.4, "reg": 5.0}),
    "elsa": ("elsa", {"latent_dim": 6}),
    "cfn": ("cfn", {"hidden_dims": (12,), "reg": 0.01, "side": SIDE}),
    "cfn items": ("cfn", {"rows": "items", "hidden_dims": (12, 8), "reg": 0.01, "side": SIDE}),
    "cdae": ("cdae", {"latent_dim": 8, "dropout": 0.2, "reg": 1e-4}),
    "cdae untied": (
        "cdae",
        {"latent_dim": 8, "activation": None, "objective": "square", "dropout": 0.1, "tied": False, "reg": 1e-4},
    ),
    "cdae without users": ("cdae", {"latent_dim": 8, "user_node": False, "negatives": None, "reg": 1e-4}),
    "ease": ("ease", {"reg": 5.0}),
    "mult_dae": ("mult_dae", {"latent_dim": 12}),
    "mult_dae deep": ("mult_dae", {"hidden_dims": (24,), "latent_dim": 8}),
    "mult_dae sampled": ("mult_dae", {"latent_dim": 12, "n_sampled": 12}),
    "mult_dae noise": ("mult_dae", {"latent_dim": 12, "dropout": 0.0, "noise": 0.05}),
    "mult_vae": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "anneal_steps": 200}),
    "mult_vae gaussian": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "likelihood": "gaussian", "beta": 0.0}),
    "mult_vae logistic": ("mult_vae", {"hidden_dims": (24,), "latent_dim": 6, "likelihood": "logistic"}),
    "popularity": ("popularity", {}),
    "rec_vae": ("rec_vae", {"hidden_dim": 16, "depth": 3, "latent_dim": 6, "refresh_steps": 6}),
    "svae": (
        "svae",
        {"embedding_dim": 16, "gru_units": 12, "hidden_dims": (10,), "latent_dim": 6, "anneal_steps": 2000},
    ),
}
SOLVED = ("ease", "edlae", "popularity")


def blocks(feedback: str = "likes", seed: int = 0) -> Interactions:
    """Users who like (or rate high) the items of their own block: whoever learns that knows the right answer."""
    rng = np.random.default_rng(seed)
    user, item = np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS), indexing="ij")
    own = user % N_BLOCKS == item % N_BLOCKS
    if feedback == "ratings":
        # Half the items each: a loss that divides by the number of ratings is then the same on any share of the users.
        seen = rng.random(own.shape).argsort(axis=1) < N_ITEMS // 2
        values = np.where(own, 5.0, 1.0)[seen]
    else:
        seen = own & (rng.random(own.shape) < 0.6)
        values = None
    times = rng.integers(1, 10**6, seen.sum())
    return Interactions.from_arrays(user[seen], item[seen] * 10, values, times)


def held_out(table: Interactions, seed: int = 1) -> HeldOut:
    """A fifth of each user's interactions held out."""
    out = np.random.default_rng(seed).random(len(table)) < 0.2
    return HeldOut(table.select(~out, compact=False), table.select(out, compact=False))


def arguments_for(case: str, table: Interactions) -> dict:
    """A case's arguments of the constructor, with side information for as many users or items as the table has."""
    arguments = dict(CASES[case][1])
    if "side" in arguments:
        rows = table.n_items if arguments.get("rows") == "items" else table.n_users
        arguments["side"] = np.resize(SIDE, (rows, N_BLOCKS))
    return arguments


def make(case: str, table: Interactions, **arguments):
    """A small compiled model."""
    name, settings = CASES[case][0], arguments_for(case, table)
    model = ZOO[name].for_interactions(table, **{"seed": 3, **settings, **arguments})
    adam = Adam(0.01, lazy=True) if "n_sampled" in settings else keras.optimizers.Adam(0.01)
    model.compile(**({} if name in SOLVED else {"optimizer": adam}))
    return model


def table_for(case: str) -> Interactions:
    """The table that a case learns."""
    return blocks(ZOO[CASES[case][0]].feedback)


def fitted(case: str, table: Interactions | None = None, epochs: int = 2, **arguments):
    """A small model after a few epochs."""
    table = table_for(case) if table is None else table
    model = make(case, table, **arguments)
    model.fit(table, batch_size=16, epochs=epochs, verbose=0)
    return model


@cache
def trained(case: str):
    """A small model after a few epochs, shared by the tests that only ask it."""
    return fitted(case)


def scores(model, table: Interactions | HeldOut, batch_size: int = 1000) -> np.ndarray:
    """All scores of a table's rows."""
    return model.predict(table, batch_size, verbose=0)


def steps_on_a_given_sample() -> list[np.ndarray]:
    """The weights after three steps in which nothing is left to chance, so that backends can be compared."""
    rng = np.random.default_rng(0)
    model = MultDAE(N_ITEMS, latent_dim=5, dropout=0.0, reg=0.01, n_sampled=8)
    model.build()
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.weights])
    items = np.sort(rng.integers(0, N_ITEMS, 8)).astype(np.int32)
    expected = rng.uniform(0.2, 2.0, 8).astype(np.float32)
    model.logits.draw = lambda ids: Sample(*map(keras.ops.convert_to_tensor, (items, expected)))
    model.compile(Adam(0.01, lazy=True))
    model.fit(blocks(), batch_size=30, epochs=1, shuffle=False, verbose=0)
    return model.get_weights()
