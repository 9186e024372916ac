import pytest

from kerasrec.data import HeldOut, HeldOutUsers, LeaveOneOut, generate

TABLE = generate(150, 60, mean_items=12)


def test_a_split_prints_its_protocol_and_sizes():
    split = HeldOutUsers(held_out=20).split(TABLE)
    protocol, train, validation, test = split.describe().splitlines()
    assert protocol == "protocol held-out-users (held_out=20, seed=98765, min_value=4.0, min_items=5, share=0.2)"
    assert train.startswith(f"train {split.train.n_users} users × {split.train.n_items} items, ")
    assert validation.startswith("validation 20 users × ")
    assert test.endswith(f"; {len(split.test.targets)} held out of {split.sizes['test_users']} users")
    assert split.describe() in repr(split)
    assert LeaveOneOut().split(TABLE).describe().startswith("protocol leave-one-out\n")


def test_rows_of_a_held_out_part_are_parallel_to_its_inputs():
    with pytest.raises(
        ValueError, match=r"expected `rows` with 2 entries, one for each row of `inputs`, got shape \(1,\)"
    ):
        HeldOut(TABLE.take_users([0, 1]), rows=[0])


def test_transposed_held_out_rows_are_items():
    test = HeldOutUsers(held_out=20).split(TABLE).test
    assert (test.T.inputs.matrix.toarray() == test.inputs.matrix.toarray().T).all()
    assert (test.T.targets.matrix.toarray() == test.targets.matrix.toarray().T).all()
