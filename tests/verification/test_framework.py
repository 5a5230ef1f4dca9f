"""Who did the work: candidates that leave it to the framework are fallbacks; small host work beside kernels is not."""

import json
import os
import tempfile
import textwrap
import threading

import pytest
from sampling import sampled

from akgflow.config.types import Target
from akgflow.operators.shapes.guarantee import Guarantee
from akgflow.terms import Evidence
from akgflow.verdict import Limits
from akgflow.verification.judge.candidate_process import CandidateProcess, ForkServerClient, Place
from akgflow.verification.shared.channel import Channel
from akgflow.verification.shared.op_policy import SHARE, PolicyPage, Work, reader
from akgflow.verification.shared.protocol import WarmUp, Window

H200 = Target("nvidia_h200", "cuda", "sm_90a", facts={"smem_kib": 227})
MATMUL = """
    import torch

    class Model(torch.nn.Module):
        def __init__(self, width=96):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(width))

        def forward(self, a, b):
            return torch.relu(a @ b + self.bias)

    def get_inputs():
        return [torch.rand(64, 160), torch.rand(160, 96)]

    def get_init_inputs():
        return []
    """
SQUARE = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x * x

    def get_inputs():
        return [torch.rand(70, 64)]

    def get_init_inputs():
        return []
    """
TURN = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.flip(x, (0,))

    def get_inputs():
        return [torch.rand(70, 64)]

    def get_init_inputs():
        return []
    """
CPP_HEAD = '''
import math
import torch
import numpy as np
from tvm_ffi.cpp import load_inline

SOURCE = r"""
void product(tvm::ffi::TensorView a, tvm::ffi::TensorView b, tvm::ffi::TensorView out, int64_t from, int64_t to) {
  const int64_t m = a.size(0), depth = a.size(1), n = b.size(1);
  const float* x = static_cast<const float*>(a.data_ptr());
  const float* w = static_cast<const float*>(b.data_ptr());
  float* y = static_cast<float*>(out.data_ptr());
  for (int64_t i = 0; i < m; ++i)
    for (int64_t k = from; k < to; ++k)
      for (int64_t j = 0; j < n; ++j) y[i * n + j] += x[i * depth + k] * w[k * n + j];
}
void finish(tvm::ffi::TensorView y, tvm::ffi::TensorView bias) {
  float* out = static_cast<float*>(y.data_ptr());
  const float* c = static_cast<const float*>(bias.data_ptr());
  for (int64_t i = 0; i < y.size(0) * y.size(1); ++i) {
    const float v = out[i] + c[i % y.size(1)];
    out[i] = v > 0 ? v : 0;
  }
}
"""
library = load_inline("work", cpp_sources=SOURCE, functions=["product", "finish"])


class ModelNew(torch.nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(width))
        PREPARE

    def own(self, a, b):
        y = torch.zeros(a.shape[0], b.shape[1])
        library.product(a.contiguous(), b.contiguous(), y, 0, a.shape[1])
        library.finish(y, self.bias)
        return y

    def forward(self, a, b):
'''


def cpp(body, prepare="pass"):
    """A C++ candidate for `MATMUL` with this forward."""
    lines = textwrap.indent(textwrap.dedent(body), " " * 8)
    return CPP_HEAD.replace("PREPARE", prepare) + lines


REFUSED = {
    "an alias": "return torch.relu(getattr(torch, 'mat' + 'mul')(a, b) + self.bias)",
    "an operator's handle": "return torch.relu(torch.ops.aten.mm.default(a, b) + self.bias)",
    "a method of the class": "return torch.nn.functional.relu(torch.Tensor.__matmul__(a, b).add_(self.bias))",
    "functional": "return torch.nn.functional.linear(a, b.t(), self.bias).relu()",
    "einsum": "return torch.einsum('ik,kj->ij', a, b).add(self.bias).relu()",
    "a convolution": "return torch.nn.functional.conv1d(a[None].mT, b.mT[..., None], self.bias)[0].mT.relu()",
    "another layout": "return torch.sparse.mm(a.to_sparse_csr(), b).add(self.bias).relu()",
    "sums of products": "return ((a[:, :, None] * b[None]).sum(1) + self.bias).relu()",
    "one column at a time": """
        y = torch.zeros(64, 96)
        for k in range(160):
            y.addcmul_(a[:, k : k + 1], b[k : k + 1])
        return torch.relu_(y.add_(self.bias))
    """,
    "beside a dead kernel": """
        self.own(a, b)
        return torch.relu(a @ b + self.bias)
    """,
    "when the kernel fails": """
        try:
            raise RuntimeError("no such shape")
        except RuntimeError:
            return torch.relu(a @ b + self.bias)
    """,
    "from another thread": """
        import threading
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.relu(a @ b + self.bias)))
        thread.start()
        thread.join()
        return found[0] if found else torch.addmm(self.bias, a, b)
    """,
    "the epilogue": """
        y = torch.zeros(64, 96)
        library.product(a, b, y, 0, 160)
        return torch.relu(y + self.bias)
    """,
    "scripted": """
        self.scripted = getattr(self, "scripted", None) or torch.jit.trace(lambda a, b: torch.mm(a, b), (a, b))
        return torch.relu(self.scripted(a, b) + self.bias)
    """,
    "a kernel put over the guard": """
        library = torch.library.Library("aten", "IMPL")
        library.impl("mm", torch.library.get_kernel("aten::mm", "CPU").call_boxed, "CPU", with_keyset=True)
        return torch.relu(torch.mm(a, b) + self.bias)
    """,
    "right for small calls only": """
        if getattr(self, "calls", 0) < 1:
            self.calls = 1
            return self.own(a, b)
        return torch.relu(torch.mm(a, b) + self.bias)
    """,
}


