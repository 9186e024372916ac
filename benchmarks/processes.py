"""Training by several processes with `keras.distribution` on JAX: loss, memory per process, and resumption.

    python benchmarks/processes.py --folder /tmp/processes
    python benchmarks/processes.py --folder /tmp/processes --model mult_vae --divide rows --processes 1 2

Generates a packed folder, as benchmarks/scale.py does, and trains one model on it by 1, 2 and 4 processes of this
machine. `--divide rows`: each process reads its share of the rows of each batch, and has all weights. `--divide
catalogue`: each process has its share of the weights of the items, and reads all rows. The last line of a table trains
the first epoch by the largest number of processes and the second one by half of them, from the checkpoint. The losses
of all lines are equal up to rounding if the processes divide the rows of every batch. Memory is the highest `RssAnon`
and `RssFile` of any process, read every 0.2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from resident import resident_gigabytes

EPOCHS = 2
HEADER = "| model | divided | processes | loss, epoch 1 | loss, epoch 2 | s per step | RssAnon, GB | RssFile, GB |"


def main() -> None:
    """Reads the command line, and prints the table or trains as one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="packed folder; created if it does not exist")
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--length", type=float, default=60, help="mean number of draws of a user")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--model", choices=["elsa", "mult_vae"], default="elsa")
    parser.add_argument("--latent-dim", type=int, default=128)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--divide", nargs="+", choices=["rows", "catalogue"], default=["rows", "catalogue"])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(train(options, **json.loads(options.child))))
        return
    if not options.folder.exists():
        from scale import generate_packed

        generate_packed(options.folder, options.users, options.items, options.length)
    print(HEADER + "\n|---|---|---|---|---|---|---|---|", flush=True)
    for divide in options.divide:
        for n in options.processes:
            print_row(options, divide, f"{n}", trained_by(n, options, divide))
        most = max(options.processes)
        if most > 1:
            with tempfile.TemporaryDirectory(dir=options.folder.parent) as checkpoints:
                first = trained_by(most, options, divide, checkpoints, stop_after=1)
                second = trained_by(most // 2, options, divide, checkpoints)
            second["losses"] = first["losses"] + second["losses"]
            print_row(options, divide, f"{most}, then {most // 2}", second)


def print_row(options: argparse.Namespace, divide: str, processes: str, result: dict) -> None:
    """Prints a line of the table."""
    losses = " | ".join(f"{loss:.6f}" for loss in result["losses"])
    memory = " | ".join(f"{result[name]:.2f}" for name in ("RssAnon", "RssFile"))
    print(f"| {options.model} | {divide} | {processes} | {losses} | {result['seconds']:.3f} | {memory} |", flush=True)


def trained_by(
    n: int, options: argparse.Namespace, divide: str, checkpoints: str | None = None, stop_after: int = EPOCHS
) -> dict:
    """Trains by n processes; returns the losses and the seconds per step of the first one, and the highest memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    common = ["--folder", options.folder, "--batch-size", options.batch_size, "--model", options.model]
    common += ["--latent-dim", options.latent_dim]
    processes = []
    for number in range(n):
        place = {"number": number, "n": n, "address": address, "divide": divide}
        child = json.dumps({**place, "checkpoints": checkpoints, "stop_after": stop_after})
        command = [sys.executable, __file__, *map(str, common), "--child", child]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": "jax"}
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
    memory = {"RssAnon": 0.0, "RssFile": 0.0}
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes):
                break
            for process in processes:
                for name, size in resident_gigabytes(process.pid).items():
                    memory[name] = max(memory[name], size)
            time.sleep(0.2)
    finally:
        for process in processes:
            process.kill()
    if any(process.returncode for process in processes):
        raise SystemExit("a process failed")
    results = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    return {**results[0], **memory}


def train(
    options: argparse.Namespace,
    number: int,
    n: int,
    address: str,
    divide: str,
    checkpoints: str | None,
    stop_after: int,
) -> dict:
    """Trains as one of n processes; returns the loss of each epoch and the median seconds per step."""
    import jax
    import keras

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if n > 1:
        keras.distribution.initialize(address, n, number)
    import kerasrec
    from kerasrec.callbacks import Checkpoints

    class Steps(keras.callbacks.Callback):
        """Stores the end of each step, and stops after an epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.ends: list[float] = []

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            self.ends.append(time.perf_counter())

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            self.model.stop_training = epoch + 1 >= stop_after

    table = kerasrec.read(options.folder)
    table = table.with_catalogue(table.item_ids[: table.n_items // 4 * 4])  # a number that the processes divide
    settings = {"n_sampled": 1000, "hidden_dims": (options.latent_dim,)} if options.model == "mult_vae" else {}
    settings |= {"latent_dim": options.latent_dim, "seed": 1}
    model_class = kerasrec.ZOO[options.model]
    if divide == "rows":
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    model = model_class.for_interactions(table, EPOCHS, options.batch_size, **settings)
    if divide == "catalogue":
        devices = np.array(keras.distribution.list_devices()).reshape(1, -1)
        mesh = keras.distribution.DeviceMesh(devices.shape, ("batch", "model"), devices)
        layouts = model.layout_map(mesh)
        distribution = keras.distribution.ModelParallel(
            layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
        )
        keras.distribution.set_distribution(distribution)
        model = keras.models.clone_model(model)  # with weights that are divided when they are created
    model.compile()
    steps = Steps()
    callbacks, done = [steps], 0
    if checkpoints is not None:
        stored = Checkpoints(checkpoints)
        callbacks, done = [stored, steps], stored.restore(model)
    fit = {"batch_size": options.batch_size, "epochs": EPOCHS, "initial_epoch": done, "verbose": 0}
    history = model.fit(table, callbacks=callbacks, shuffle="shards", **fit).history
    return {"losses": history["loss"], "seconds": float(np.median(np.diff(steps.ends)[2:]))}


if __name__ == "__main__":
    main()
