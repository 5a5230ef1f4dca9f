"""A target is an entry of hardware.yaml, a DSL a pack and at most one module: nothing else is touched."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import Bench

from akgflow.config import load
from akgflow.planning import reach
from akgflow.toolchains import missing_on
from akgflow.verdict import Verdict

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HARDWARE = """\
version: 1
targets:
  nvidia_l40s: {platform: cuda, arch: sm_89, device: L40S, facts: {sms: 142, smem_kib: 99}}
  amd_mi355x: {platform: hip, arch: gfx950, device: MI355X, facts: {smem_kib: 160}}
"""
OPERATOR = """\
import torch

class Model(torch.nn.Module):
    def forward(self, x, y):
        return x + y * 2

def get_inputs(n=64):
    return [torch.randn(n), torch.randn(n)]

def get_init_inputs():
    return []
"""
TASK = """\
version: 1
name: axpy
kind: generate
operator: {file: operators/axpy.py}
cases: [{n: 4096}, {n: 1000}]
matrix: {dsl: [%s], target: [%s]}
"""
TRITON = """\
import torch
import triton
import triton.language as tl

@triton.jit
def axpy_kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = tl.load(x_ptr + at, mask=at < n), tl.load(y_ptr + at, mask=at < n)
    tl.store(out_ptr + at, x + y * 2, mask=at < n)

class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        axpy_kernel[(triton.cdiv(x.numel(), 1024),)](x, y, out, x.numel(), BLOCK=1024)
        return out
