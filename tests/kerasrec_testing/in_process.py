"""Run as `python -m kerasrec_testing.in_process jax`, `replicas` or `devices`: trains the cases, prints JSON.

A process chooses its backend and its devices once, so the tests start a process for each.
"""

import json
import os
import sys
import tempfile
from unittest import mock


def on_jax() -> dict:
    os.environ["KERAS_BACKEND"] = "jax"
    sys.modules["tensorflow"] = None  # importing it is an error
    import jax
    import numpy as np

    from kerasrec import evaluate
    from kerasrec_testing.models import (
        RUN_IN_PROCESSES,
        TRAINED,
        held_out,
        in_own_block,
        make,
        resumed,
        scores,
        steps_on_a_given_sample,
        table_for,
        train,
    )

    # Compilation takes most of the time of this process: with few optimizations, and once for the models of a case.
    cache = tempfile.TemporaryDirectory()
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_compilation_cache_dir", cache.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    results = {"given sample": [w.tolist() for w in steps_on_a_given_sample()]}
    for case in RUN_IN_PROCESSES:
        part = held_out(table_for(case))
        # Batches of one size: JAX compiles a step for each.
        training = train(make(case, part.inputs), part.inputs, part, batch_size=18, epochs=60)
        model = training.model
        lists = model.recommend(part.inputs, k=3)
        copy = type(model).from_config(model.get_config())
        if not copy.built:
            copy.build()
        copy.set_weights(model.get_weights())
        before = scores(model, part.inputs)
        results[case] = {
            "in own block": float(in_own_block(lists.item_ids, part.inputs.user_ids).mean()),
            "finite": bool(np.isfinite(before).all()),
            "copy equal": bool(np.array_equal(before, scores(copy, part.inputs))),
            "metrics": evaluate(model, part).means,
            "validation": {name: values[-1] for name, values in training.history.items()},
            "weights": [w.tolist() for w in model.get_weights()],
        }
        if case in TRAINED:
            pairs = zip(model.get_weights(), resumed(case, part.inputs, training).get_weights(), strict=True)
            results[case]["resumed equal"] = bool(all(np.array_equal(a, b) for a, b in pairs))
    assert not any(name.split(".")[0] == "tensorflow" and module for name, module in sys.modules.items())
    return results


