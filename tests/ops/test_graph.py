"""One TensorFlow graph for batches of any shape."""

import keras
import numpy as np
import pytest

from kerasrec.ops.graph import compile_for_any_shape


class Sums(keras.Model):
    """Row sums of `x`, and of `y` if it is given; counts how often it is traced."""

    def __init__(self):
        super().__init__()
        self.traces = []
        self.built = True

    def call(self, inputs):
        self.traces.append(sorted(inputs))
        return {name: keras.ops.sum(array, axis=1) for name, array in inputs.items()}


def test_batches_of_any_shape_share_a_graph():
    pytest.importorskip("tensorflow")
    model = Sums()
    predict = compile_for_any_shape(model)
    for shape in [(2, 3), (4, 3), (1, 7), (0, 2)]:
        outputs = predict({"x": np.ones(shape, np.float32)})
        assert list(outputs) == ["x"]
        assert isinstance(outputs["x"], np.ndarray)
        np.testing.assert_array_equal(outputs["x"], np.full(shape[0], shape[1]))
    assert model.traces == [["x"]]


def test_another_structure_or_dtype_has_another_graph():
    pytest.importorskip("tensorflow")
    model = Sums()
    predict = compile_for_any_shape(model)
    ones = np.ones((2, 3), np.float32)
    for _ in range(2):
        assert predict({"x": ones, "y": ones})["y"].tolist() == [3.0, 3.0]
        assert predict({"x": ones})["x"].tolist() == [3.0, 3.0]
        assert predict({"x": ones.astype(np.int32)})["x"].dtype == np.int32
    assert len(model.traces) == 3


def test_each_model_has_its_own_graphs():
    ones = np.ones((2, 3), np.float32)
    models = Sums(), Sums()
    for model in models:
        compile_for_any_shape(model)({"x": ones})
    assert all(model.traces for model in models)