"""
OPENMP = '''\
import torch
import tvm_ffi.cpp

SOURCE = r"""
static void axpy_c(const float* x, const float* y, float* out, long n) {
  #pragma omp parallel for
  for (long i = 0; i < n; i++) out[i] = x[i] + y[i] * 2;
}
void axpy(tvm::ffi::TensorView x, tvm::ffi::TensorView y, tvm::ffi::TensorView out) {
  axpy_c((const float*)x.data_ptr(), (const float*)y.data_ptr(), (float*)out.data_ptr(), x.size(0));
}
"""
lib = tvm_ffi.cpp.load_inline(name="axpy", cpp_sources=SOURCE, functions="axpy")

class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        lib.axpy(x, y, out)
        return out
'''
C11 = '''\
import c11
import torch

lib = c11.build(r"""
void axpy(const float* x, const float* y, float* out, long n, float a) {
  #pragma omp parallel for
  for (long i = 0; i < n; i++) out[i] = x[i] + y[i] * a;
}
""")

class ModelNew(torch.nn.Module):
    def forward(self, x, y):
        out = torch.empty_like(x)
        lib.axpy(x, y, out, x.numel(), 2.0)
        return out
'''


def block(language: str, start: str) -> str:
    """The fenced block of CONTRIBUTING.md that has a line which starts with ``start``."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    (found,) = [text for text in blocks if re.search(rf"^{re.escape(start)}", text, re.M)]
    return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("judging")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AKGFLOW_CACHE", str(folder / "cache"))
        bench = Bench(folder / "scratch")
        yield bench
        bench.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for folder in ("tasks/operators", "dsls"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tasks/operators/axpy.py").write_text(OPERATOR)
    return tmp_path


def akgflow(*args: str, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "akgflow", *args], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def judged(bench: Bench, workspace: Path, dsl: str, target: str, candidate: str) -> Verdict:
    """What ``akgflow verify`` finds, by a judge that the tests here share."""
    loaded = load("axpy", root=workspace)
    pack, where = loaded.workspace.dsls[dsl], loaded.workspace.targets[target]
    found = reach(pack, where, missing_on(bench.machine))
    request = Bench.request(
        candidate,
        loaded.task.operator.file,
        toolchain=pack.toolchain,
        target=where,
        evidence=found.evidence,
        cases=loaded.task.cases,
        framework="forbid",
    )
    return bench.runner.run(bench.executor.judge(request))


@pytest.mark.thorough
def test_new_targets_are_an_edit_of_hardware_yaml(bench: Bench, workspace: Path) -> None:
    (workspace / "hardware.yaml").write_text(HARDWARE)
    (workspace / "tasks/axpy.yaml").write_text(TASK % ("triton, cpp", "nvidia_l40s, amd_mi355x"))
    code, said = akgflow("plan", "axpy", "--json", cwd=workspace)
    assert code == 0, said
    cells = {job["id"]: job for job in json.loads(said)["plan"]["jobs"]}
    assert "cpp does not run on platform cuda" in cells["cpp-nvidia_l40s"]["impossible"]
    for target, arch in (("nvidia_l40s", "sm_89"), ("amd_mi355x", "gfx950")):
        assert {"interpreted", "compiled"} <= set(cells[f"triton-{target}"]["reach"]["evidence"])
        found = judged(bench, workspace, "triton", target, TRITON)
        assert (found.status, found.evidence) == ("PASSED", ("interpreted", "compiled")), found.message
        assert {kernel.arch for kernel in found.resources} == {arch}


@pytest.mark.thorough
def test_a_dsl_with_a_known_compiler_is_one_pack(bench: Bench, workspace: Path) -> None:
    (workspace / "tasks/axpy.yaml").write_text(TASK % ("openmp", "cpu"))
    (workspace / "dsls/openmp.yaml").write_text(block("yaml", "dsl: openmp"))
    right = judged(bench, workspace, "openmp", "cpu", OPENMP)
    assert (right.status, right.evidence) == ("PASSED", ("executed",)), right.message
    wrong = judged(bench, workspace, "openmp", "cpu", OPENMP.replace("i < n; i++", "i < n / 64 * 64; i++"))
    assert wrong.status == "INCORRECT_NUMERICAL"


@pytest.mark.thorough
def test_a_dsl_with_a_new_compiler_is_a_pack_and_one_module(bench: Bench, workspace: Path) -> None:
    module = block("python", '"""C11')
    assert len(module.splitlines()) < 200
    (workspace / "tasks/axpy.yaml").write_text(TASK % ("c11", "cpu"))
    (workspace / "dsls/c11.yaml").write_text(block("yaml", "dsl: c11"))
    (workspace / "dsls/c11.py").write_text(module)
    (workspace / "dsls/c11.md").write_text(block("markdown", "Write C11"))
    (workspace / "candidate.py").write_text(C11)
    where = ("--task", "axpy", "--dsl", "c11", "--target", "cpu", "--no-time")
    code, said = akgflow("verify", "candidate.py", *where, cwd=workspace)
    assert (code, said.partition(":")[0]) == (0, "PASSED on cpu"), said
    statuses = {
        "COMPILE_ERROR": C11.replace("i++", "i+"),
        "INCORRECT_NUMERICAL": C11.replace("i < n; i++", "i < n / 64 * 64; i++"),
        "FALLBACK": C11.replace("lib.axpy(x, y, out, x.numel(), 2.0)", "out = x + y * 2"),
    }
    found = {status: judged(bench, workspace, "c11", "cpu", text) for status, text in statuses.items()}
    assert {status: str(verdict.status) for status, verdict in found.items()} == {status: status for status in statuses}
    assert "expected" in found["COMPILE_ERROR"].log


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, "the toolchain 'dsls/mine.py' does not exist"),
        ("def missing(:", "line 1 of the toolchain mine.py is no Python"),
        ("def missing(e, t, m): ...", "mine.py defines no session and no resources and no source_module"),
    ],
)
def test_a_toolchain_beside_its_pack_is_checked_like_the_rest(workspace: Path, module: str | None, said: str) -> None:
    pack = block("yaml", "dsl: openmp").replace("cpp", "mine.py").replace("openmp", "mine")
    (workspace / "dsls/mine.yaml").write_text(pack)
    if module is not None:
        (workspace / "dsls/mine.py").write_text(module)
    code, shown = akgflow("validate", cwd=workspace)
    assert code == 2
    assert f"dsls/mine.yaml:{pack[: pack.index('mine.py')].count(chr(10)) + 1}:12: " in shown
    assert said in shown
