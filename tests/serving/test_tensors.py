"""Arrays of requests."""

import numpy as np
import pytest
import tensorflow as tf

from kerasrec.serving.merging import split
from kerasrec.serving.tensors import with_front_padding


@pytest.mark.parametrize("padding", [b"", -1])
def test_a_request_of_one_user_gets_padding_in_front(padding):
    item, dtype = (b"i1", object) if padding == b"" else (7, np.int64)
    request = {
        "history": np.array([[item, padding]], dtype),
        "ratings": np.array([[5, 0]], np.float32),
        "exclude": np.empty((1, 0), dtype),
        "candidates": np.array([[padding, item]], dtype),
        "k": np.array([3], np.int32),
    }
    padded = {name: array.tolist() for name, array in with_front_padding(request).items()}
    assert padded == {
        "history": [[padding, item, padding]],
        "ratings": [[0, 5, 0]],
        "exclude": [[padding]],
        "candidates": [[padding, item]],
        "k": [3],
    }


def test_a_request_of_several_users_stays_as_it_is():
    request = {"history": np.array([[7], [-1]])}
    assert with_front_padding(request) == request


def test_each_example_of_a_merged_run_gets_a_list_of_its_own_k():
    def example(*k):
        feature = {"k": tf.train.Feature(int64_list=tf.train.Int64List(value=k))} if k else {}
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    requests = [{"examples": np.array(rows, object)} for rows in ([example(2)], [example(1), example()], [example(4)])]
    outputs = {"item_ids": np.arange(24).reshape(4, 6), "n_valid": np.arange(4)}
    answers = split(outputs, requests, top_k=3)
    assert [answer["item_ids"].shape for answer in answers] == [(1, 2), (2, 3), (1, 4)]
    assert [answer["n_valid"].tolist() for answer in answers] == [[0], [1, 2], [3]]
