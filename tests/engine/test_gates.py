"""Gates: what a verdict must show for its cell to count as done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from akgflow.config.types import FastGate, Gates
from akgflow.engine.gates import unmet
from akgflow.sanitized import Finding, Sanitized
from akgflow.terms import Evidence, Status
from akgflow.verdict import Environment, KernelResources, OtherShapes, Timing, Untimed, Verdict

EXECUTED, INTERPRETED, COMPILED = Evidence.EXECUTED, Evidence.INTERPRETED, Evidence.COMPILED


def verdict(
    *evidence: Evidence,
    status: Status = Status.PASSED,
    interval: tuple[float, float] | None = None,
    shapes: OtherShapes | None = None,
) -> Verdict:
    timing = (Timing({}, "eager", 1.0, 2.0, 2.0, interval, "faster", 9, 0.1, "cpu"),) if interval else ()
    return Verdict(status, "words", "cpu", evidence, Environment("here"), "now", timing=timing, shapes=shapes)


def at(*speedups: float | None) -> Verdict:
    """Timed at some cases, without noise; not timed where None stands."""
    known = [(n, one) for n, one in enumerate(speedups) if one]
    timing = [Timing({"n": n}, "eager", 1.0, one, one, (one, one), "same", 9, 0.1, "cpu") for n, one in known]
    untimed = [Untimed({"n": n}, "no time") for n, one in enumerate(speedups) if not one]
    return replace(verdict(EXECUTED), timing=tuple(timing), untimed=tuple(untimed))


def with_kernels(*instructions: str) -> Verdict:
    kernels = (KernelResources("gemm", "sm_90a", tensor_cores=instructions), KernelResources("scale", "sm_90a"))
    return replace(verdict(COMPILED), resources=kernels)


CLEAN = Sanitized("memory", "a tool")
RACE = Sanitized("race", "a tool", (Finding("data race", "k.py", 7, "f"),))


def looked(*found: Sanitized) -> Verdict:
    return replace(verdict(EXECUTED), sanitized=found)


@pytest.mark.parametrize(
    ("gates", "found", "reason"),
    [
        (Gates(), verdict(), None),
        (Gates(), verdict(status=Status.INCORRECT_NUMERICAL), "correct: INCORRECT_NUMERICAL"),
        (Gates(evidence=INTERPRETED), verdict(INTERPRETED), None),
        (Gates(evidence=INTERPRETED), verdict(EXECUTED), None),
        (Gates(evidence=INTERPRETED), verdict(COMPILED), "interpreted is asked for, compiled was obtained"),
        (Gates(evidence=EXECUTED), verdict(INTERPRETED, COMPILED), "executed is asked for"),
        (Gates(fast=FastGate()), verdict(INTERPRETED), None),
        (Gates(uses="wgmma"), with_kernels("wgmma bf16", "mma tf32"), None),
        (Gates(uses="wgmma"), with_kernels("mma tf32"), "wgmma is asked for, and the kernels show mma"),
        (Gates(uses="mma"), with_kernels(), "show no tensor cores"),
        (Gates(uses="mma"), verdict(EXECUTED), "show no kernel's instructions"),
        (Gates(sanitized=("memory", "race")), looked(CLEAN, Sanitized("race", "a tool")), None),
        (Gates(sanitized=("memory",)), looked(CLEAN), None),
        (Gates(sanitized=("race",)), looked(CLEAN), "sanitized: race: not looked at"),
        (Gates(sanitized=("race",)), looked(Sanitized("race", absent="no tool")), "race: not looked at: no tool"),
        (Gates(sanitized=("race",)), looked(RACE), "sanitized: race: k.py:7: data race in f (a tool)"),
        (Gates(fast=FastGate()), verdict(EXECUTED), "no timing was obtained"),
        (Gates(fast=FastGate(at_least=1.5)), verdict(EXECUTED, interval=(1.6, 2.2)), None),
        (Gates(fast=FastGate(at_least=1.5)), verdict(EXECUTED, interval=(1.4, 2.2)), "1.5x over eager is asked for"),
        (Gates(fast=FastGate(at_least=1.0)), at(0.5, 4.0), None),
        (Gates(fast=FastGate(at_least=1.5)), at(0.5, 4.0), "1.41x [1.41, 1.41] was measured"),
        (Gates(fast=FastGate(at_least=2.0)), at(4.0, None, None), "where 2 cases without a time count as 1x at most"),
        (Gates(shapes="general"), verdict(EXECUTED, shapes=OtherShapes(({"m": 3},))), None),
        (Gates(shapes="general"), verdict(EXECUTED), "shapes: general is asked for, and no other shape was tried"),
        (Gates(shapes="general"), verdict(EXECUTED, shapes=OtherShapes(untried="no name")), "was tried: no name"),
        (
            Gates(shapes="general"),
            verdict(EXECUTED, shapes=OtherShapes(({"m": 3},), ({"m": 9},), "m=8 (it refuses m=9: words)")),
            "the kernel is specialised to m=8 (it refuses m=9: words)",
        ),
        (Gates(), verdict(EXECUTED, shapes=OtherShapes((), ({"m": 9},), "m=8")), None),
    ],
)
def test_gates(gates: Gates, found: Verdict, reason: str | None) -> None:
    reasons = unmet(gates, found)
    assert bool(reasons) == (reason is not None)
    assert reason is None or reason in reasons[0]
