"""The examples in the DSL packs' documents are candidates that work."""

import re
from pathlib import Path

import pytest

import akgflow

DSLS = Path(akgflow.__file__).parent / "dsls"
CASE = {"inputs": [[[5, 300]], [[5, 1]]], "parameters": {"gain": [5]}, "init": [5]}
REFERENCE = "\n\ndef reference(inputs, parameters):\n    return inputs[0] * parameters['gain'][:, None]\n"


def example(dsl):
    (code,) = re.findall(r"```python\n(.*?)```", (DSLS / dsl / "basics.md").read_text(encoding="utf-8"), re.DOTALL)
    return code + REFERENCE


@pytest.mark.parametrize(
    ("dsl", "evidence", "target", "kernel"),
    [
        ("triton", "interpreted", "cpu", "scale_rows_kernel"),
        ("triton", "compiled", "nvidia_h200", "scale_rows_kernel"),
        ("cpp", "executed", "cpu", "scale_rows"),
        ("cuda_c", "interpreted", "cpu", "scale_rows_kernel"),
    ],
)
def test_examples_work(drive, dsl, evidence, target, kernel):
    seen = drive(dsl, evidence, target, example(dsl), **CASE)
    assert seen.get("kernels") == [kernel], seen
    assert all(error < 1e-5 for error in seen["errors"])


def test_documents_are_short():
    for path in DSLS.glob("*/*.md"):
        assert len(path.read_text(encoding="utf-8")) < 5500, path
