"""No documented request form changes its answer when TF Serving merges it with others.

KERASREC_MERGES sets the number of random batches, over all models (default 400).
"""

import os

import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing import tf_serving
from kerasrec_testing.exports import N_ITEMS, fitted, interactions, loaded, with_front_padding

from kerasrec.saved_model import export_saved_model

CASES = ("ease", "auto_rec users", "auto_rec items", "cdae", "svae")
N_BATCHES = int(os.environ.get("KERASREC_MERGES", "400"))
TOP_K = 8


@pytest.fixture(scope="module", params=CASES)
def export(request, tmp_path_factory):
    """The table and the loaded signatures of a model; item ids are strings for every second one."""
    table = interactions(text=CASES.index(request.param) % 2 == 1)
    version = export_saved_model(fitted(request.param, table), tmp_path_factory.mktemp("merged"), table, top_k=TOP_K)
    return table, loaded(version).signatures


def random_ids(rng, table, longest):
    """Item ids, some of them repeated or unknown."""
    unknown = "?" if table.item_ids.dtype.kind == "U" else 10**9
    ids = rng.choice(table.item_ids, rng.integers(longest + 1)).tolist()
    return [unknown if rng.random() < 0.05 else item for item in ids]


def random_rows(rng, table, n_rows):
    """The questions of several users, as Python values."""
    unknown_user = "?" if table.user_ids.dtype.kind == "U" else 10**9
    rows = []
    for _ in range(n_rows):
        history = random_ids(rng, table, 12)
        rows.append(
            {
                "history": history,
                "ratings": rng.integers(1, 6, len(history)).astype(float).tolist(),
                "user_id": unknown_user if rng.random() < 0.1 else rng.choice(table.user_ids).item(),
                "k": int(rng.integers(1, N_ITEMS + 1)),
                "exclude": random_ids(rng, table, 5),
                "candidates": random_ids(rng, table, 9) if rng.random() < 0.5 else [],
                "seed": int(rng.integers(100)),
                "item_ids": rng.choice(table.item_ids).item(),
            }
        )
    return rows


def as_tensors(rng, rows, specs):
    """The padded form: each row starts with padding. More padding may follow, before, between and after the items."""
    tensors = {}
    for name, spec in specs.items():
        dtype = spec.dtype.as_numpy_dtype
        if spec.shape.rank == 1:
            tensors[name] = np.array([row[name] for row in rows], dtype)
            continue
        if name == "ratings":
            continue
        padding = "" if spec.dtype == tf.string else -1
        width = max(len(row[name]) for row in rows) + int(rng.integers(3))
        ids = np.full((len(rows), width), padding, dtype)
        ratings = np.zeros((len(rows), width), np.float32)
        for number, row in enumerate(rows):
            places = np.sort(rng.choice(width, len(row[name]), replace=False))
            ids[number, places] = row[name]
            ratings[number, places] = row["ratings"] if name == "history" else 0
        tensors[name] = ids
        if name == "history" and "ratings" in specs:
            tensors["ratings"] = ratings
    return with_front_padding(tensors)


def as_examples(rng, rows, specs):
    """The form of `examples`; features with a default are left out at random."""
    serialized = []
    for row in rows:
        feature = {}
        for name, spec in specs.items():
            values = row[name] if isinstance(row[name], list) else [row[name]]
            if name == "k" and rng.random() < 0.3 or not values:
                continue
            if spec.dtype == tf.string:
                feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in values]))
            elif spec.dtype == tf.float32:
                feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
            else:
                feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        serialized.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return {"examples": np.array(serialized, object)}