@pytest.mark.parametrize(
    "name", sampled(REFUSED, "functional", "beside a dead kernel", "from another thread", "scripted")
)
def test_work_left_to_the_framework_is_a_fallback(bench, name):
    verdict = bench.judge(cpp(REFUSED[name]), MATMUL, toolchain="cpp")
    assert verdict.status == "FALLBACK", (verdict.message, verdict.log)


HONEST = {
    "as it is": ("return self.own(a, b)", "pass"),
    "partial sums": (
        """
        parts = torch.zeros(4, 64, 96)
        for part in range(4):
            library.product(a, b, parts[part], part * 40, part * 40 + 40)
        y = parts[:2].sum(0)
        library.product(a, b, y, 80, 160)
        library.finish(y, self.bias)
        return y
        """,
        "pass",
    ),
    "scales, flags and checks": (
        """
        scale = 1.0 / math.sqrt(a.shape[1]) * torch.rsqrt(a[0].square().mean() + 1).item()
        assert scale > 0 and not torch.isnan(self.bias).any() and np.prod(a.shape) > 0 and np.sqrt(2.0) > 1
        return self.own(a, b)
        """,
        "pass",
    ),
    "copies, pads and joins": (
        """
        a = torch.nn.functional.pad(a.to(torch.float64), (0, 8)).float()[:, :160]
        b = torch.cat([b[:80], b[80:]]).t().contiguous().t()
        return self.own(a, b).t().contiguous().t()
        """,
        "pass",
    ),
    "tries the framework and does it itself": (
        """
        try:
            return torch.relu(a @ b + self.bias)
        except Exception:
            return self.own(a, b)
        """,
        "pass",
    ),
    "layers and constants in the constructor": (
        "return self.own(a, b)",
        "self.__dict__['unused'] = [torch.nn.Linear(8, 8), torch.nn.Conv2d(3, 4, 3), torch.nn.LayerNorm(8),"
        " torch.nn.init.orthogonal_(torch.empty(4, 4)), torch.nn.init.trunc_normal_(torch.empty(4)),"
        " torch.eye(8) @ torch.rand(8, 8)]",
    ),
    "weights brought into another layout once": (
        """
        if not hasattr(self, "packed"):
            self.packed = self.bias.clone() * 2 / 2
        return self.own(a, b)
        """,
        "pass",
    ),
    "worker threads": (
        """
        from concurrent.futures import ThreadPoolExecutor
        y = torch.zeros(64, 96)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda i: library.product(a[i : i + 32], b, y[i : i + 32], 0, 160), (0, 32)))
        library.finish(y, self.bias)
        return y
        """,
        "pass",
    ),
}


@pytest.mark.parametrize("name", sampled(HONEST, "as it is", "partial sums"))
def test_host_code_beside_the_kernels_is_no_fallback(bench, name):
    body, prepare = HONEST[name]
    # Host code may hold the sizes of the stated shape.
    verdict = bench.judge(cpp(body, prepare), MATMUL, toolchain="cpp", shapes=Guarantee(fixed=True))
    assert verdict.passed, (verdict.message, verdict.log)


def test_the_rules_of_a_request_hold_for_all_its_calls(tmp_path):
    ours, theirs = Channel.pair()
    with tempfile.TemporaryFile() as log, ours.end, theirs:
        process = CandidateProcess(ForkServerClient(), Place(0, 0, str(tmp_path), ()), ours, log, Limits())
        process.policy = PolicyPage()
        process.policy.expect(Work(1e6, {}), state_elements=0, tunes=False)
        policy, budgets = reader(os.dup(process.policy.fd)), []

        def answer():
            for _ in range(2):
                number = json.loads(theirs.recv(1 << 16))["number"]
                theirs.send(json.dumps({"number": number}).encode())

        candidate = threading.Thread(target=answer)
        candidate.start()
        for request in (Window(0, 4, False), WarmUp(0, 4, 25)):
            process.ask(request, 5.0)
            budgets.append(policy()[1]["budget"])
        candidate.join()
    assert budgets == [4 * SHARE * 1e6, 100 * SHARE * 1e6]


