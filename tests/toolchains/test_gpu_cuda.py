"""CUDA C++ in both forms on a real device: run with ``pytest -m gpu`` on a machine that has one."""

from pathlib import Path

import pytest

from akgflow.config import load
from akgflow.machine import detect
from akgflow.terms import Evidence
from akgflow.toolchains import cuda_c

pytestmark = pytest.mark.gpu
CANDIDATES = Path(__file__).parent / "candidates"


@pytest.fixture
def cuda(here, targets):
    """The same, where CUDA C++ can be executed there."""
    reason = cuda_c.missing(Evidence.EXECUTED, targets[here], detect())
    if reason is not None:
        pytest.skip(reason)
    return here


def test_softmax_in_cuda_is_executed(drive, cuda):
    seen = drive("cuda_c", "executed", cuda, "cuda_softmax.py", [[[37, 1000]], [[1, 5]]])
    assert max(seen["errors"]) < 1e-6, seen
    assert seen["kernels"] == ["softmax_kernel"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_pairs_in_cuda_are_what_the_cpu_makes_of_them(drive, cuda, dtype):
    """The interpreter rounds as the device does."""
    on_device, on_cpu = (
        drive("cuda_c", evidence, cuda, "cuda_pairs.py", [[[3000], [3000]]], dtype=dtype)
        for evidence in ("executed", "interpreted")
    )
    assert on_device["errors"] == on_cpu["errors"], on_device
    assert on_device["kernels"] == ["pairs_kernel"]


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("bfloat16", 0.2)])
def test_a_load_inline_module_is_executed(drive, cuda, dtype, bound):
    """With PyTorch's real headers: the first one builds for a minute, the second one finds it built."""
    case = {"inputs": [[[5, 300]]], "parameters": {"bias": [5]}, "init": [5], "dtype": dtype}
    seen = drive("cuda_c", "executed", cuda, "cuda_inline.py", **case)
    assert seen.get("kernels") == ["row_sums_kernel"], seen
    assert max(seen["errors"]) < bound


def test_a_launch_that_the_device_refuses_is_an_error(drive, cuda):
    text = (CANDIDATES / "cuda_reverse.py").read_text(encoding="utf-8")
    seen = drive("cuda_c", "executed", cuda, text.replace("<<<rows, 256>>>", "<<<rows, dim3(64, 32)>>>"), [[[4, 256]]])
    assert seen["error"] == "RuntimeError"
    assert seen["message"].startswith("reverse: invalid")


@pytest.mark.parametrize(
    ("task", "inputs", "bound"),
    [
        ("softmax_migrate", [[[3, 20001]], [[4, 4096]]], 5e-6),
        ("attention_migrate", [[[2, 77, 64]] * 3, [[1, 33, 128]] * 3], 5e-5),
    ],
)
def test_shipped_sources_are_executed(drive, cuda, task, inputs, bound):
    loaded = load(str(CANDIDATES.parents[2] / "tasks" / f"{task}.yaml")).task
    module = cuda_c.source_module(loaded.source) + (
        "\n\ndef reference(inputs, parameters):\n    names = {}\n"
        f"    exec({loaded.operator.source!r}, names)\n    return names['Model']()(*inputs)\n"
    )
    seen = drive("cuda_c", "executed", cuda, module, inputs)
    assert max(seen["errors"]) < bound, seen
