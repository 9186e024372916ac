"""Run as `python -m kerasrec_testing.in_process jax` or `… replicas`: trains every case and prints what came of it as JSON.

Backends and replicas are chosen when a process starts, so the tests start one for each.
"""

import json
import os
import sys
import tempfile


def on_jax() -> dict:
    os.environ["KERAS_BACKEND"] = "jax"
    sys.modules["tensorflow"] = None  # importing it is an error
    import jax
    import numpy as np

    from kerasrec import evaluate
    from kerasrec.callbacks import Checkpoints
    from kerasrec_testing.models import (
        CASES,
        SOLVED,
        fitted,
        held_out,
        make,
        scores,
        steps_on_a_given_sample,
        table_for,
    )

    # Compiling is most of what this process does: as lightly as can be, and once for the models of a case.
    cache = tempfile.TemporaryDirectory()
    jax.config.update("jax_disable_most_optimizations", True)
    jax.config.update("jax_compilation_cache_dir", cache.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    found = {"given sample": [w.tolist() for w in steps_on_a_given_sample()]}
    for case in CASES:
        table = table_for(case)
        part = held_out(table)
        model = make(case, part.inputs)
        history = model.fit(part.inputs, batch_size=16, epochs=60, validation_data=part, verbose=0).history
        answer = model.recommend(part.inputs, k=3)
        own = answer.item_ids // 10 % 3 == (table.user_ids % 3)[:, None]
        again = type(model).from_config(model.get_config())
        again.build()
        again.set_weights(model.get_weights())
        result = {
            "own": float(own.mean()),
            "finite": bool(np.isfinite(scores(model, part.inputs)).all()),
            "same": bool(np.array_equal(scores(model, part.inputs), scores(again, part.inputs))),
            "metrics": evaluate(model, part).means,
            "validation": {name: values[-1] for name, values in history.items()},
            "weights": [w.tolist() for w in model.get_weights()],
        }
        if CASES[case][0] not in SOLVED:
            with tempfile.TemporaryDirectory() as folder:
                undisturbed = fitted(case, epochs=3)
                make(case, table).fit(table, batch_size=16, epochs=2, callbacks=Checkpoints(folder), verbose=0)
                resumed = make(case, table)
                done = Checkpoints(folder).restore(resumed)
                resumed.fit(table, batch_size=16, epochs=3, initial_epoch=done, verbose=0)
                pairs = zip(undisturbed.get_weights(), resumed.get_weights(), strict=True)
                result["resumed"] = bool(all(np.array_equal(a, b) for a, b in pairs))
        found[case] = result
    assert not any(name.split(".")[0] == "tensorflow" and module for name, module in sys.modules.items())
    return found


def on_replicas() -> dict:
    import numpy as np
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    from kerasrec_testing.models import CASES, N_ITEMS, SOLVED, make, table_for

    strategies = (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    found = {}
    for case in CASES:
        if CASES[case][0] in SOLVED:
            continue
        table = table_for(case)
        weights = []
        for strategy in strategies:
            with strategy.scope():
                # Replicas draw other noise than one process: what is compared is the maths without it.
                quiet = {"dropout": 0.0, "noise": 0.0, "negatives": None, "n_sampled": N_ITEMS}
                config = make(case, table).get_config()
                model = make(case, table, **{n: v for n, v in quiet.items() if config.get(n) is not None})
                if hasattr(model, "sampling"):
                    model.sampling.call = lambda mean, log_var, training=False: mean
                model.compile("sgd")
                n_rows = table.n_items if model.rows == "items" else table.n_users
                model.fit(table, batch_size=n_rows, epochs=2, verbose=0)
            weights.append([np.asarray(w) for w in model.get_weights()])
        moved = [float(np.abs(a - b).max()) for a, b in zip(*weights, strict=True)]
        found[case] = max(moved)
    return found


if __name__ == "__main__":
    print(json.dumps({"jax": on_jax, "replicas": on_replicas}[sys.argv[1]]()))
