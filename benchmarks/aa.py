"""A/A: is a kernel that is judged against itself called *same*, and one that does 5 % more work *slower*?

    python benchmarks/aa.py [--device cpu|cuda] [--count 40] [--slower 4] [--seconds 480] [--only NAME]
                            [--json FILE]

Every comparison is one whole judgement (numerics on secret inputs, then the timing) by the judge that `akgflow verify`
uses. Beside eager, it times the candidate against a rival, as it times a kernel that picks by shape: the kernel itself,
or its faster original. On a CPU the kernels are C++; on a GPU they are Triton: one that is bound by
bandwidth, one by computing, one by what a launch costs. All but the last take long enough for the next launch to be
prepared meanwhile: else all would be bound by that. The slower copies really do the work again for one row, block or
tile in twenty (for the kernel that is bound by its launch, 5 % more work takes no more time, so it has none).

The machine must be quiet: where others hold the cores there is no figure but a reason, which is counted as such.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ITSELF = "itself"
CPP = '''
import torch
from tvm_ffi.cpp import load_inline

SOURCE = r"""
#include <cmath>
#include <cstdint>

static void one(const float* x, float* y, int64_t n) {{
{body}
}}

void run(tvm::ffi::TensorView x, tvm::ffi::TensorView out) {{
  const int64_t rows = x.size(0), cols = x.size(1);
  const float* from = static_cast<const float*>(x.data_ptr());
  float* to = static_cast<float*>(out.data_ptr());
#pragma omp parallel for schedule(static)
  for (int64_t part = 0; part < rows / {block}; ++part) {{
    for (int64_t r = part * {block}; r < (part + 1) * {block}; ++r) one(from + r * cols, to + r * cols, cols);
    for (int64_t r = part * {block}; r < part * {block} + {again}; ++r) one(from + r * cols, to + r * cols, cols);
  }}
}}
"""
library = load_inline(name="aa", cpp_sources=SOURCE, functions=["run"])


class ModelNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        library.run(x, out)
        return out
'''
CPP_SOFTMAX = """
  float top = x[0], sum = 0;
  for (int64_t i = 1; i < n; ++i) top = x[i] > top ? x[i] : top;
  for (int64_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - top);
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
"""
CPP_SCALE = """
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * 1.5f + 0.25f;
"""

TRITON_ROWS = """
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(x, y, rows, cols, BLOCK: tl.constexpr):
    row = tl.program_id(0) % rows
    at = tl.arange(0, BLOCK)
    inside = at < cols
    v = tl.load(x + row * cols + at, mask=inside, other=float("-inf")).to(tl.float32)
    {body}
    tl.store(y + row * cols + at, v.to(y.dtype.element_ty), mask=inside)


