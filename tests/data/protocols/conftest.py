import numpy as np
import pytest

from kerasrec.data import Interactions, generate, read


@pytest.fixture(scope="module", params=range(3))
def table(request):
    """150 users and 60 items, some of them rare, with ids that are not positions, and few distinct times."""
    rng = np.random.default_rng(request.param)
    x = generate(150, 60, mean_items=12, seed=request.param)
    return Interactions.from_arrays(
        x.user_ids[x.users] * 11 + 5,
        [f"i{item}" for item in x.item_ids[x.items]],
        x.values,
        rng.integers(0, 6, len(x)),
        {f"i{item}": f"Item {item}" for item in range(1, 61)},
    )


@pytest.fixture(scope="module")
def ml_1m(data_dir):
    return read(data_dir / "ml-1m")
