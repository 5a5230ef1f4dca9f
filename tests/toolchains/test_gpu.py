"""Sessions on a real device: run with ``pytest -m gpu`` on a machine that has one."""

import pytest

from akgflow.config.types import Target
from akgflow.machine import detect
from akgflow.terms import Evidence
from akgflow.toolchains import cuda_c

pytestmark = pytest.mark.gpu


@pytest.fixture
def here(targets, monkeypatch):
    """The name of a target that is the first device of this machine."""
    device = detect().devices[0]
    arch = "sm_90a" if device.arch == "sm_90" else device.arch
    monkeypatch.setitem(targets, "here", Target("here", device.platform, arch, device=device.name))
    return "here"


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-5), ("bfloat16", 0.13)])
def test_autotuned_gemm_is_executed(drive, here, dtype, bound):
    shapes = {"inputs": [[[50, 77]], [[16, 77]]], "parameters": {"weight": [77, 130], "bias": [130]}, "init": [77, 130]}
    seen = drive("triton", "executed", here, "triton_gemm.py", **shapes, dtype=dtype)
    assert all(error < bound for error in seen["errors"]), seen
    assert seen["kernels"] == ["gemm_kernel"]


def test_softmax_in_cuda_is_executed(drive, here, targets):
    reason = cuda_c.missing(Evidence.EXECUTED, targets[here], detect())
    if reason is not None:
        pytest.skip(reason)
    seen = drive("cuda_c", "executed", here, "cuda_softmax.py", [[[37, 1000]], [[1, 5]]])
    assert max(seen["errors"]) < 1e-6, seen
    assert seen["kernels"] == ["softmax_kernel"]