def on_replicas(cases: str = "") -> dict:
    """How far two replicas differ from one process, for the cases of the tests or for the first of each model."""
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    from kerasrec_testing.models import FIRST_OF_MODEL, N_ITEMS, RUN_IN_PROCESSES, TRAINED, make, table_for

    strategies = (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    # Replicas draw other noise than one process, so the comparison is of models without noise.
    without_noise = {"dropout": 0.0, "noise": 0.0, "item_dropout": 0.0, "negatives": None, "n_sampled": N_ITEMS}
    results = {}
    chosen = FIRST_OF_MODEL if cases == "first" else RUN_IN_PROCESSES
    for case in (case for case in TRAINED if case in chosen):
        table = table_for(case)
        weights = []
        for strategy in strategies:
            with strategy.scope(), mock.patch.object(keras.random, "normal", side_effect=zeros) as code_noise:
                config = make(case, table).get_config()
                model = make(case, table, **{n: v for n, v in without_noise.items() if config.get(n) is not None})
                model.compile("sgd", run_eagerly=strategy is strategies[0])  # cheaper than to trace two steps
                n_rows = table.n_items if model.rows == "items" else table.n_users
                model.fit(table, batch_size=n_rows, epochs=2, verbose=0)
            weights.append([np.asarray(w) for w in model.get_weights()])
        differences = [float(np.abs(a - b).max()) for a, b in zip(*weights, strict=True)]
        results[case] = {"difference": max(differences), "draws a code": code_noise.called}
    return results


def on_devices(cases: str = "") -> dict:
    """The loss and the weights that one device, four devices and a divided catalogue learn, on JAX.

    For the cases of two processes, or for all if asked, also what one device learns from one batch of all rows.
    """
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
    import numpy as np
    from keras import distribution

    from kerasrec_testing.models import FIRST_OF_MODEL, TRAINED

    compile_quickly()
    mesh = distribution.DeviceMesh((2, 2), ("batch", "model"), np.array(distribution.list_devices()).reshape(2, 2))
    results = {}
    for case in (case for case in TRAINED if case in FIRST_OF_MODEL):
        model = noiseless(case)
        layouts = model.layout_map(mesh)
        alone = learned(case, model)
        distribution.set_distribution(distribution.DataParallel())
        parallel = learned(case, noiseless(case))
        distribution.set_distribution(distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch"))
        model = noiseless(case)
        divided = learned(case, model)
        distribution.set_distribution(None)
        one_batch = case in TWO_PROCESSES or cases == "all"
        results[case] = {
            "alone": alone,
            "one batch": learned(case, noiseless(case), batch_size=90) if one_batch else None,
            "DataParallel": parallel,
            "ModelParallel": divided,
            "divided": all(not weight.value.sharding.is_fully_replicated for weight, _ in columns_of(model)),
        }
    return results


def compile_quickly() -> None:
    """Compilation takes most of the time of these processes: with few optimizations."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)


def columns_of(model):
    """The weights with a dimension of the catalogue."""
    return [(weight, axes) for weight, axes in model.weight_axes() if "columns" in axes]


def noiseless(case: str):
    """A model without random draws, which depend on the number of rows, and so on their padding."""
    from kerasrec_testing.models import N_ITEMS, make, table_for

    without_noise = {"dropout": 0.0, "noise": 0.0, "item_dropout": 0.0, "negatives": None, "n_sampled": N_ITEMS}
    config = make(case, table_for(case)).get_config()
    model = make(case, table_for(case), **{n: v for n, v in without_noise.items() if config.get(n) is not None})
    model.compile("sgd")
    return model


def learned(case: str, model, rows: slice = slice(None), batch_size: int = 30) -> dict:
    """The loss, the metrics and a sum over the weights after two epochs of batches that four does not divide."""
    import keras
    import numpy as np

    from kerasrec_testing.models import held_out, table_for

    table = table_for(case)
    part = held_out(table)
    table = table.take_users(np.arange(table.n_users)[rows])
    with mock.patch.object(keras.random, "normal", side_effect=zeros):
        validation = part if case in TWO_PROCESSES else None  # its compilation takes as long as that of training
        history = model.fit(table, batch_size=batch_size, epochs=2, validation_data=validation, verbose=0).history
    history.pop("val_loss", None)  # a mean over rows that are padded
    weights = [np.asarray(weight, np.float64) for weight in model.trainable_variables]
    return {
        **{name: values[-1] for name, values in history.items()},
        "weights": [float((weight * np.cos(np.arange(weight.size)).reshape(weight.shape)).sum()) for weight in weights],
    }


TWO_PROCESSES = ("elsa", "mult_vae", "auto_rec users")
"""Cases for two processes in the tests."""


def on_one_of_two(number: int, address: str, cases: str = "") -> dict:
    """What one of two processes learns, each from every other row; from all cases without weights per user if asked.

    ELSA also learns from a table that both processes have.
    """
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    from keras import distribution

    distribution.initialize(address, 2, number)
    distribution.set_distribution(distribution.DataParallel(auto_shard_dataset=False))
    from kerasrec_testing.models import FIRST_OF_MODEL, TRAINED

    compile_quickly()
    results = {}
    for case in sorted(FIRST_OF_MODEL & set(TRAINED)) if cases == "all" else TWO_PROCESSES:
        model = noiseless(case)
        if model.n_known_rows is None and model.rows == "users":
            results[case] = learned(case, model, slice(number, None, 2), 45)
    if cases != "all":
        results["elsa, whole table"] = learned("elsa", noiseless("elsa"))
    return results


def zeros(shape, dtype=None, seed=None):
    """In place of `keras.random.normal`, so that a variational model draws the mean of its code."""
    import keras

    return keras.ops.zeros(shape, dtype)


if __name__ == "__main__":
    modes = {"jax": on_jax, "replicas": on_replicas, "devices": on_devices}
    mode, *arguments = sys.argv[1:]
    print(json.dumps(modes[mode](*arguments) if mode in modes else on_one_of_two(int(mode), *arguments)))