TRITON_HEAD = """
import torch
import triton
import triton.language as tl

@triton.jit
def square(x, out, n, SIZE: tl.constexpr):
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    value = tl.load(x + at, mask=at < n)
    tl.store(out + at, value * value, mask=at < n)

def launch(x, out):
    square[(triton.cdiv(x.numel(), 1024),)](x, out, x.numel(), SIZE=1024)
    return out

class ModelNew(torch.nn.Module):
    def forward(self, x):
"""
TRITON = {
    "a kernel": ("return launch(x, torch.empty_like(x))", "PASSED"),
    "the framework": ("return x * x", "FALLBACK"),
    "beside a dead kernel": ("launch(x, torch.empty_like(x))\n        return torch.square(x)", "FALLBACK"),
    "nothing of the DSL": ("return [[v * v for v in r] for r in x.tolist()] and torch.zeros_like(x)", None),
}


@pytest.mark.parametrize("evidence", [Evidence.INTERPRETED, Evidence.COMPILED])
@pytest.mark.parametrize("name", [name for name in TRITON if TRITON[name][1]])
def test_triton_is_seen_interpreted_and_compiled(bench, name, evidence):
    body, status = TRITON[name]
    verdict = bench.judge(TRITON_HEAD + 8 * " " + body, SQUARE, toolchain="triton", target=H200, evidence=(evidence,))
    assert verdict.status == status, (verdict.message, verdict.log)


SMALL = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x * x

    def get_inputs():
        return [torch.randn(8, 16)]

    def get_init_inputs():
        return []
    """
SMALL_HEAD = """
import numpy
import torch
from tvm_ffi.cpp import load_inline

SOURCE = r\"\"\"
void square(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {
  const float* from = static_cast<const float*>(x.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) static_cast<float*>(out.data_ptr())[i] = from[i] * from[i];
}
\"\"\"
library = load_inline(name="square", cpp_sources=SOURCE, functions=["square"])

class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
"""
SMALL_BODIES = {
    "a kernel": ("library.square(x, out)", "PASSED"),
    "a kernel and small work beside it": ("library.square(x + 0.0, out)", "PASSED"),
    "numpy beside a dead kernel": ("library.square(x[:1], out[:1]); numpy.multiply(x, x, out=out.numpy())", "FALLBACK"),
}


@pytest.mark.parametrize("name", SMALL_BODIES)
def test_an_operator_as_small_as_what_is_always_allowed_is_asked_without_kernels(bench, name):
    body, status = SMALL_BODIES[name]
    candidate = f"{SMALL_HEAD}        {body}\n        return out\n"
    verdict = bench.judge(candidate, SMALL, toolchain="cpp")
    assert verdict.status == status, (verdict.message, verdict.log)


UNREADABLE = """launch(x, out := torch.empty_like(x))
        import pathlib
        for note in pathlib.Path.cwd().glob("artifacts/*/kernel.json"):
            note.write_text("[" * 200_000)
        return out"""


def test_artefacts_that_nobody_can_read_are_a_verdict(bench):
    verdict = bench.judge(
        TRITON_HEAD + 8 * " " + UNREADABLE, SQUARE, toolchain="triton", target=H200, evidence=(Evidence.COMPILED,)
    )
    assert verdict.status == "REFUSED", (verdict.message, verdict.log)
    assert "cannot be read" in verdict.message


def test_an_operator_that_only_moves_elements_may_not_be_moved_by_the_framework(bench):
    head = TRITON_HEAD.replace("value * value", "value")
    changes = {"toolchain": "triton", "target": H200, "evidence": (Evidence.INTERPRETED,)}
    body = "        launch(x, torch.empty_like(x))\n        return torch.flip(x, (0,))"
    assert bench.judge(head + body, TURN, **changes).status == "FALLBACK"


def test_a_model_in_plain_python_is_not_in_the_dsl(bench):
    body = """
        import torch
        class ModelNew(torch.nn.Module):
            def forward(self, x):
                return torch.tensor([[v * v for v in row] for row in x.tolist()])
        """
    verdict = bench.judge(body, SQUARE, toolchain="cpp")
    assert (verdict.status, verdict.message) == ("FALLBACK", "no kernel of the DSL ran: something else did the work")


def test_a_task_may_allow_the_framework(bench):
    verdict = bench.judge(cpp(REFUSED["an alias"]), MATMUL, toolchain="cpp", framework="allow")
    assert verdict.passed
    assert any("framework" in warning for warning in verdict.warnings)
