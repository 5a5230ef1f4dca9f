"""Habits of published Triton code, interpreted and compiled: what is right is right, what is wrong is named."""

import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch
import triton_idioms
from triton_idioms import FAULTY, HONEST

from akgflow.base.serial import to_data
from akgflow.config.types import Target
from akgflow.toolchains.base import CompileFailure, Unsupported
from akgflow.toolchains.common import faults
from akgflow.toolchains.triton.interpreter import fp8
from akgflow.toolchains.triton.interpreter.memory import Memory
from akgflow.toolchains.triton.interpreter.races import Conflict, Watch

TRITON = tuple(int(part) for part in version("triton").split(".")[:2])
HERE = [name for name, one in HONEST.items() if one.triton[0] <= TRITON < one.triton[1]]
PLACES = {"cpu": "interpreted", "nvidia_h200": "compiled"}
TARGETS = {
    "cpu": Target("cpu", "cpu", "native"),
    "nvidia_h200": Target("nvidia_h200", "cuda", "sm_90a", facts={"smem_kib": 227, "sms": 132}),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """``found(target)[name]``: what became of a kernel, all of them in one session of a process of its own."""
    known = {}

    def run(place):
        if place not in known:
            folder = tmp_path_factory.mktemp(place)
            target = json.dumps(to_data(TARGETS[place]))
            names = [*HERE, *FAULTY]
            command = [sys.executable, triton_idioms.__file__, PLACES[place], target, folder, folder / "seen", *names]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900)
            assert done.returncode == 0, done.stderr[-3000:]
            known[place] = json.loads((folder / "seen").read_text())
        return known[place]

    return run


@pytest.mark.thorough
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", HERE)
def test_what_is_right_is_taken(found, name, place):
    worst, kernels = found(place)[name]
    assert not isinstance(worst, str), (worst, kernels)
    assert worst <= HONEST[name].tolerance
    assert kernels


@pytest.mark.thorough
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named(found, name, place):
    kind, words = found(place)[name]
    wanted = FAULTY[name].interpreted if place == "cpu" else FAULTY[name].compiled
    if wanted is None:
        assert not isinstance(kind, str), (kind, words)
    else:
        assert kind == wanted[0], words
        assert wanted[1] in words


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("fp8e5", torch.float8_e5m2), ("fp8e4nv", torch.float8_e4m3fn), ("fp8e4b8", torch.float8_e4m3fnuz)],
)
def test_eight_bits_are_those_of_pytorch(name, dtype):
    codes = torch.arange(256, dtype=torch.uint8)
    assert np.array_equal(fp8.decoded(codes.numpy(), name), codes.view(dtype).float().numpy(), equal_nan=True)
    largest = float(torch.finfo(dtype).max)
    # Numbers between two codes, exactly between them, and below the smallest; what overflows is another matter.
    numbers = torch.cat([torch.randn(4000) * scale for scale in (1e-3, 1.0, 50.0)]).clamp(-largest, largest)
    values = torch.tensor(fp8.values(name))
    ladder = values[torch.isfinite(values)].sort().values
    numbers = torch.cat([numbers, ladder, (ladder[1:] + ladder[:-1]) / 2])
    assert np.array_equal(fp8.encoded(numbers.numpy(), name), numbers.to(dtype).view(torch.uint8).numpy())
    assert fp8.decoded(fp8.encoded(np.array([1e9, -1e9]), name), name).tolist() == [largest, -largest]


def test_each_storage_has_addresses_of_its_own():
    data = np.zeros(16, dtype=np.float32)
    memory = Memory()
    first = memory.virtual(data.ctypes.data, data.ctypes.data, 32)
    second = memory.virtual(data.ctypes.data + 32, data.ctypes.data + 32, 32)
    # Neighbours in memory are far apart for a kernel, and keep their alignment.
    assert second - first > 1 << 40
    assert first % 4096 == data.ctypes.data % 4096
    spot = memory.locate(np.array([first + 28]), np.array([True]), 4, "reads")
    assert spot.real.tolist() == [data.ctypes.data + 28]
    with pytest.raises(RuntimeError, match="past the end"):
        memory.locate(np.array([first + 32]), np.array([True]), 4, "reads")
    memory.locate(np.array([first + 32]), np.array([False]), 4, "reads")


def accesses(watch, memory, base, script):
    """Plays ``(program, what, element)`` steps."""
    for program, what, element in script:
        if what == "begin":
            watch.begin(program)
            continue
        spot = memory.locate(np.array([base + 4 * element]), np.array([True]), 4, "touches")
        if what == "sync":
            watch.synchronise(int(spot.real.item()), True, True)
            watch.updates(spot, 4)
        elif what == "read":
            watch.reads(spot, 4)
        else:
            watch.writes(spot, 4, np.array([True]))


@pytest.mark.parametrize(
    ("script", "race"),
    [
        ([(0, "begin", 0), (0, "write", 1), (1, "begin", 0), (1, "write", 2)], False),
        ([(0, "begin", 0), (0, "write", 1), (1, "begin", 0), (1, "write", 1)], True),
        ([(0, "begin", 0), (0, "write", 1), (1, "begin", 0), (1, "read", 1)], True),
        ([(0, "begin", 0), (0, "read", 1), (1, "begin", 0), (1, "write", 1)], True),
        ([(0, "begin", 0), (0, "read", 1), (1, "begin", 0), (1, "read", 1), (1, "write", 1)], True),
        # What came before an atomic operation on one number comes before what follows the next one there.
        ([(0, "begin", 0), (0, "write", 1), (0, "sync", 9), (1, "begin", 0), (1, "sync", 9), (1, "read", 1)], False),
        ([(0, "begin", 0), (0, "write", 1), (0, "sync", 9), (1, "begin", 0), (1, "sync", 8), (1, "read", 1)], True),
        ([(0, "begin", 0), (0, "sync", 9), (0, "write", 1), (1, "begin", 0), (1, "sync", 9), (1, "read", 1)], True),
        ([(0, "begin", 0), (0, "sync", 9), (1, "begin", 0), (1, "read", 9)], True),
    ],
)
def test_programs_race_where_nothing_orders_them(script, race):
    data = np.zeros(16, dtype=np.int32)
    memory, watch = Memory(), Watch(2, atomics=True)
    base = memory.virtual(data.ctypes.data, data.ctypes.data, data.nbytes)
    if race:
        with pytest.raises(Conflict):
            accesses(watch, memory, base, script)
    else:
        accesses(watch, memory, base, script)


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (ValueError("bad shape"), True),
        (AssertionError("x must be on CUDA"), True),
        (CompileFailure("kernel k: nonsense is not defined"), True),
        (Unsupported("inline assembly cannot be interpreted"), False),
        (AssertionError("Torch not compiled with CUDA enabled"), False),
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Float8_e4m3fn'"), False),
        (RuntimeError("Found no NVIDIA driver on your system."), False),
    ],
)
def test_a_stand_in_answers_for_what_it_cannot_do(error, own):
    assert (faults.of_the_stand_in(error) is None) is own


def test_every_rule_says_whose_fault_it_is():
    assert {rule.where for rule in faults.RULES} == set(faults.StandIn)
    assert all(rule.whose is faults.Whose.STAND_IN for rule in faults.RULES if rule.words)