class ModelNew(torch.nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        rows, cols = x.shape
        kernel[(rows + rows * {again} // 20,)](x, y, rows, cols, BLOCK=triton.next_power_of_2(cols), num_warps=8)
        return y
"""
TRITON_SOFTMAX = "v = tl.exp(v - tl.max(v, 0))\n    v = v / tl.sum(v, 0)"
TRITON_SCALE = "v = v * 1.5 + 0.25"
TRITON_MATMUL = """
import torch
import triton
import triton.language as tl


@triton.jit
def kernel(a, b, c, N, K, tiles, BLOCK: tl.constexpr, STEP: tl.constexpr):
    tile = tl.program_id(0) % tiles
    across = N // BLOCK
    rows = (tile // across) * BLOCK + tl.arange(0, BLOCK)
    cols = (tile % across) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK, BLOCK), tl.float32)
    for k in range(0, K, STEP):
        deep = k + tl.arange(0, STEP)
        total += tl.dot(
            tl.load(a + rows[:, None] * K + deep[None, :]), tl.load(b + deep[:, None] * N + cols[None, :])
        )
    tl.store(c + rows[:, None] * N + cols[None, :], total.to(c.dtype.element_ty))


class ModelNew(torch.nn.Module):
    def forward(self, a, b):
        (m, k), n = a.shape, b.shape[1]
        c = torch.empty(m, n, dtype=a.dtype, device=a.device)
        tiles = (m // 128) * (n // 128)
        grid = (tiles + tiles * {again} // 20,)
        kernel[grid](a, b, c, n, k, tiles, BLOCK=128, STEP=64, num_warps=8, num_stages=3)
        return c
"""
OPERATOR = """
import torch


class Model(torch.nn.Module):
    def forward(self, {names}):
        return {result}


def get_inputs():
    return [{inputs}]


def get_init_inputs():
    return []
"""


@dataclass(frozen=True)
class Kernel:
    """A kernel and its slower copy (None where there is none), and the operator that both compute."""

    operator: str
    text: str
    slower: str | None
    toolchain: str
    dtype: str | None = None


def unary(result: str, shape: str) -> str:
    """An operator of one tensor."""
    return OPERATOR.format(names="x", result=result, inputs=f"torch.randn({shape})")


def kernels(device: str) -> dict[str, Kernel]:
    """What is compared on a device."""
    softmax, scale = "torch.softmax(x, -1)", "x * 1.5 + 0.25"
    if device == "cpu":
        rows = {
            "softmax 320x1024": (CPP_SOFTMAX, softmax, "320, 1024"),
            "scale 1280x1024": (CPP_SCALE, scale, "1280, 1024"),
        }
        return {
            name: Kernel(
                unary(result, shape),
                CPP.format(body=body, block=20, again=0),
                CPP.format(body=body, block=20, again=1),
                "cpp",
            )
            for name, (body, result, shape) in rows.items()
        }
    scaled = [TRITON_ROWS.format(body=TRITON_SCALE, again=again) for again in (0, 1)]
    soft = [TRITON_ROWS.format(body=TRITON_SOFTMAX, again=again) for again in (0, 1)]
    products = [TRITON_MATMUL.format(again=again) for again in (0, 1)]
    matmul = OPERATOR.format(names="a, b", result="a @ b", inputs="torch.randn(4096, 4096), torch.randn(4096, 4096)")
    return {
        "softmax 128x1024": Kernel(unary(softmax, "128, 1024"), soft[0], None, "triton"),
        "softmax 8192x4096": Kernel(unary(softmax, "8192, 4096"), soft[0], soft[1], "triton"),
        "scale 16384x4096 bf16": Kernel(unary(scale, "16384, 4096"), scaled[0], scaled[1], "triton", "bfloat16"),
        "matmul 4096 bf16": Kernel(matmul, products[0], products[1], "triton", "bfloat16"),
    }


def compare(judge: Any, kernel: Kernel, text: str, target: Any) -> dict[str, Any]:
    """One judgement of ``text`` against the kernel itself."""
    from akgflow.config.types import Operator
    from akgflow.planning import Reach, judge_request
    from akgflow.terms import Evidence

    operator, found_here = Operator(Path("operator.py"), kernel.operator), Reach((Evidence.EXECUTED,), {})
    asked = judge_request(operator, text, kernel.toolchain, target, found_here)
    request = replace(asked, dtype=kernel.dtype, rivals={ITSELF: kernel.text})
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aa-") as folder:
        verdict = judge.judge(request, Path(folder), lambda: None)
    judge.forget()
    found: dict[str, Any] = {"seconds": time.monotonic() - started, "warnings": verdict.warnings}
    if not verdict.passed:
        raise SystemExit(f"{verdict.status}: {verdict.message}\n{verdict.log}")
    if not verdict.beside:
        return found | {"call": "no figure", "reason": verdict.absent.get("timing", verdict.absent.get("beside"))}
    (timing,) = verdict.beside
    return found | {
        "call": timing.call,
        "ratio": timing.speedup,
        "interval": timing.interval,
        "microseconds": timing.seconds * 1e6,
        "cold": timing.cold_seconds and timing.cold_seconds * 1e6,
        "windows": timing.windows,
    }


def judge_of(machine: Any) -> tuple[Any, Any]:
    """The judge, and what starts its processes."""
    import torch

    from akgflow.verification.judge.candidate_process import ForkServerClient
    from akgflow.verification.judge.judge import Judge

    torch.set_num_threads(machine.cores)
    server = ForkServerClient()
    return Judge(machine, server), server


def show(name: str, kind: str, found: list[dict[str, Any]]) -> None:
    """One line for a kernel and a kind of comparison."""
    ratios = [one["ratio"] for one in found if "ratio" in one]
    counts = Counter(one["call"] for one in found)
    line = f"{name:22} {kind:7} {dict(counts)}"
    if ratios:
        widths = [one["interval"][1] / one["interval"][0] - 1 for one in found if "ratio" in one]
        middle, spread = statistics.median(ratios), statistics.pstdev(ratios)
        took = statistics.median(one["microseconds"] for one in found if "ratio" in one)
        line += (
            f"  {took:.4g} us, ratio {middle:.4f} ({min(ratios):.4f} to {max(ratios):.4f}, sd {spread:.4f}), "
            f"interval {statistics.median(widths) * 50:.1f} % to either side"
        )
    print(f"{line}, {statistics.median(one['seconds'] for one in found):.1f} s each", flush=True)


def main() -> None:
    """Run the comparisons and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--count", type=int, default=40, help="comparisons of a kernel with itself, over all kernels")
    parser.add_argument("--slower", type=int, default=4, help="comparisons with the slower copies, over all kernels")
    parser.add_argument("--seconds", type=float, default=480.0, help="begin no comparison after so many")
    parser.add_argument("--only", default="", help="only the kernels whose name contains this")
    parser.add_argument("--json", type=Path, help="write every comparison to this file")
    options = parser.parse_args()
    from akgflow.config.types import Target
    from akgflow.machine import detect

    machine = detect()
    target = Target("cpu", "cpu", "native")
    if options.device == "cuda":
        device = machine.devices[0]
        target = Target("gpu", device.platform, device.arch, device=device.name)
    judge, server = judge_of(machine)
    chosen = {name: one for name, one in kernels(options.device).items() if options.only in name}
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    started = time.monotonic()
    # The slower ones first: there are few of them.
    for kind, wanted in (("slower", options.slower), ("same", options.count)):
        able = [name for name, one in chosen.items() if kind == "same" or one.slower is not None]
        for number in range(wanted):
            if time.monotonic() - started > options.seconds:
                break
            name = able[number % len(able)]
            kernel = chosen[name]
            text = kernel.text if kind == "same" else str(kernel.slower)
            one = compare(judge, kernel, text, target)
            results.setdefault(kind, {}).setdefault(name, []).append(one)
            print(f"{kind:7} {name:22} {json.dumps(one)}", file=sys.stderr, flush=True)
    server.end_all()
    for kind, by_name in results.items():
        for name, found in by_name.items():
            show(name, kind, found)
        total = Counter(one["call"] for found in by_name.values() for one in found)
        print(f"{kind}: {dict(total)} of {sum(total.values())}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    if os.environ.get("OMP_WAIT_POLICY") != "PASSIVE":
        # As the executor starts its judges: idle workers must not spin on a core that what is timed needs.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    main()
