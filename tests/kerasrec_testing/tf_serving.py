"""How the batching session of TF Serving merges requests (`MergeInputTensors`, `AddPadding`, `SplitOutputTensors`)."""

import numpy as np


def merge(requests):
    """The tensors of several requests as one batch, with `pad_variable_length_inputs: true`.

    Each tensor is padded at the end of every dimension but the first, with the first element of the tensor.
    """
    merged = {}
    for name in requests[0]:
        arrays = [request[name] for request in requests]
        shape = np.max([array.shape for array in arrays], axis=0)
        merged[name] = np.concatenate([_padded(array, shape) for array in arrays])
    return merged


def _padded(array, shape):
    missing = [(0, 0), *((0, size - length) for size, length in zip(shape[1:], array.shape[1:], strict=True))]
    if not any(length for _, length in missing):
        return array
    if not array.size:
        raise ValueError("Got empty tensor in batch of non-empty tensors.")
    return np.pad(array, missing, constant_values=array.flat[0])


def split_task(request, first_rows):
    """One request as two, as with `enable_large_batch_splitting`: the first rows and the rest."""
    return [
        {name: a[:first_rows] for name, a in request.items()},
        {name: a[first_rows:] for name, a in request.items()},
    ]


def fill_up(merged, n_rows):
    """A batch of an allowed size: the first row of the last request is repeated. Here every row may be it."""
    first = {name: array[-1:] for name, array in merged.items()}
    n_missing = n_rows - len(next(iter(merged.values())))
    return {name: np.concatenate([array, *([first[name]] * n_missing)]) for name, array in merged.items()}


def split(outputs, n_rows):
    """The outputs of each request."""
    ends = np.cumsum(n_rows)
    return [
        {name: array[end - n : end] for name, array in outputs.items()} for n, end in zip(n_rows, ends, strict=True)
    ]
