"""The arrays of several requests as one batch, and its outputs as the answers of the requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from kerasrec.serving.tensors import PADDING
from kerasrec.types import Array

Outputs = dict[str, Array]

MISSING_SCORE = float(np.finfo(np.float32).min)
"""The score of a place without an item."""


def n_rows(inputs: Mapping[str, Array]) -> int:
    """The number of users of a request."""
    return max(map(len, inputs.values()), default=0)


def width(inputs: Mapping[str, Array]) -> int:
    """The number of ids in the longest row of a request; for serialised examples an upper bound."""
    if "examples" in inputs:
        return max(map(len, inputs["examples"]), default=1)
    return max((array.shape[1] for array in inputs.values() if array.ndim > 1), default=1)


def merge(requests: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The inputs of several requests as one; rows of different lengths are padded at the end."""
    if len(requests) == 1:
        return dict(requests[0])
    return {name: np.concatenate(_same_width([inputs[name] for inputs in requests], 0)) for name in requests[0]}


def split(outputs: Outputs, requests: Sequence[Mapping[str, Array]], top_k: int = 0) -> list[Outputs]:
    """The outputs of each request of a merged run: its own rows, as wide as its own largest k.

    Args:
        outputs: what the graph returned for all requests.
        requests: the inputs of each request.
        top_k: the k of an example that does not contain it.
    """
    if len(requests) == 1:
        return [outputs]
    results, start = [], 0
    for inputs in requests:
        rows = slice(start, start + n_rows(inputs))
        start = rows.stop
        columns = slice(largest_k(inputs, top_k))
        results.append(
            {name: array[rows, columns] if array.ndim > 1 else array[rows] for name, array in outputs.items()}
        )
    return results


def parts(inputs: Mapping[str, Array], max_rows: int) -> list[Mapping[str, Array]]:
    """A request as several, of at most `max_rows` users each."""
    starts = range(0, n_rows(inputs), max_rows)
    return [{name: array[start : start + max_rows] for name, array in inputs.items()} for start in starts]


def joined(answers: Sequence[Outputs]) -> Outputs:
    """The answers to the parts of a request as one. Lists are as wide as the longest."""
    return {
        name: np.concatenate(_same_width([answer[name] for answer in answers], MISSING_SCORE)) for name in answers[0]
    }


def largest_k(inputs: Mapping[str, Array], top_k: int) -> int | None:
    """The width of the answer to a request that is not merged; None if it does not depend on the request."""
    if "k" in inputs:
        return int(inputs["k"].max(initial=1))
    if "examples" in inputs:
        features = (tf.train.Example.FromString(example).features.feature for example in inputs["examples"])
        values = (f["k"].int64_list.value if "k" in f else () for f in features)
        return max((value[0] if value else top_k for value in values), default=1)
    return None


def _same_width(arrays: list[Array], number_padding: float) -> list[Array]:
    """The arrays, padded at the end: ids with "" or -1, numbers with `number_padding`."""
    if arrays[0].ndim < 2:
        return arrays
    longest = max(array.shape[1] for array in arrays)
    padding = PADDING.get(arrays[0].dtype.kind, number_padding)
    return [
        a if a.shape[1] == longest else np.pad(a, [(0, 0), (0, longest - a.shape[1])], constant_values=padding)
        for a in arrays
    ]
