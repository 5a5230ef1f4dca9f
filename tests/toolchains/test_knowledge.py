"""The examples in the DSL packs' documents are candidates that work."""

import re
from pathlib import Path

import pytest

import akgflow

DSLS = Path(akgflow.__file__).parent / "dsls"
CASE = {"inputs": [[[5, 300]], [[5, 1]]], "parameters": {"gain": [5]}, "init": [5]}
REFERENCE = "\n\ndef reference(inputs, parameters):\n    return inputs[0] * parameters['gain'][:, None]\n"


def example(dsl, document):
    (code,) = re.findall(r"```python\n(.*?)```", (DSLS / dsl / document).read_text(encoding="utf-8"), re.DOTALL)
    return code + REFERENCE


@pytest.mark.parametrize(
    ("dsl", "document", "evidence", "target", "kernel"),
    [
        ("triton", "basics.md", "interpreted", "cpu", "scale_rows_kernel"),
        ("triton", "basics.md", "compiled", "nvidia_h200", "scale_rows_kernel"),
        ("cpp", "basics.md", "executed", "cpu", "scale_rows"),
        ("cuda_c", "basics.md", "interpreted", "cpu", "scale_rows_kernel"),
        ("tilelang", "gpu.md", "compiled", "nvidia_h200", "scale_rows"),
        ("tilelang", "gpu.md", "lowered", "amd_mi300x", "scale_rows"),
        ("tilelang", "cpu.md", "executed", "cpu", "scale_rows"),
        ("tilelang", "ascend.md", "lowered", "ascend_950", "scale_rows"),
    ],
)
def test_examples_work(drive, dsl, document, evidence, target, kernel):
    seen = drive(dsl, evidence, target, example(dsl, document), **CASE)
    assert seen.get("kernels") == [kernel], seen
    assert all(error < 1e-5 for error in seen["errors"])


def test_documents_are_short():
    for path in DSLS.glob("*/*.md"):
        assert len(path.read_text(encoding="utf-8")) < 5500, path
