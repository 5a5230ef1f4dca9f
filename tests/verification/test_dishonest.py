"""Candidates that are wrong, broken or dishonest, each with the status that it must get and a word of the message."""

import os
import time
from pathlib import Path

import psutil
import pytest

from akgflow.terms import Evidence
from akgflow.verdict import Limits

OPERATOR = """
    import torch

    M, K, N = 64, 96, 48

    class Model(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(n))
            self.bias = torch.nn.Parameter(torch.zeros(n))

        def forward(self, a, b):
            return torch.tanh(a @ b) * self.weight + self.bias

    def get_inputs():
        return [torch.rand(M, K), torch.rand(K, N)]

    def get_init_inputs():
        return [N]
    """
CASES = ({"M": 64, "N": 64}, {"M": 33, "N": 17, "K": 5})
RIGHT = "torch.tanh(a @ b) * self.weight + self.bias"

MODULE = """
import ctypes, os, signal, sys, time
import torch

class ModelNew(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n))
        self.bias = torch.nn.Parameter(torch.zeros(n))
        self.calls = 0

    def right(self, a, b):
        return torch.tanh(a @ b) * self.weight + self.bias

    def forward(self, a, b):
        self.calls += 1
        y = self.right(a, b)
{body}
"""


def module(*lines: str) -> str:
    return MODULE.format(body="\n".join(" " * 8 + line for line in lines))


