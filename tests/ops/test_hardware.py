"""Feature detection."""

import keras
import pytest

from kerasrec.ops import hardware


@pytest.fixture(autouse=True)
def uncached():
    yield
    for function in (hardware.has_gpu, hardware.has_fast_bfloat16):
        function.cache_clear()


@pytest.mark.parametrize(
    ("gpu", "flags", "expected"),
    [
        (False, "flags : fma avx2 avx512f", False),
        (False, "flags : avx512f avx512_bf16", True),
        (False, "flags : amx_bf16 amx_tile", True),
        (False, None, False),  # not Linux
        (True, None, True),
    ],
)
def test_bfloat16_is_fast_on_gpus_and_on_cpus_with_instructions_for_it(gpu, flags, expected, monkeypatch, tmp_path):
    pytest.importorskip("tensorflow")
    file = tmp_path / "cpuinfo"
    if flags:
        file.write_text(flags)
    monkeypatch.setattr(hardware, "Path", lambda _: file)
    monkeypatch.setattr(hardware, "has_gpu", lambda: gpu)
    hardware.has_fast_bfloat16.cache_clear()
    assert hardware.has_fast_bfloat16() is expected
    monkeypatch.undo()


@pytest.mark.parametrize(("devices", "expected"), [(["cpu:0"], False), (["cpu:0", "gpu:0"], True), (["cuda:1"], True)])
def test_gpus_of_other_backends(devices, expected, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: devices)
    hardware.has_gpu.cache_clear()
    assert hardware.has_gpu() is expected


def test_in_xla_is_true_only_while_xla_traces():
    tf = pytest.importorskip("tensorflow")
    traced = {}

    for jit_compile in (True, False):

        @tf.function(jit_compile=jit_compile)
        def function(x, jit_compile=jit_compile):
            traced[jit_compile] = hardware.in_xla()
            return x

        function(tf.constant(1.0))
    assert traced == {True: True, False: False}
    assert not hardware.in_xla()


@pytest.mark.parametrize(
    ("container", "available", "expected"),
    [
        ("1000000\n", "9000", 1_000_000),
        ("max\n", "9000", 9000 * 1024),
        ("max\n", None, 4096 * 5_000),
        ("99999999999\n", "99999", 4096 * 5_000),
    ],
)
def test_the_smallest_limit_is_available(container, available, expected, monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text(container)
    (tmp_path / "meminfo").write_text(f"MemTotal: 8 kB\nMemAvailable: {available} kB\n" if available else "")
    monkeypatch.setattr(hardware, "Path", lambda path: tmp_path / path.rpartition("/")[2])
    monkeypatch.setattr(
        hardware.os, "sysconf", {"SC_PHYS_PAGES": 5_000, "SC_PAGE_SIZE": 4096}.__getitem__, raising=False
    )
    assert hardware.available_memory() == expected