def run(function, inputs):
    specs = function.structured_input_signature[1]
    outputs = function(**{name: tf.constant(array, specs[name].dtype) for name, array in inputs.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def assert_same_answer(merged, separate):
    """Equal up to the rounding of other batch sizes and to the padding at the end of the lists."""
    for name, expected in separate.items():
        answer = merged[name]
        if name in ("item_ids", "scores", "top_k_scores") and expected.shape[1] != answer.shape[1]:
            assert answer.shape[1] > expected.shape[1]
            answer = answer[:, : expected.shape[1]]
        if name == "item_ids":
            differs = answer != expected
            scores = separate["top_k_scores" if "top_k_scores" in separate else "scores"]
            for row, place in zip(*np.nonzero(differs), strict=True):  # only items of equal score may change places
                is_tied = np.isclose(scores[row], scores[row, place], rtol=1e-4, atol=1e-5)
                assert is_tied.sum() > 1, (answer[row], expected[row], scores[row])
        elif answer.dtype.kind == "f":
            assert np.isfinite(answer).all()
            np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(answer, expected, err_msg=name)


def random_request(rng, table, signatures, name):
    """A request of one to three users to a signature, in its documented form."""
    rows = random_rows(rng, table, int(rng.integers(1, 4)))
    if name == "examples":
        return as_examples(rng, rows, signatures["recommend"].structured_input_signature[1])
    return as_tensors(rng, rows, signatures[name].structured_input_signature[1])


def test_a_merged_request_gets_its_separate_answer(export):
    """Random combinations of random requests; also split and filled up, as TF Serving does with some options."""
    table, signatures = export
    rng = np.random.default_rng(5)
    n_batches = N_BATCHES // len(CASES) // len(signatures)
    for name, function in signatures.items():
        requests = [random_request(rng, table, signatures, name) for _ in range(max(20, n_batches // 20))]
        separate = [run(function, request) for request in requests]
        for _ in range(n_batches):
            chosen = rng.integers(0, len(requests), rng.integers(2, 6))
            tasks = [requests[number] for number in chosen]
            n_rows = [len(next(iter(task.values()))) for task in tasks]
            if n_rows[-1] > 1 and rng.random() < 0.3:
                tasks[-1:] = tf_serving.split_task(tasks[-1], int(rng.integers(1, n_rows[-1])))
            merged = tf_serving.merge(tasks)
            if rng.random() < 0.3:
                merged = tf_serving.fill_up(merged, sum(n_rows) + 2)
            answers = tf_serving.split(run(function, merged), n_rows)
            for answer, number in zip(answers, chosen, strict=True):
                assert_same_answer(answer, separate[number])


def test_a_request_without_padding_in_front_is_rejected_alone_and_merged(export):
    table, signatures = export
    function = signatures["recommend"]
    specs = function.structured_input_signature[1]
    rng = np.random.default_rng(6)
    valid = as_tensors(rng, random_rows(rng, table, 2), specs)
    for name in {"history", "exclude", "candidates"} & valid.keys():
        invalid = {**valid, name: valid[name].copy()}
        invalid[name][1, 0] = table.item_ids[0]
        for inputs in (invalid, tf_serving.merge([valid, invalid, as_tensors(rng, random_rows(rng, table, 3), specs)])):
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"each row of `{name}` must start with padding"):
                run(function, inputs)
        empty = {**valid, name: valid[name][:, :0]}
        if name == "history" and "ratings" in valid:
            empty["ratings"] = valid["ratings"][:, :0]
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"each row of `{name}` must start with padding"):
            run(function, empty)


def test_an_example_gets_the_answer_of_the_padded_form(export):
    table, signatures = export
    rng = np.random.default_rng(7)
    specs = signatures["recommend"].structured_input_signature[1]
    for _ in range(5):
        rows = [{**row, "k": TOP_K} for row in random_rows(rng, table, 4)]
        answer = run(signatures["examples"], as_examples(rng, rows, specs))
        assert_same_answer(answer, run(signatures["recommend"], as_tensors(rng, rows, specs)))


def test_an_example_without_features_is_an_unknown_user_without_history(export):
    _, signatures = export
    answer = run(signatures["examples"], {"examples": np.array([tf.train.Example().SerializeToString()], object)})
    assert answer["item_ids"].shape == (1, TOP_K)
    assert (answer["n_known"].tolist(), answer["n_valid"].tolist()) == ([0], [TOP_K])


def test_an_example_with_other_numbers_of_ratings_and_items_is_rejected(export):
    _, signatures = export
    if "ratings" not in signatures["recommend"].structured_input_signature[1]:
        pytest.skip("the model has no ratings")
    feature = {"ratings": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))}
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    with pytest.raises(tf.errors.InvalidArgumentError, match="`ratings` must have as many values as `history`"):
        run(signatures["examples"], {"examples": np.array([example], object)})
