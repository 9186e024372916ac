import pytest
from kerasrec_testing.tables import pairs

from kerasrec.data import DataError, RandomRatings


def test_shares_of_the_ratings_are_held_out(table):
    split = RandomRatings(test=0.2, validation=0.25, seed=5).split(table)
    n = len(table)
    assert len(split.test.targets) == round(0.2 * n)
    assert len(split.validation.targets) == round(0.25 * (n - round(0.2 * n)))
    assert pairs(split.train) | pairs(split.validation.targets) | pairs(split.test.targets) == pairs(table)
    assert split.train.shape == table.shape, "users and items without a training rating stay"
    assert split.test.inputs is split.train
    assert split.validation.inputs is split.train
    targets = split.test.targets.matrix.toarray()
    assert (targets[targets > 0] == table.matrix.toarray()[targets > 0]).all()


def test_too_few_ratings_are_an_error(table):
    with pytest.raises(DataError, match=r"random-ratings: expected enough ratings for .*, got \d+\. Fix: raise `test`"):
        RandomRatings(test=1e-9).split(table)
