"""Whose fault a failure is, from the words of real compilers and builders."""

import pytest

from akgflow.toolchains import CompileFailure
from akgflow.toolchains.base import Unsupported
from akgflow.toolchains.cuda_c import faults
from akgflow.toolchains.cuda_c.faults import STUBBED_CUDA, STUBBED_TORCH, WHOSE, Failure, Stage

FILES = frozenset({"candidate.py"})
GXX, NVCC = Stage(STUBBED_CUDA), Stage(STUBBED_TORCH)


def test_every_kind_has_an_owner():
    assert set(WHOSE) == set(Failure)
    theirs = {kind for kind, error in WHOSE.items() if not issubclass(error, Unsupported)}
    assert theirs == {Failure.OWN_LINE, Failure.KERNEL, Failure.HOST, Failure.LAUNCH}


@pytest.mark.parametrize(
    ("stage", "log", "error", "words"),
    [
        (GXX, "candidate.py:16:3: error: ‘scael’ was not declared in this scope", CompileFailure, "candidate.py:16:3"),
        (GXX, "candidate.py:16:3: error: expected ‘;’ before ‘}’ token", CompileFailure, "expected ‘;’"),
        (NVCC, 'candidate.py(16): error: identifier "scael" is undefined', CompileFailure, "candidate.py(16)"),
        (NVCC, 'candidate.py(16): error: identifier "cudaArray_q" is undefined', CompileFailure, "cudaArray_q"),
        (
            GXX,
            "candidate.py:16:3: error: ‘cudaArray_t’ was not declared in this scope",
            Unsupported,
            "cudaArray_t is not",
        ),
        (GXX, "candidate.py:1:2: error: ‘norm4d’ was not declared in this scope", Unsupported, "norm4d is not"),
        (GXX, "candidate.py:7:3: error: reference to ‘Row’ is ambiguous", Unsupported, "do not take this"),
        (
            GXX,
            "candidate.py:16:40: error: cannot convert ‘c10::Device’ to ‘c10::ScalarType’\n   16 |   x.to(device);",
            Unsupported,
            "do not take this: candidate.py:16:40",
        ),
        (
            NVCC,
            'candidate.py(16): error: class "at::Tensor" has no member "fft_fft"',
            Unsupported,
            "at::Tensor::fft_fft is not",
        ),
        (NVCC, 'candidate.py(16): error: class "at::Tensor" has no member "siize"', CompileFailure, "siize"),
        (
            GXX,
            "candidate.py:9:2: error: ‘class at::Tensor’ has no member named ‘sparse_mask’",
            Unsupported,
            "sparse_mask is not",
        ),
        (GXX, "candidate.py:9:2: error: ‘matmull’ is not a member of ‘torch’", CompileFailure, "matmull"),
        (
            NVCC,
            'candidate.py(3): error: identifier "AT_DISPATCH_QINT_TYPES" is undefined',
            Unsupported,
            "AT_DISPATCH_QINT_TYPES is not",
        ),
        (
            NVCC,
            'candidate.py(3): error: expected a "}"\n    AT_DISPATCH_SWITCH(x.scalar_type(), [&] {});\n    ^',
            Unsupported,
            "do not take this",
        ),
        (
            GXX,
            "device.h:26:20: error: standard attributes in middle of decl-specifiers",
            Unsupported,
            "a header that stands in",
        ),
        (
            GXX,
            "candidate.py:2:10: fatal error: cublas_v2.h: No such file or directory",
            Unsupported,
            "cublas_v2.h is not",
        ),
        (
            NVCC,
            'candidate.py(2): catastrophic error: cannot open source file "torch/csrc/jit.h"',
            Unsupported,
            "torch/csrc/jit.h is not",
        ),
    ],
)
def test_the_first_error_decides(stage, log, error, words):
    found = faults.of_log(log, FILES, stage)
    assert type(found) is error
    assert words in str(found)


def test_gxx_is_believed_about_cuda_only_where_nvcc_agrees():
    log = "candidate.py:16:3: error: expected primary-expression before ‘)’ token"
    agrees = "candidate.py(16): error: expected an expression\n    f( );\n    ^"
    for said, error in ((None, CompileFailure), (agrees, CompileFailure), ("", Unsupported)):
        assert type(faults.of_log(log, FILES, Stage(STUBBED_CUDA, lambda said=said: said))) is error
    unknown = "candidate.py:16:3: error: ‘__cvta_q’ was not declared in this scope"
    undefined = 'candidate.py(16): error: identifier "__cvta_q" is undefined'
    assert type(faults.of_log(unknown, FILES, Stage(STUBBED_CUDA, lambda: undefined))) is CompileFailure


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (
            "Error building extension 'k': [1/2] nvcc …\nFAILED: a.o\n/t/cuda.cu(12): error: expected a \";\"\n",
            CompileFailure,
        ),
        ("Error building extension 'k': /t/main.cpp:3:9: error: ‘f’ was not declared in this scope", CompileFailure),
        ("ImportError: k.so: undefined symbol: _Z5scaleN2at6TensorE", CompileFailure),
        ("Ninja is required to load C++ extensions (pip install ninja to get it)", Unsupported),
        ("Error building extension 'k': ninja: error: loading 'build.ninja': No space left on device", Unsupported),
        ("Error building extension 'k': nvcc fatal   : Unsupported gpu architecture 'compute_90a'", Unsupported),
    ],
)
def test_a_builder_that_cannot_work_says_nothing_about_the_text(log, error):
    assert type(faults.of_real_build(log)) is error


@pytest.mark.parametrize(
    ("symbol", "error", "words"),
    [
        ("_Z6helperi", CompileFailure, "helper is declared or called and never defined"),
        ("cudaMallocArray", Unsupported, "there is no cudaMallocArray"),
        ("cublasSgemm_v2", Unsupported, "there is no cublasSgemm_v2"),
    ],
)
def test_what_is_never_defined_is_the_candidates_and_what_a_library_has_is_not(symbol, error, words):
    found = faults.of_loading(OSError(f"/t/k.so: undefined symbol: {symbol}"), "int helper(int);\nhelper(3);")
    assert type(found) is error
    assert words in str(found)
