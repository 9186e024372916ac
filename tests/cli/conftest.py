import pytest

from kerasrec import generate
from kerasrec.runs import RunConfig, train


@pytest.fixture(scope="session")
def table():
    """The data of `runs`."""
    return generate(n_users=300, n_items=60, seed=2)


@pytest.fixture(scope="session")
def runs(tmp_path_factory, table):
    """A folder with a finished run of each kind of model."""
    folder = tmp_path_factory.mktemp("runs")
    for name, model, protocol, options in (
        ("ease", "ease", "held-out-users", {"reg": 20.0}),
        ("nodes", "cdae", "own-items", {"latent_dim": 8}),
        ("users", "auto_rec", "random-ratings", {"hidden_dims": (8,), "rows": "users"}),
        ("items", "auto_rec", "random-ratings", {"hidden_dims": (8,), "rows": "items"}),
    ):
        split_options = {"held_out": 30} if protocol == "held-out-users" else {}
        config = RunConfig(model, "generated", protocol, 1, 2, 50, split_options, options)
        train(config, lambda: table, folder / name)
    return folder
