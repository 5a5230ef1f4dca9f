"""The portability matrix, from a run and judged again, as its users meet it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from documents import document
from openai_server import OpenAIServer
from small_task import RIGHT, WRONG, by_agent, fenced, make_workspace

TRITON = """\
import torch
import triton
import triton.language as tl

@triton.jit
def scale_relu(x_ptr, by_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < rows * columns
    y = tl.load(x_ptr + at, mask=inside) * tl.load(by_ptr + at % columns, mask=inside)
    tl.store(out_ptr + at, tl.maximum(y, 0.0), mask=inside)

class ModelNew(torch.nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.empty(columns))

    def forward(self, x):
        out = torch.empty_like(x)
        scale_relu[(triton.cdiv(x.numel(), 256),)](x, self.scale, out, x.shape[0], x.shape[1], BLOCK=256)
        return out
"""


def akgflow(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "TEST_KEY": "sk-of-the-test"}
    command = [sys.executable, "-m", "akgflow", *args]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)


def cells(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    matrix = document(done.stdout)
    return {(cell["dsl"], cell["target"], cell["dtype"]): cell for cell in matrix["cells"]}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer) -> Path:
    monkeypatch.setenv("AKGFLOW_CACHE", str(tmp_path / "cache"))
    task = make_workspace(tmp_path, openai_server.url, timed=True)
    task.write_text(task.read_text().replace("target: [cpu]", "target: [cpu, nvidia_h200]"))
    openai_server.default = by_agent("Clamp at zero.", lambda seen: fenced(RIGHT))
    return tmp_path


@pytest.mark.thorough
def test_a_run_and_then_its_best_kernels_in_other_dtypes(workspace: Path) -> None:
    none = akgflow("matrix", "scale", cwd=workspace)
    assert none.returncode == 2
    assert "there is no run of scale in" in none.stderr
    ran = akgflow("run", "scale", cwd=workspace)
    assert ran.returncode == 0, ran.stderr
    shown = akgflow("matrix", "scale", cwd=workspace)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "rows=8 columns=16" in shown.stdout and "rows=5 columns=7" in shown.stdout
    assert ") cpp does not run on platform cuda (it runs on cpu)" in shown.stdout
    from_run = cells(akgflow("matrix", "scale", "--json", cwd=workspace))
    right = from_run["cpp", "cpu", "own"]
    assert (right["status"], right["evidence"], right["possible"]) == ("PASSED", ["executed"], True)
    assert [shape["passed"] for shape in right["shapes"]] == [shape["checks"] for shape in right["shapes"]]
    # On a busy machine there is no time, and the reason instead.
    assert 1 <= sum(len(shape["timing"]) for shape in right["shapes"]) <= 2 or "timing" in right["beyond"]
    assert from_run["cpp", "nvidia_h200", "own"]["possible"] is False
    again = akgflow("matrix", "scale", "--dtype", "float32", "--dtype", "float64", "--no-time", "--json", cwd=workspace)
    assert again.returncode == 1
    found = cells(again)
    assert found["cpp", "cpu", "float32"]["status"] == "PASSED"
    assert found["cpp", "cpu", "float64"]["status"] != "PASSED"


@pytest.mark.thorough
def test_kernels_that_are_named_are_judged_for_each_target(workspace: Path) -> None:
    (workspace / "right.py").write_text(TRITON)
    (workspace / "wrong.py").write_text(WRONG)
    named = ("--candidate", "triton=right.py", "--candidate", "cpp=wrong.py", "--no-time")
    done = akgflow("matrix", "scale", *named, "--target", "cpu", "--target", "amd_mi300x", "--json", cwd=workspace)
    assert done.returncode == 1, done.stderr
    found = cells(done)
    assert found["triton", "cpu", "own"]["evidence"] == ["interpreted"]
    amd = found["triton", "amd_mi300x", "own"]
    assert (amd["status"], amd["evidence"]) == ("PASSED", ["interpreted", "compiled"])
    assert {kernel["arch"] for kernel in amd["resources"]} == {"gfx942"}
    assert "no local device is amd_mi300x" in amd["beyond"]["executed"]
    wrong = found["cpp", "cpu", "own"]
    assert wrong["status"] == "INCORRECT_NUMERICAL"
    assert wrong["shapes"][0]["passed"] < wrong["shapes"][0]["checks"]
    assert "elements are wrong" in wrong["shapes"][1]["reason"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--candidate", "cpp"), "a candidate is DSL=FILE"),
        (("--candidate", "cp=k.py"), "there is no DSL 'cp': did you mean 'cpp'?"),
        (("--candidate", "cpp=k.py"), "the candidate 'k.py' does not exist"),
        (("--target", "cup"), "there is no target 'cup': did you mean 'cpu'?"),
    ],
)
def test_bad_input(workspace: Path, args: tuple[str, ...], said: str) -> None:
    done = akgflow("matrix", "scale", *args, cwd=workspace)
    assert done.returncode == 2
    assert said in done.stderr
