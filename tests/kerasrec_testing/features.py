"""Runs every model with every feature of Keras and writes the table of docs/features.md.

    python -m kerasrec_testing.features

A cell is "yes" if the combination trains to a finite loss and passes the check of its feature, or the number of a note.
Any other result ends the script with an error. It takes about ten minutes of CPU time.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

NOTES = [
    "The solution is computed at once on the host, so there is no optimizer, gradient or step.",
    "The model has weights or side information per user, or stores the histories of the training users. A preset "
    "contains no user data, so `save_to_preset` raises an error.",
    "The model has weights or side information per user, so the users cannot be divided among processes.",
]
CLOSED_FORM, USER_DATA, USER_WEIGHTS = 1, 2, 3


def trained(
    case: str, optimizer: object = "sgd", callbacks: tuple = (), epochs: int = 1, **compile_arguments
) -> object:
    """A small model after `fit` with validation, which must have a finite loss."""
    import numpy as np

    from kerasrec_testing.models import held_out, make, table_for

    model = make(case, table_for(case))
    if not model.closed_form:
        model.compile(optimizer, **compile_arguments)
    arguments = {"validation_data": held_out(table_for(case)), "callbacks": list(callbacks), "verbose": 0}
    history = model.fit(table_for(case), batch_size=45, epochs=epochs, **arguments).history
    assert all(np.isfinite(values).all() for values in history.values()), history
    return model


def callbacks(case: str) -> None:
    import keras

    with tempfile.TemporaryDirectory() as folder:
        watch = trained(case).monitor
        stop = keras.callbacks.EarlyStopping(watch, patience=1, restore_best_weights=True)
        used = (
            stop,
            keras.callbacks.ModelCheckpoint(
                f"{folder}/best.weights.h5", watch, save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.CSVLogger(f"{folder}/log.csv"),
            keras.callbacks.TerminateOnNaN(),
        )
        model = trained(case, callbacks=used, epochs=2)
        model.load_weights(f"{folder}/best.weights.h5")
        assert Path(f"{folder}/log.csv").read_text()


def optimizer_with(**arguments: object) -> Callable[[str], None]:
    def run(case: str) -> None:
        import keras

        trained(case, keras.optimizers.Adam(0.01, **arguments), epochs=2)

    return run


def policy(name: str) -> Callable[[str], None]:
    def run(case: str) -> None:
        import keras

        keras.mixed_precision.set_global_policy(name)
        try:
            trained(case)
        finally:
            keras.mixed_precision.set_global_policy("float32")

    return run


def jit(case: str) -> None:
    trained(case, jit_compile=True)


def clone(case: str) -> None:
    import keras

    from kerasrec_testing.models import table_for

    model = trained(case)
    copy = keras.models.clone_model(model)
    if not copy.built:
        copy.build()
    copy.set_weights(model.get_weights())
    same_scores(model, copy, table_for(case))


def save(case: str) -> None:
    import keras

    from kerasrec_testing.models import table_for

    model = trained(case)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        same_scores(model, keras.saving.load_model(f"{folder}/model.keras"), table_for(case))


def preset(case: str) -> None:
    from kerasrec_testing.models import table_for

    model = trained(case)
    with tempfile.TemporaryDirectory() as folder:
        path = model.save_to_preset(f"{folder}/preset", table_for(case))
        same_scores(model, type(model).from_preset(path), table_for(case))


def same_scores(model, other, table) -> None:
    import numpy as np

    batch, *_ = model.batches(table)[0]
    np.testing.assert_allclose(np.array(other(batch)), np.array(model(batch)), atol=1e-6)


HERE = {
    "callbacks": callbacks,
    "clipping": optimizer_with(clipnorm=1.0),
    "gradient accumulation": optimizer_with(gradient_accumulation_steps=2),
    "EMA": optimizer_with(use_ema=True),
    "mixed_bfloat16": policy("mixed_bfloat16"),
    "mixed_float16": policy("mixed_float16"),
    "jit_compile": jit,
    "clone_model": clone,
    "save": save,
    "preset": preset,
}
ELSEWHERE = ("MirroredStrategy", "DataParallel", "ModelParallel", "two processes")
OF_AN_OPTIMIZER = {"clipping", "gradient accumulation", "EMA", "jit_compile", *ELSEWHERE}


def cases() -> dict[str, str]:
    """Name of each model → its case."""
    from kerasrec import ZOO
    from kerasrec_testing.models import CASES, FIRST_OF_MODEL

    return {ZOO[name].__name__: case for case, (name, _) in CASES.items() if case in FIRST_OF_MODEL}


def note_of(case: str, feature: str) -> int | None:
    """The number of the note for a combination that does not apply."""
    from kerasrec_testing.models import make, table_for

    model = make(case, table_for(case))
    has_users = model.n_known_rows is not None or model.rows == "items"
    if model.closed_form and feature in OF_AN_OPTIMIZER:
        return CLOSED_FORM
    if feature == "preset" and (has_users or model.stores_histories):
        return USER_DATA
    return USER_WEIGHTS if feature == "two processes" and has_users else None


def in_process(*arguments: str) -> subprocess.Popen:
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    command = [sys.executable, "-m", "kerasrec_testing.in_process", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def answer(process: subprocess.Popen) -> dict:
    stdout, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(stdout.splitlines()[-1])


def equal(result: dict, expected: dict) -> bool:
    import numpy as np

    return all(np.allclose(result[name], value, atol=1e-5, rtol=1e-5) for name, value in expected.items())


def distributed_results() -> dict[str, dict[str, bool]]:
    """Feature → case → whether it learns what one device learns."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    replicas, devices = answer(in_process("replicas", "first")), answer(in_process("devices", "all"))
    processes = [answer(process) for process in [in_process(number, address, "all") for number in "01"]]
    return {
        "MirroredStrategy": {case: replicas[case]["difference"] < 1e-5 for case in replicas},
        **{
            kind: {case: equal(devices[case][kind], devices[case]["alone"]) for case in devices}
            for kind in ("DataParallel", "ModelParallel")
        },
        "two processes": {case: equal(processes[0][case], devices[case]["one batch"]) for case in processes[0]},
    }