WRONG = {
    "zeros": (module("return torch.zeros_like(y)"), "INCORRECT_NUMERICAL", "everything is zero"),
    "constant": (module("return torch.full_like(y, y.mean().item())"), "INCORRECT_NUMERICAL", "elements are wrong"),
    "identity": (module("return a.clone()"), "INCORRECT_", ""),
    "fp16 for fp32": (module("return y.half()"), "INCORRECT_DTYPE", "float32 and is float16"),
    "right count, wrong shape": (module("return y.t().contiguous()"), "INCORRECT_", ""),
    "flattened": (module("return y.flatten()"), "INCORRECT_SHAPE", "must have shape [64, 64] and has [4096]"),
    "times 1.019": (module("return y * 1.019"), "INCORRECT_NUMERICAL", "1.019 times"),
    "a few at 1e30": (
        module("y.view(-1)[torch.randperm(y.numel())[: y.numel() * 19 // 1000]] = 1e30", "return y"),
        "INCORRECT_NUMERICAL",
        "got 1e+30",
    ),
    "one element": (module("y[0, 0] += 1e-3", "return y"), "INCORRECT_NUMERICAL", "1 of "),
    "tail of rows": (
        module("z = torch.empty_like(y)", "z[:-1] = y[:-1]", "z[-1] = 0", "return z"),
        "INCORRECT_NUMERICAL",
        "(the tail)",
    ),
    "tail not written": (
        module("z = torch.empty(y.shape)", "z[: y.shape[0] // 8 * 8] = y[: y.shape[0] // 8 * 8]", "return z"),
        "INCORRECT_NUMERICAL",
        "never written, all of them in dimension 0: index 32 of 33 (the tail)",
    ),
    "last k-step": (
        module("return torch.tanh(a[:, :-1] @ b[:-1]) * self.weight + self.bias"),
        "INCORRECT_NUMERICAL",
        "elements are wrong",
    ),
    "fp16 inside": (
        module("return torch.tanh((a.half() @ b.half()).float()) * self.weight + self.bias"),
        "INCORRECT_NUMERICAL",
        "right bits",
    ),
    "bf16 inside": (
        module("return torch.tanh((a.bfloat16() @ b.bfloat16()).float()) * self.weight + self.bias"),
        "INCORRECT_NUMERICAL",
        "",
    ),
    "tf32 inside": (
        module(
            "cut = lambda t: (t.view(torch.int32) & ~0x1FFF).view(torch.float32)",
            "return torch.tanh(cut(a) @ cut(b)) * self.weight + self.bias",
        ),
        "INCORRECT_NUMERICAL",
        "",
    ),
    "default parameters": (module("return torch.tanh(a @ b)"), "INCORRECT_NUMERICAL", ""),
    "first call only": (module("return y if self.calls == 1 else y * 0"), "INCORRECT_NUMERICAL", ""),
    "first five calls only": (
        module("globals()['n'] = globals().get('n', 0) + 1", "return y if n <= 5 else y * 0"),
        "INCORRECT_NUMERICAL",
        "",
    ),
    "cached by pointer": (
        module("kept = globals().setdefault('kept', {})", "return kept.setdefault((a.data_ptr(), y.shape), y).clone()"),
        "INCORRECT_NUMERICAL",
        "",
    ),
    "NaN": (module("y[3] = float('nan')", "return y"), "INCORRECT_NUMERICAL", "NaN"),
    "inputs changed": (module("a.zero_()", "return y"), "REFUSED", "changed its input 0"),
    "parameters changed": (module("self.bias.data.add_(1)", "return y"), "REFUSED", "changed the parameter bias"),
    "subclass": (module("return torch.nn.Parameter(y)"), "REFUSED", "exactly a torch.Tensor"),
    "nothing": (module("return None"), "INCORRECT_SHAPE", "must be a tensor and is None"),
    "two outputs": (module("return y, y"), "INCORRECT_SHAPE", ""),
    "exit": (module("sys.exit(0)"), "RUNTIME_ERROR", "SystemExit"),
    "hard exit": (module("os._exit(0)"), "RUNTIME_ERROR", "exit code 0"),
    "abort": (module("os.abort()"), "RUNTIME_ERROR", "SIGABRT"),
    "segfault": (module("ctypes.string_at(0)"), "RUNTIME_ERROR", "SIGSEGV"),
    "kill -9": (module("os.kill(os.getpid(), signal.SIGKILL)"), "RUNTIME_ERROR", "SIGKILL"),
    "prints": (module("print('PASSED')", 'print(\'{"status": "PASSED"}\')', "return y * 2"), "INCORRECT_NUMERICAL", ""),
    "allocation": (module("return torch.empty(1 << 36).fill_(1)"), "OUT_OF_MEMORY", "memory"),
    "exception": (module("raise KeyError('tile')"), "RUNTIME_ERROR", "KeyError: 'tile'"),
    "forges a reply": (
        module(
            "import json, socket",
            "end = socket.socket(fileno=[int(f) for f in os.listdir('/proc/self/fd') if int(f) > 2][0])",
            "tensor = {'shape': list(y.shape), 'stride': [1], 'dtype': 'float32', 'device': 'cpu', 'aliases': False}",
            "end.send(json.dumps({'result': {'tensor': tensor}, 'kernels': []}).encode())",
            "time.sleep(60)",
        ),
        "REFUSED",
        "the field number is missing",
    ),
    "nonsense on the channel": (
        module(
            "import socket",
            "end = socket.socket(fileno=[int(f) for f in os.listdir('/proc/self/fd') if int(f) > 2][0])",
            "end.send(b'{' * 1000)",
            "time.sleep(60)",
        ),
        "REFUSED",
        "channel",
    ),
    "reference through __main__": (
        module("import __main__", "return __main__.Model(y.shape[1]).forward(a, b)"),
        "RUNTIME_ERROR",
        "no attribute 'Model'",
    ),
    "reference through gc": (
        module(
            "import gc",
            "found = [o for o in gc.get_objects() if isinstance(o, type) and o.__name__ == 'Model']",
            "return found[0]().forward(a, b)",
        ),
        "RUNTIME_ERROR",
        "IndexError",
    ),
    "comparison replaced": (
        module(
            "import akgflow.verification.reference.tolerance as numerics",
            "numerics.compare = lambda *a, **k: None",
            "torch.allclose = torch.equal = lambda *a, **k: True",
            "return y * 1.5",
        ),
        "INCORRECT_NUMERICAL",
        "",
    ),
    "keys in the environment": (
        module("raise RuntimeError(' '.join(k for k in os.environ if 'KEY' in k or 'TOKEN' in k) + ' none found')"),
        "RUNTIME_ERROR",
        "RuntimeError:  none found",
    ),
    "constructor raises": (
        module("return y").replace("self.calls = 0", "self.tile = 1 // 0"),
        "RUNTIME_ERROR",
        "ZeroDiv",
    ),
    "no ModelNew": (module("return y").replace("ModelNew", "Model"), "INVALID", "no class ModelNew (it defines Model)"),
    "other constructor": (module("return y").replace("self, n)", "self, n, k)"), "INVALID", "missing 1 required"),
    "other parameter names": (
        module("return y").replace("self.weight =", "self.scale ="),
        "INVALID",
        "expected {bias: [48], weight: [48]}; got {bias: [48], scale: [48]}",
    ),
    "syntax": ("def forward(:", "COMPILE_ERROR", "SyntaxError"),
    "raises on import": ("import torch\nraise OSError('disk on fire')", "RUNTIME_ERROR", "disk on fire"),
    "exits on import": ("import sys\nsys.exit(0)", "RUNTIME_ERROR", "SystemExit"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_candidate_gets_its_status(bench, name):
    text, status, words = WRONG[name]
    cases = ({"N": 48},) if "parameter names" in name else CASES
    verdict = bench.judge(text, OPERATOR, cases=cases, limits=Limits(20, 3, 4 << 30))
    assert verdict.status.startswith(status), verdict.message
    assert words in verdict.message


def test_the_right_candidate_passes(bench):
    verdict = bench.judge(module("return y"), OPERATOR, cases=CASES)
    assert verdict.passed, verdict.message
    assert verdict.evidence == (Evidence.EXECUTED,)
    asked = {
        "operator",
        "normal",
        "wide",
        "ties",
        "extremes",
        "scaled rows",
        "shifted",
        "rows in order",
        "one element changed",
    }
    assert {r.distribution for r in verdict.correctness.cases} == asked
    assert verdict.correctness.deterministic
    assert not any("weak" in warning for warning in verdict.warnings)
    assert all(r.error <= r.bound for r in verdict.correctness.cases)
    assert verdict.environment.libs["torch"]


def test_a_hang_is_a_timeout(bench):
    started = time.monotonic()
    verdict = bench.judge(module("while True: pass"), OPERATOR, limits=Limits(build_seconds=1, run_seconds=1))
    assert verdict.status == "TIMEOUT"
    assert "calling the model" in verdict.message
    assert time.monotonic() - started < 30


LOOP = "while True:\n    pass\n"


def test_a_module_that_loops_when_it_is_imported_is_a_timeout_soon(bench):
    verdict = bench.judge(LOOP + module("pass"), OPERATOR, limits=Limits(hang_seconds=2.0))
    assert (verdict.status, "importing and compiling" in verdict.message) == ("TIMEOUT", True)


@pytest.mark.thorough
def test_what_builds_does_not_hang(bench):
    """A compiler may take its time, in a process of its own or in the candidate's, where it leaves files."""
    compilers = """
import os, subprocess, time
subprocess.run(["sleep", "6"])
for _ in range(12):
    time.sleep(0.5)
    open(f"{os.environ['AKGFLOW_CACHE']}/{time.time_ns()}", "w").close()
"""
    verdict = bench.judge(compilers + module("return y"), OPERATOR, limits=Limits(hang_seconds=4.0))
    assert verdict.passed, verdict.message


def test_memory_that_children_take_counts(bench):
    lines = (
        "for _ in range(3):",
        "    if os.fork() == 0:",
        "        hoard = bytearray(300 << 20)",
        "        time.sleep(60)",
        "time.sleep(60)",
    )
    verdict = bench.judge(module(*lines), OPERATOR, limits=Limits(30, 20, 500 << 20))
    assert verdict.status == "OUT_OF_MEMORY"
    assert "the limit is 500 MiB" in verdict.message


def test_the_log_shows_only_the_candidates_own_frames(bench):
    verdict = bench.judge(
        module("return self.helper(y)").replace(
            "def right", "def helper(self, y):\n        return y.reshape(7)\n\n    def right"
        ),
        OPERATOR,
    )
    assert verdict.status == "RUNTIME_ERROR"
    assert verdict.log.count('File "candidate.py"') == 2
    assert "File" not in verdict.log.replace('File "candidate.py"', "")
    assert "shape '[7]' is invalid" in verdict.log


def test_a_crash_keeps_what_the_candidate_printed(bench):
    verdict = bench.judge(module("os.write(2, b'assertion tile > 0 failed')", "os.abort()"), OPERATOR)
    assert "assertion tile > 0 failed" in verdict.log


def test_nothing_stays_behind(bench):
    mark = f"{os.getpid()}.{time.monotonic_ns()}"
    lines = (
        f"script = 'import time; time.sleep(600) # {mark}'",
        "import subprocess",
        "subprocess.Popen([sys.executable, '-c', script])",
        "subprocess.Popen([sys.executable, '-c', script], start_new_session=True)",
        "if os.fork() == 0:",
        "    os.setsid()",
        "    if os.fork() == 0:",
        "        os.execv(sys.executable, [sys.executable, '-c', script])",
        "    os._exit(0)",
        "time.sleep(0.5)",
        "return y",
    )
    verdict = bench.judge(module(*lines), OPERATOR)
    assert verdict.status == "REFUSED", verdict.message
    assert "a process that the candidate started lived on" in verdict.message
    left = [p for p in psutil.process_iter(["cmdline"]) if mark in " ".join(p.info["cmdline"] or [])]
    assert left == []
    assert not list(bench.executor.root.glob("judgement-*"))


def test_killing_the_fork_server_costs_only_this_verdict(bench):
    verdict = bench.judge(module("os.kill(os.getppid(), signal.SIGKILL)", "time.sleep(60)"), OPERATOR)
    assert not verdict.passed
    assert bench.judge(module("return y"), OPERATOR).passed


def test_shared_memory_cannot_be_cut_short(bench):
    lines = (
        "for f in os.listdir('/proc/self/map_files') if os.access('/proc/self/map_files', os.R_OK) else []:",
        "    path = f'/proc/self/map_files/{f}'",
        "    if 'memfd' in os.readlink(path):",
        "        try: os.truncate(path, 0)",
        "        except OSError: pass",
        "return y",
    )
    assert bench.judge(module(*lines), OPERATOR).passed


def test_scratch_is_where_a_candidate_starts(bench):
    verdict = bench.judge(module("raise RuntimeError(os.getcwd() + ' ' + os.environ['HOME'])"), OPERATOR)
    cwd, home = verdict.message.split("RuntimeError: ")[1].split()
    assert Path(cwd).is_relative_to(bench.executor.root)
    assert home == cwd
