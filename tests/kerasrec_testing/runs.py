"""Small configurations and tables for tests that train runs."""

from kerasrec import generate
from kerasrec.runs import RunConfig

SMALL_VAE = {"hidden_dims": (32,), "latent_dim": 8}


def config_of(model="mult_vae", **changes):
    """A configuration that trains in seconds."""
    fields = {
        "model": model,
        "data": "generated",
        "protocol": "held-out-users",
        "seed": 5,
        "epochs": 3,
        "batch_size": 100,
        "split_options": {"seed": 5, "held_out": 40},
        "model_options": {"mult_vae": SMALL_VAE, "ease": {"reg": 50.0}}.get(model, {}),
    }
    return RunConfig(**{**fields, **changes})


def read_small():
    """The data of `config_of`."""
    return generate(n_users=400, n_items=80, seed=2)


def read_never():
    """For runs that must not read their data."""
    raise AssertionError("the data were read")
