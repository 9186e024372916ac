"""Hardware and backend feature detection."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import keras


@cache
def has_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    if keras.backend.backend() != "tensorflow":
        return any(device.startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


@cache
def has_fast_bfloat16() -> bool:
    """Whether the hardware has instructions for products of bfloat16 numbers, and the backend uses them.

    These are a GPU's tensor cores and, on TensorFlow, a CPU's AVX512-BF16 or AMX. Without them bfloat16 products are
    far slower than float32 products.
    """
    if keras.backend.backend() == "tensorflow" and not has_gpu():
        with suppress(OSError):  # only Linux has this file
            return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
        return False
    return has_gpu()


def in_xla() -> bool:
    """Whether TensorFlow is tracing for XLA, which needs shapes that do not depend on the data."""
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return not tf.executing_eagerly() and GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def available_memory() -> float:
    """Bytes that this process can allocate; infinity if unknown.

    On Linux this is the available memory of the machine, elsewhere all of it; in a container, at most its limit.
    """
    limits = [float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")] if hasattr(os, "sysconf") else []
    with suppress(OSError, StopIteration):  # only Linux has this file
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits.append(1024.0 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))))
    with suppress(OSError, ValueError):  # outside a container, or in one without a limit ("max")
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits, default=float("inf"))
