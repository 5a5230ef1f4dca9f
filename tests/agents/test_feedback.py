"""What a model is told about a verdict: all that helps, in few words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akgflow.agents import describe, summary
from akgflow.agents.feedback import MAX_CHARACTERS, MAX_SUMMARY
from akgflow.operators.preparation import Prepared
from akgflow.terms import Evidence, Status
from akgflow.verdict import (
    CaseResult,
    Correctness,
    Environment,
    KernelProfile,
    KernelResources,
    OperatorShare,
    Roofline,
    Timing,
    Verdict,
)

BASE = Verdict(Status.PASSED, "right", "gpu", (Evidence.EXECUTED,), Environment("H200"), "")
TIMING = Timing({"m": 512}, "eager", 80e-6, 100e-6, 1.25, (1.2, 1.3), "faster", 20, 0.01, "H200")
SPILLS = KernelResources("k", "sm_90a", registers=255, shared_bytes=1024, spill_bytes=64)
GCC = """\
In file included from /usr/include/c++/12/vector:64,
                 from candidate.cpp:3:
candidate.cpp:14:22: error: 'roow' was not declared in this scope; did you mean 'row'?
   14 |   const float* from = x + roow * cols;
      |                           ^~~~
"""
TRACE = """\
Traceback (most recent call last):
  File "candidate.py", line 40, in forward
    kernel[grid](x, out, n)
  File "/usr/lib/python3.12/site-packages/triton/jit.py", line 700, in run
RuntimeError: illegal memory access
"""


def case(m: int, distribution: str, status: Status = Status.INCORRECT_NUMERICAL, detail: str = "") -> CaseResult:
    return CaseResult({"m": m}, distribution, status, detail=detail)


def numerics(*cases: CaseResult) -> Verdict:
    return replace(BASE, status=Status.INCORRECT_NUMERICAL, message="m", correctness=Correctness(1, 1, cases))


def timed(share: float, limit: str, seconds: float = 80e-6) -> Verdict:
    roofline = Roofline(share * seconds, 2e9, 4e6, limit, share)
    return replace(BASE, timing=(replace(TIMING, seconds=seconds, roofline=roofline),))


def prepared() -> Verdict:
    took = Prepared(1.2e-3, (1e-3, 2e-3), 0, 100, 1.55, (1.5, 1.6), 60)
    return replace(BASE, timing=(replace(TIMING, prepared=took),))


def above_the_roofline() -> Verdict:
    found = timed(1.2, "compute")
    (timing,) = found.timing
    assert timing.roofline is not None
    note = "more than the peak at TF32: by narrower operands"
    return replace(found, timing=(replace(timing, roofline=replace(timing.roofline, note=note)),))


def spending(*shares: tuple[str, int, float]) -> Verdict:
    spent = tuple(OperatorShare(*one) for one in shares)
    return replace(BASE, timing=(replace(TIMING, spending=spent),))


def with_cores(*instructions: str) -> Verdict:
    return replace(timed(0.2, "memory"), resources=(replace(SPILLS, spill_bytes=0, tensor_cores=instructions),))


@pytest.mark.parametrize(
    ("verdict", "said", "unsaid"),
    [
        (
            spending(("addmm", 1, 0.61), ("gelu", 2, 0.37), ("empty", 3, 0.02)),
            ["Eager spends 61% in addmm, 37% in gelu (2 calls)."],
            ["empty"],
        ),
        (spending(("softmax", 1, 1.0)), ["Eager is softmax alone."], ["spends"]),
        (
            replace(BASE, status=Status.COMPILE_ERROR, message="it does not compile", log=GCC),
            ["COMPILE_ERROR: it does not compile", "'roow' was not declared", "14 |   const float* from"],
            ["In file included", "/usr/include", "^~~~"],
        ),
        (
            replace(BASE, status=Status.RUNTIME_ERROR, message="RuntimeError: illegal memory access", log=TRACE),
            ["kernel[grid](x, out, n)", "line 40"],
            ["Traceback", "site-packages"],
        ),
        (
            numerics(case(5, "normal", detail="8 wrong: the tail"), case(5, "wide"), case(8, "normal", Status.PASSED)),
            ["wrong at 1 of 2 shapes", "m=5 (normal, wide inputs): 8 wrong: the tail", "Right at m=8"],
            [],
        ),
        (numerics(*(case(m, "normal", detail="x") for m in range(9))), ["- and at m=3; m=4"], ["Right"]),
        (timed(0.2, "memory"), ["80.0 us, 1.25x eager [1.20, 1.30] (faster) on H200", "20% of the roofline: 4 MB"], []),
        (timed(0.2, "memory"), ["moving data decides"], ["arithmetic"]),
        (prepared(), ["spread over 100 calls: prepare() takes 1200.0 us, and the calls alone are 1.55x."], []),
        (timed(0.2, "compute"), ["2 GFLOP (compute)", "arithmetic decides"], ["moving data"]),
        (timed(0.2, "compute", 5e-6), ["mostly launching"], ["decides"]),
        (above_the_roofline(), ["120% of the roofline", "This is more than the peak at TF32"], ["Little is left"]),
        (with_cores("wgmma bf16", "mma tf32"), ["tensor cores: wgmma bf16, mma tf32."], []),
        (with_cores(), ["tensor cores: not used"], []),
        (timed(0.9, "memory"), ["Little is left to gain"], ["decides"]),
        (replace(BASE, resources=(SPILLS,)), ["255 registers", "64 bytes spilled", "smaller tiles"], []),
        (replace(BASE, resources=(replace(SPILLS, spill_bytes=0),)), [], ["registers"]),
        (replace(timed(0.2, "memory"), resources=(replace(SPILLS, spill_bytes=0),)), ["255 registers"], ["smaller"]),
        (
            replace(BASE, profile=(KernelProfile("k", 1e-5, 12.2, 81.7, 48.0, None, "long scoreboard", 61.0),)),
            ["of k: arithmetic units 12 %, device memory 82 %, occupancy 48 %; warps mostly wait for long scoreboard"],
            ["L2"],
        ),
        (replace(BASE, absent={"timing": "it reuses memory", "executed": "no such device"}), ["it reuses"], ["device"]),
    ],
)
def test_what_is_said(verdict: Verdict, said: list[str], unsaid: list[str]) -> None:
    text = describe(verdict)
    assert [words for words in said if words not in text] == []
    assert [words for words in unsaid if words in text] == []


@pytest.mark.parametrize(
    "verdict",
    [
        replace(BASE, status=Status.COMPILE_ERROR, message="m", log="an error of some length\n" * 5000),
        replace(BASE, status=Status.COMPILE_ERROR, message="m" * 90_000),
        numerics(*(case(m, "normal", detail="d" * 900) for m in range(50))),
        replace(timed(0.2, "memory"), resources=(replace(SPILLS, kernel="k" * 3000),) * 9, log="x" * 9000),
    ],
    ids=["log", "message", "cases", "kernels"],
)
def test_it_is_bounded(verdict: Verdict) -> None:
    assert len(describe(verdict)) <= MAX_CHARACTERS


def test_an_earlier_attempt_is_one_short_line() -> None:
    assert summary("two\nlines") == "two lines"
    assert len(summary("word " * 100)) == MAX_SUMMARY
