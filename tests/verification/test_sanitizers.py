"""What the judge says of sanitizers: in the verdict, with lines, beside a status that they leave as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from judging import CPU, Bench

from akgflow.sanitized import KINDS, Finding
from akgflow.terms import Evidence, Status
from akgflow.verdict import Verdict
from akgflow.verification.judge.resources import compute_sanitizer

DOUBLE = """
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return 2 * x


def get_inputs():
    return [torch.rand(37, 11)]


def get_init_inputs():
    return []
"""
CPP = '''
import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void twice(tvm::ffi::TensorView x, tvm::ffi::TensorView y, int64_t n) {{
  const float* a = (const float*)x.data_ptr();
  float* b = (float*)y.data_ptr();
  static float sum = 0;
  #pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) {{ b[i] = 2 * a[i]; {race} }}
  for (int64_t i = 0; i < {end}; ++i) sum += a[i];
  if (sum == -1) b[0] = sum;
}}
"""
library = load_inline(name="twice", cpp_sources=SOURCE, functions=["twice"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty(x.shape)
        library.twice(x.contiguous(), y, x.numel())
        return y
'''
TRITON = """
import torch
import triton
import triton.language as tl


@triton.jit
def twice(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, {mask})
    tl.store(y + at, 2 * value, mask=at < n)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x, y = x.contiguous(), torch.empty(x.shape)
        twice[(triton.cdiv(x.numel(), 128),)](x, y, x.numel(), BLOCK=128)
        return y
"""
CUDA = '''
import torch
from akgflow.toolchains.cuda_c import load

SOURCE = r"""
__global__ void twice(const float* x, float* y, int n) {{
  __shared__ float part[64];
  const int at = blockIdx.x * 64 + threadIdx.x;
  part[63 - threadIdx.x] = blockIdx.x * 64 + 63 - threadIdx.x < n ? x[blockIdx.x * 64 + 63 - threadIdx.x] : 0;
  {barrier}
  part[threadIdx.x] *= 2;
  if (at < n) y[at] = part[threadIdx.x];
  if (at < n) y[at] += 0 * x[{other}];
}}
extern "C" void run(const float* x, float* y, int n) {{ twice<<<(n + 63) / 64, 64>>>(x, y, n); }}
"""
library = load(SOURCE)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty(x.shape)
        library.run(x.contiguous(), y, x.numel())
        return y
'''


def judged(bench: Bench, candidate: str, toolchain: str, **changes: object) -> Verdict:
    evidence = Evidence.EXECUTED if toolchain == "cpp" else Evidence.INTERPRETED
    values = {"toolchain": toolchain, "evidence": (evidence,), "target": CPU, "sanitize": KINDS} | changes
    return bench.judge(candidate, DOUBLE, **values)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.thorough
def test_a_right_kernel_can_be_faulty(bench: Bench) -> None:
    text = CPP.format(race="sum += a[i];", end="n + 1")
    verdict = judged(bench, text, "cpp")
    memory, race = verdict.sanitized
    assert verdict.status is Status.PASSED
    assert [one.line for one in memory.findings] == [line_of(text, "n + 1")], str(memory)
    assert {one.line for one in race.findings} <= {line_of(text, "#pragma"), line_of(text, "2 * a[i]")}
    assert race.findings


@pytest.mark.thorough
def test_an_honest_kernel_is_clean(bench: Bench) -> None:
    verdict = judged(bench, CPP.format(race="", end="n"), "cpp")
    assert verdict.status is Status.PASSED
    assert [one.clean for one in verdict.sanitized] == [True, True], verdict.sanitized


def test_an_interpreter_has_looked_already(bench: Bench) -> None:
    verdict = judged(bench, TRITON.format(mask="mask=at < n"), "triton")
    assert [one.clean for one in verdict.sanitized] == [True, True], verdict.sanitized
    text = TRITON.format(mask="")
    verdict = judged(bench, text, "triton")
    memory, race = verdict.sanitized
    assert verdict.status is Status.RUNTIME_ERROR
    assert [(one.line, one.kernel) for one in memory.findings] == [(line_of(text, "tl.load"), "twice")]
    assert race.absent


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("barrier", "other", "kind", "lines"),
    [
        ("", "at", "race", ("part[63", "*= 2")),
        ("__syncthreads();", "n + 3", "memory", ("0 * x",)),
        ("if (threadIdx.x < 40) __syncthreads(); else\n  __syncthreads();", "at", "race", ("if (threadIdx", "else\n")),
    ],
)
def test_interpreted_threads_go_wrong_at_a_line(
    bench: Bench, barrier: str, other: str, kind: str, lines: tuple[str, ...]
) -> None:
    text = CUDA.format(barrier=barrier, other=other)
    verdict = judged(bench, text, "cuda_c")
    (found,) = next(one for one in verdict.sanitized if one.kind == kind).findings
    # The two lines that differ may be told in either order.
    assert found.line in {line_of(text, one) for one in lines} | {line_of(text, "else\n") + 1 if "else" in text else 0}


@pytest.mark.thorough
def test_a_right_kernel_in_cuda_is_clean(bench: Bench) -> None:
    verdict = judged(bench, CUDA.format(barrier="__syncthreads();", other="at"), "cuda_c")
    assert verdict.status is Status.PASSED, verdict.message
    assert [one.clean for one in verdict.sanitized] == [True, True]


def test_what_was_not_asked_for_is_not_said(bench: Bench) -> None:
    assert judged(bench, TRITON.format(mask="mask=at < n"), "triton", sanitize=()).sanitized == ()


MEMCHECK = """
called (4, 8)
========= COMPUTE-SANITIZER
========= Invalid __global__ write of size 4 bytes
=========     at scale(float *, int)+0x160 in kernel.cu:6
=========     by thread (4,0,0) in block (1,0,0)
=========     Address 0x7f6510c00510 is out of bounds
=========     and is 1 bytes after the nearest allocation at 0x7f6510c00500 of size 16 bytes
=========     Saved host backtrace up to driver entry point at kernel launch time
=========     Host Frame: [0x2774ec]
=========                in /lib/x86_64-linux-gnu/libcuda.so.1
========= 
========= Invalid __global__ write of size 4 bytes
=========     at scale(float *, int)+0x160 in kernel.cu:6
=========     by thread (5,0,0) in block (1,0,0)
=========
========= Invalid __shared__ read of size 8 bytes
=========     at 0x140 in /x/candidate.py:31:softmax_kernel
=========     by thread (0,0,0) in block (0,0,0)
========= ERROR SUMMARY: 3 errors
"""  # noqa: W291
INITCHECK = """
========= COMPUTE-SANITIZER
========= Uninitialized __global__ memory read of size 4 bytes
=========     at vectorAdd(int *)+0x70 in initcheck.cu:9
=========     by thread (65,0,0) in block (0,0,0)
=========     Address 0x7f52cfa00504
========= ERROR SUMMARY: 1 error
"""
RACECHECK = """
========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at sum_kernel(int *, int *)+0x90 in block_error.cu:15
=========     and Read access at sum_kernel(int *, int *)+0xf0 in block_error.cu:20 [508 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
"""
SYNCCHECK = """
========= COMPUTE-SANITIZER
========= Barrier error detected. Divergent thread(s) in block.
=========     at divergent(int *)+0x190 in divergent.cu:24
=========     by thread (32,0,0) in block (0,0,0)
=========
========= ERROR SUMMARY: 1 error
"""


@pytest.mark.parametrize(
    ("said", "findings"),
    [
        (
            MEMCHECK,
            [
                Finding("Invalid __global__ write of size 4", "kernel.cu", 6, "scale"),
                Finding("Invalid __shared__ read of size 8", "candidate.py", 31, "softmax_kernel"),
            ],
        ),
        (INITCHECK, [Finding("Uninitialized __global__ memory read of size 4", "initcheck.cu", 9, "vectorAdd")]),
        (RACECHECK, [Finding("race: write access and read access", "block_error.cu", 15, "sum_kernel")]),
        (
            SYNCCHECK,
            [Finding("Barrier error detected. Divergent thread(s) in block", "divergent.cu", 24, "divergent")],
        ),
        ("========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n", []),
    ],
)
def test_compute_sanitizers_reports_are_read(said: str, findings: list[Finding]) -> None:
    assert list(compute_sanitizer.read(said)) == findings


def test_a_line_of_a_file_that_a_build_wrote_is_that_of_the_candidate(tmp_path: Path) -> None:
    text = CUDA.format(barrier="__syncthreads();", other="at")
    source = text.split('r"""')[1].split('"""')[0]
    file = tmp_path / "builds" / "cuda.cu"
    file.parent.mkdir()
    file.write_text("#include <torch/types.h>\n#include <cuda.h>\n" + source)
    for part in ("__shared__", "*= 2", "0 * x"):
        line = file.read_text()[: file.read_text().index(part)].count("\n") + 1
        found = compute_sanitizer.in_candidate(Finding("read", "cuda.cu", line, "twice"), text, tmp_path)
        assert found.line == line_of(text, part)
    elsewhere = Finding("read", "cub.cuh", 7, "twice")
    assert compute_sanitizer.in_candidate(elsewhere, text, tmp_path) == elsewhere


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n", None),
        ("========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n", None),
        ("", "it said nothing"),
        ("========= Error: Target application returned an error\n========= ERROR SUMMARY: 0 errors\n", "0 errors"),
        ("========= Unable to find injection library\n", "Unable to find injection library"),
        ("========= Internal words\n========= ERROR SUMMARY: 2 errors\n", "2 errors"),
    ],
)
def test_nothing_found_counts_only_where_it_came_to_its_end(said: str, why: str | None) -> None:
    found = compute_sanitizer.unfinished(said)
    assert (found is None) == (why is None), found
    assert (why or "") in (found or "")


def test_compute_sanitizer_is_missed_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.setattr(compute_sanitizer, "find", lambda: None)
    found = compute_sanitizer.look("memory", None, "", None, tmp_path)  # type: ignore[arg-type]
    assert "install the CUDA toolkit" in found.absent
