"""Triton lowered for Ascend by triton-ascend, where its own environment was made (docs/ascend.md)."""

from pathlib import Path

import pytest

from akgflow.machine import Machine
from akgflow.terms import Evidence
from akgflow.toolchains import CompileFailure, triton
from akgflow.toolchains.triton import ascend

CANDIDATES = Path(__file__).parent / "candidates"
ONE_GEMM = {"inputs": [[[50, 77]]], "parameters": {"weight": [77, 130], "bias": [130]}, "init": [77, 130]}
ADD = [[[1000], [1000]], [[1000], [1000]]]
ADD_TEXT = (CANDIDATES / "triton_add.py").read_text(encoding="utf-8")
reason = ascend.missing()
there = pytest.mark.skipif(reason is not None, reason=str(reason))


def test_what_is_missing_says_how_to_make_it(monkeypatch, tmp_path, targets):
    monkeypatch.setattr(ascend, "HOME", tmp_path / "env")
    said = triton.missing(Evidence.LOWERED, targets["ascend_910b4"], Machine("a cpu", 2))
    assert f"python3.11 -m venv {tmp_path / 'env'} && " in said
    assert "triton-ascend==3.2.0 pybind11" in said
    assert "never beside triton" in said


@there
def test_autotuned_gemm_is_lowered_in_every_configuration(tmp_path, drive, targets):
    seen = drive("triton", "lowered", "ascend_910b4", "triton_gemm.py", **ONE_GEMM)
    assert seen["kernels"] == ["gemm_kernel"], seen
    assert [(k["kernel"], k["arch"]) for k in seen["resources"]] == [("gemm_kernel", "ascend910b4")] * 2
    assert seen["home"] == []
    first, _ = tmp_path.glob("run*/scratch/artifacts/*/kernel.linalg")
    assert "linalg.matmul" in first.read_text()
    first.write_text("nothing")
    with pytest.raises(CompileFailure, match="nothing was lowered for ascend910b4"):
        triton.resources(targets["ascend_910b4"], first.parents[2])


@there
def test_a_kernel_takes_along_what_it_refers_to(drive):
    helper = """\
OFFSET = tl.constexpr(0)
DTYPE = tl.float32


@triton.jit
def both(x, y):
    return (x + y).to(DTYPE) + OFFSET


@triton.jit"""
    text = ADD_TEXT.replace("@triton.jit", helper, 1).replace("x + y, mask", "both(x, y), mask")
    assert "both(x, y), mask" in text
    seen = drive("triton", "lowered", "ascend_950", text, ADD)
    # The second launch is one that was lowered before.
    assert [kernel["arch"] for kernel in seen["resources"]] == ["ascend950"], seen


@there
def test_compile_errors_are_those_of_triton_ascend(drive):
    text = ADD_TEXT.replace("x + y, mask", "x + nonsense, mask")
    seen = drive("triton", "lowered", "ascend_910b4", text, ADD)
    assert seen["error"] == "CompileFailure"
    assert seen["message"].startswith("kernel add_kernel: ")
    assert "nonsense is not defined" in seen["message"]
