"""The examples in the DSL packs' documents are candidates that work."""

import re
from pathlib import Path

import pytest
from sampling import sampled

import akgflow
from akgflow.config import load_workspace

DSLS = Path(akgflow.__file__).parent / "dsls"
CASE = {"inputs": [[[5, 300]], [[5, 1]]], "parameters": {"gain": [5]}, "init": [5]}
REFERENCE = "\n\ndef reference(inputs, parameters):\n    return inputs[0] * parameters['gain'][:, None]\n"


def example(dsl, document):
    (code,) = re.findall(r"```python\n(.*?)```", (DSLS / dsl / document).read_text(encoding="utf-8"), re.DOTALL)
    return code + REFERENCE


EXAMPLES = [
    ("triton", "basics.md", "interpreted", "cpu", "scale_rows_kernel"),
    ("triton", "basics.md", "compiled", "nvidia_h200", "scale_rows_kernel"),
    ("cpp", "basics.md", "executed", "cpu", "scale_rows"),
    ("cuda_c", "basics.md", "interpreted", "cpu", "scale_rows_kernel"),
    ("tilelang", "gpu.md", "compiled", "nvidia_h200", "scale_rows"),
    ("tilelang", "gpu.md", "lowered", "amd_mi300x", "scale_rows"),
    ("tilelang", "cpu.md", "executed", "cpu", "scale_rows"),
    ("tilelang", "ascend.md", "lowered", "ascend_950", "scale_rows"),
]


@pytest.mark.parametrize(("dsl", "document", "evidence", "target", "kernel"), sampled(EXAMPLES, *EXAMPLES[::3]))
def test_examples_work(drive, dsl, document, evidence, target, kernel):
    seen = drive(dsl, evidence, target, example(dsl, document), **CASE)
    assert seen.get("kernels") == [kernel], seen
    assert all(error < 1e-5 for error in seen["errors"])


CHARACTERS_A_TOKEN = 3.5
"""Of such texts, on the side of too many tokens."""
PACKS = load_workspace(None).dsls


@pytest.mark.parametrize("dsl", ["cpp", "cuda_c", "triton"])
@pytest.mark.parametrize(
    "kind", ["gemm", "softmax", "normalization", "reduction", "attention", "elementwise", "conv", "scan"]
)
def test_what_a_first_prompt_quotes_is_there_and_short(dsl, kind):
    pack = PACKS[dsl]
    quoted = pack.always + pack.by_operator[kind]
    assert len(quoted) > 1
    assert sum(map(len, quoted)) / CHARACTERS_A_TOKEN < 2800


@pytest.mark.parametrize("dsl", ["cpp", "cuda_c", "triton"])
def test_what_later_prompts_quote_is_there_and_shorter(dsl):
    for texts in (PACKS[dsl].repair, PACKS[dsl].improve):
        assert 100 < sum(map(len, texts)) / CHARACTERS_A_TOKEN < 400
