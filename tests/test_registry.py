"""What every registered class must do: round trips through Keras' serialisation, dtype policies, sample weights."""

import inspect
import json

import keras
import numpy as np
import pytest
from kerasrec_testing.child_process import ChildProcess
from kerasrec_testing.classes import EXAMPLES
from kerasrec_testing.models import CASES, fitted, make, table_for

from kerasrec import ZOO, Blend, Recommender
from kerasrec._registry import registry

MODELS = {name: cls for name, cls in registry.items() if issubclass(cls, Recommender) and cls is not Blend}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def names_of(kind):
    return [name for name in EXAMPLES if name in registry and issubclass(registry[name], kind)]


LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES = map(
    names_of,
    (
        keras.layers.Layer,
        keras.losses.Loss,
        keras.metrics.Metric,
        keras.optimizers.Optimizer,
        keras.optimizers.schedules.LearningRateSchedule,
    ),
)


def example_of(name, **arguments):
    return registry[name](**{**EXAMPLES[name].arguments, **arguments})


def as_json(thing):
    """The serialised form as text, in which NaN equals NaN."""
    return json.dumps(keras.saving.serialize_keras_object(thing), sort_keys=True)


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


# ---- every class has an example ---------------------------------------------------------------------


def test_every_registered_class_is_tested():
    others = set(registry) - set(MODELS) - {"Blend"}  # a blend consists of other models
    missing = sorted(others - set(EXAMPLES))
    assert not missing, f"add an example of {', '.join(missing)} to EXAMPLES in tests/kerasrec_testing/classes.py"
    unknown = sorted(set(EXAMPLES) - others)
    assert not unknown, f"remove {', '.join(unknown)} from EXAMPLES in tests/kerasrec_testing/classes.py"


def test_every_registered_model_is_in_the_zoo_and_has_a_case():
    missing = sorted(name for name, cls in MODELS.items() if cls not in ZOO.values())
    assert not missing, f"add {', '.join(missing)} to kerasrec/models/zoo.py"
    untested = sorted(set(ZOO) - {name for name, _ in CASES.values()})
    assert not untested, f"add a case for {', '.join(untested)} to CASES in tests/kerasrec_testing/models.py"
    unknown = sorted({name for name, _ in CASES.values()} - set(ZOO))
    assert not unknown, f"no model has the name {', '.join(unknown)}: correct CASES in tests/kerasrec_testing/models.py"


# ---- serialisation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_config_holds_every_argument_and_makes_an_equal_object(name):
    original = example_of(name)
    config = original.get_config()
    for argument, value in EXAMPLES[name].arguments.items():
        assert argument in config, f"{name}.get_config() lacks `{argument}`"
        stored = config[argument]
        assert stored == value or list(stored) == list(value), f"`{argument}` of {name}"
    parameters = inspect.signature(registry[name]).parameters.values()
    arguments = {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    constant = {"activation"} if name in ("Logits", "NextItemLogits", "SampledLogits") else set()  # None is required
    assert arguments - constant <= set(config), f"{name}.get_config() lacks {arguments - constant - set(config)}"
    assert as_json(registry[name].from_config(config)) == as_json(original)
    loaded = keras.saving.deserialize_keras_object(json.loads(as_json(original)))
    assert type(loaded) is registry[name]
    assert as_json(loaded) == as_json(original)


def functional_model(name):
    """A model whose only layer is an example."""
    inputs = keras.tree.map_structure(
        lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name), EXAMPLES[name].inputs
    )
    return keras.Model(inputs, example_of(name)(*inputs))


def compiled_model(name):
    """A model that is compiled with an example."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    kind = "loss" if name in LOSSES else "metrics" if name in METRICS else "optimizer"
    thing = example_of(name)
    thing = keras.optimizers.SGD(thing) if name in SCHEDULES else [thing] if name in METRICS else thing
    model.compile(**{"optimizer": "sgd", "loss": "mse", kind: thing})
    return model


def small_model(name):
    """An untrained model of the zoo, except for models that exist only after `fit`."""
    case = next(case for case, (known_as, _) in CASES.items() if ZOO[known_as] is registry[name])
    return fitted(case) if registry[name].closed_form else make(case, table_for(case))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_keeps_its_weights_in_a_saved_model(name, tmp_path):
    model = functional_model(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs = EXAMPLES[name].inputs
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


LOAD = {
    "keras first": "import keras\nimport kerasrec\n",
    "kerasrec first": "import kerasrec\nimport keras\n",
}
DESCRIBE = """
import json

