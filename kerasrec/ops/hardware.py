"""What the machine and the backend are good at, which decides how the same figures are computed fastest."""

from __future__ import annotations

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
def multiplies_bfloat16() -> bool:
    """Whether there are instructions for products of bfloat16 numbers that the backend uses.

    A GPU's tensor cores; and on TensorFlow a processor's AVX512-BF16 or AMX. Elsewhere such products are far slower
    than with float32.
    """
    if keras.backend.backend() == "tensorflow" and not has_gpu():
        with suppress(OSError):  # not a Linux
            return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
        return False
    return has_gpu()


def in_xla() -> bool:
    """Whether TensorFlow is tracing for XLA, which wants shapes that do not depend on the data."""
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return not tf.executing_eagerly() and GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
