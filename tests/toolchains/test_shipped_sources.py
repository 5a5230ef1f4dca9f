"""The shipped migration tasks: their source kernels, and good candidates for them, are right at further shapes too."""

from pathlib import Path

import pytest
from sampling import sampled

from akgflow import toolchains
from akgflow.config import load

ROOT = Path(__file__).parents[2]
FLOAT32 = 5e-6
REFERENCE = """

def reference(inputs, parameters):
    import torch
    names = {"__name__": "operator"}
    exec(OPERATOR, names)
    model = names["Model"](*INIT).double()
    model.load_state_dict(parameters)
    with torch.no_grad():
        return model(*inputs)
"""


MIGRATED = Path(__file__).parent / "candidates" / "migrated"


def module_of(task, init=(), text=None):
    source = task.source
    text = text or toolchains.get(source.dsl).source_module(source)
    return f"{text}\nOPERATOR = {task.operator.source!r}\nINIT = {list(init)!r}\n{REFERENCE}"


def gemm(m, n, k):
    return {"inputs": [[[m, k]]], "parameters": {"weight": [k, n], "bias": [n]}, "init": [k, n]}


def layernorm(cols, *rows):
    return {"inputs": [[[r, cols]] for r in rows], "parameters": {"weight": [cols], "bias": [cols]}, "init": [cols]}


def attention(*shapes):
    return {"inputs": [[list(shape)] * 3 for shape in shapes]}


SOURCES = [
    ("softmax_migrate", {"inputs": [[[1, 1]], [[2, 11264]], [[2, 11266]], [[7, 1023]], [[3, 3]]]}, FLOAT32),
    ("layernorm_migrate", layernorm(1025, 1, 3), FLOAT32 * 4),
    ("layernorm_migrate", layernorm(1024, 9), FLOAT32 * 4),
    ("layernorm_migrate", layernorm(1, 5), FLOAT32),
    ("attention_migrate", attention((1, 1, 32), (2, 31, 64), (1, 65, 128), (3, 32, 32)), FLOAT32),
    ("triton_to_cuda", gemm(65, 1, 1), FLOAT32),
    ("triton_to_cuda", gemm(3, 130, 33), FLOAT32 * 10),
    ("triton_to_ascend", {"inputs": [[[2, 8192]], [[2, 8193]], [[1, 1]]]}, FLOAT32),
]


@pytest.mark.parametrize(("name", "case", "bound"), sampled(SOURCES, *SOURCES[::4]))
def test_sources_are_right(drive, name, case, bound):
    task = load(str(ROOT / "tasks" / f"{name}.yaml")).task
    seen = drive(task.source.dsl, "interpreted", "nvidia_h200", module_of(task, case.get("init", ())), **case)
    assert seen["errors"], seen
    assert max(seen["errors"]) < bound


CANDIDATES = [
    ("gemm_cuda.py", "cuda_c", "interpreted", "triton_to_cuda", gemm(65, 1, 1), FLOAT32),
    ("gemm_cuda.py", "cuda_c", "interpreted", "triton_to_cuda", gemm(3, 130, 33), FLOAT32 * 10),
    ("gemm_cuda_inline.py", "cuda_c", "interpreted", "triton_to_cuda", gemm(3, 130, 33), FLOAT32 * 10),
    ("softmax_cpp.py", "cpp", "executed", "softmax_migrate", {"inputs": [[[2, 1]], [[3, 1023]]]}, FLOAT32),
    ("softmax_triton.py", "triton", "interpreted", "softmax_migrate", {"inputs": [[[2, 16385]]]}, FLOAT32),
    ("layernorm_cpp.py", "cpp", "executed", "layernorm_migrate", layernorm(1025, 1, 3), FLOAT32 * 4),
    ("layernorm_triton.py", "triton", "interpreted", "layernorm_migrate", layernorm(1, 5), FLOAT32),
    ("attention_cpp.py", "cpp", "executed", "attention_migrate", attention((1, 1, 32), (2, 31, 64)), FLOAT32),
    ("attention_triton.py", "triton", "interpreted", "attention_migrate", attention((1, 65, 128)), FLOAT32),
]


@pytest.mark.parametrize(
    ("candidate", "dsl", "evidence", "name", "case", "bound"), sampled(CANDIDATES, *CANDIDATES[::4])
)
def test_migrated_candidates_are_right(drive, candidate, dsl, evidence, name, case, bound):
    task = load(str(ROOT / "tasks" / f"{name}.yaml")).task
    text = module_of(task, case.get("init", ()), (MIGRATED / candidate).read_text(encoding="utf-8"))
    seen = drive(dsl, evidence, "nvidia_h200" if dsl == "cuda_c" else "cpu", text, **case)
    assert seen["errors"], seen
    assert max(seen["errors"]) < bound