def answer(request):
    if "model" in request:
        thing = keras.saving.load_model(request["model"])
    else:
        thing = keras.saving.deserialize_keras_object(json.loads(request["config"]))
    return json.dumps(keras.saving.serialize_keras_object(thing), sort_keys=True)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A request to load each registered class, and the serialised form of what was saved."""
    folder = tmp_path_factory.mktemp("saved")
    requests = {}
    for name in registry:
        if name == "Blend":  # `tests/models/test_blend.py` saves and loads it
            continue
        if name not in MODELS and name not in LAYERS + LOSSES + METRICS + OPTIMIZERS + SCHEDULES:
            requests[name] = {"config": as_json(example_of(name))}, as_json(example_of(name))
            continue
        make_model = small_model if name in MODELS else functional_model if name in LAYERS else compiled_model
        model = make_model(name)
        model.save(folder / f"{name}.keras")
        requests[name] = {"model": str(folder / f"{name}.keras")}, as_json(model)
    return requests


@pytest.mark.parametrize("order", LOAD)
def test_load_model_finds_every_registered_class_in_a_new_process(order, saved):
    with ChildProcess(LOAD[order] + DESCRIBE) as child:
        for name, (request, expected) in saved.items():
            assert child.ask(**request) == expected, name


# ---- dtype policies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_finite_under_mixed_precision(name, policy):
    layer = example_of(name)
    output = layer(*EXAMPLES[name].inputs)
    expected = "float32" if EXAMPLES[name].always_float32 else keras.dtype_policies.get(policy).compute_dtype
    assert keras.backend.standardize_dtype(output.dtype) == expected
    assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))).all()
    assert {weight.dtype for weight in layer.trainable_weights} <= {"float32"}


def in_compute_dtype(policy, array):
    return keras.ops.cast(array, keras.dtype_policies.get(policy).compute_dtype)


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_float32_under_mixed_precision(name, policy):
    y_true, y_pred = EXAMPLES[name].inputs
    rounded = keras.tree.map_structure(lambda array: in_compute_dtype(policy, array), y_pred)
    exact = keras.tree.map_structure(lambda array: keras.ops.cast(array, "float32"), rounded)
    loss = example_of(name)(y_true, rounded)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(loss) == pytest.approx(float(example_of(name)(y_true, exact)), rel=1e-6)


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_float32_under_mixed_precision(name, policy):
    y_true, y_pred = EXAMPLES[name].inputs
    metric, exact = example_of(name), example_of(name)
    rounded = in_compute_dtype(policy, y_pred)
    metric.update_state(y_true, rounded)
    exact.update_state(y_true, keras.ops.cast(rounded, "float32"))
    assert keras.backend.standardize_dtype(metric.result().dtype) == "float32"
    assert np.isfinite(float(metric.result()))
    assert float(metric.result()) == float(exact.result())


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_lowers_a_loss_under_mixed_precision(name, policy):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    model.compile(example_of(name), "mse")
    x, y = EXAMPLES["Logits"].inputs[0], np.zeros((6, 3), np.float32)
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


# ---- sample weights ---------------------------------------------------------------------------------

WEIGHTS = np.array([2.0, 1.0, 0.0, 1.0, 0.0, 3.0], np.float32)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_weighs_rows(name):
    y_true, y_pred = EXAMPLES[name].inputs
    rows = np.asarray(example_of(name, reduction="none")(y_true, y_pred))
    assert rows.shape == WEIGHTS.shape
    np.testing.assert_allclose(example_of(name, reduction="none")(y_true, y_pred, WEIGHTS), WEIGHTS * rows, rtol=1e-5)
    assert float(example_of(name)(y_true, y_pred, WEIGHTS)) == pytest.approx((WEIGHTS * rows).mean(), rel=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_weighs_rows_as_if_they_were_repeated(name):
    y_true, y_pred = EXAMPLES[name].inputs
    weighted, repeated = example_of(name), example_of(name)
    weighted.update_state(y_true, y_pred, WEIGHTS)
    repeated.update_state(*(np.repeat(array, WEIGHTS.astype(int), axis=0) for array in (y_true, y_pred)))
    assert float(weighted.result()) == pytest.approx(float(repeated.result()), rel=1e-6)
    unweighted = example_of(name)
    unweighted.update_state(y_true, y_pred)
    assert float(weighted.result()) != pytest.approx(float(unweighted.result()), rel=1e-3)
