"""Run as `python -m kerasrec_testing.in_process jax` or `… replicas`: trains every case and prints the results as JSON.

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
        CASES,
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
    for case in CASES:
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


def on_replicas() -> dict:
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    from kerasrec_testing.models import N_ITEMS, TRAINED, make, table_for

    strategies = (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    # Replicas draw other noise than one process, so the comparison is of models without noise.
    without_noise = {"dropout": 0.0, "noise": 0.0, "negatives": None, "n_sampled": N_ITEMS}
    results = {}
    for case in TRAINED:
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


def zeros(shape, dtype=None, seed=None):
    """In place of `keras.random.normal`, so that a variational model draws the mean of its code."""
    import keras

    return keras.ops.zeros(shape, dtype)


if __name__ == "__main__":
    print(json.dumps({"jax": on_jax, "replicas": on_replicas}[sys.argv[1]]()))