def main() -> None:
    """Runs all combinations, and writes the page if each has the expected result."""
    from tqdm import tqdm

    os.environ["KERASREC_PRECISION"] = "float32"  # as in the tests: bfloat16 products would differ between devices
    distributed = distributed_results()
    failures = []
    for model, case in tqdm(sorted(cases().items()), unit="model"):
        for feature in [*HERE, *ELSEWHERE]:
            try:
                if note_of(case, feature) is not None:
                    continue
                if feature in HERE:
                    HERE[feature](case)
                else:
                    assert distributed[feature][case], "another loss than on one device"
            except Exception as error:  # every failure is listed at the end
                failures.append(f"{model}, {feature}: {type(error).__name__}: {error}")
    if failures:
        sys.exit("\n".join(failures))
    write_page(cases())


def write_page(models: dict[str, str]) -> None:
    """Writes the table, in which each combination that applies is a "yes"."""
    features = [*HERE, *ELSEWHERE]
    rows = []
    for model, case in sorted(models.items()):
        notes = [note_of(case, feature) for feature in features]
        rows.append(f"| {model} | {' | '.join('yes' if note is None else f'[{note}](#notes)' for note in notes)} |")
    page = [
        "# Keras features by model",
        "",
        "`tests/kerasrec_testing/features.py` ran each combination on small data on a CPU and wrote this table. A "
        '"yes" means that the model trained to a finite loss and the check of the feature passed. In the last four '
        "columns, models without random draws are compared with a single device: the weights for `MirroredStrategy` "
        "(TensorFlow), the weights and the loss for the others (JAX).",
        "",
        f"| model | {' | '.join(features)} |",
        "|---" * (len(features) + 1) + "|",
        *rows,
        "",
        "## Notes",
        "",
        *(f"{number}. {note}" for number, note in enumerate(NOTES, 1)),
    ]
    (ROOT / "docs" / "features.md").write_text("\n".join(page) + "\n")


if __name__ == "__main__":
    main()
