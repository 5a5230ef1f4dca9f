"""A verdict as traces in flashinfer-trace's form: one for each workload of a problem.

Specified in flashinfer-ai/flashinfer-bench: ``docs/flashinfer-trace/trace.mdx``. Its readers ignore the member
``akgflow``, which says what the form has no word for.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from akgflow.base.serial import to_data
from akgflow.config.types import Operator
from akgflow.terms import Status
from akgflow.verdict import CaseResult, Timing, Verdict

_OTHERS = {
    Status.OUT_OF_MEMORY: "RUNTIME_ERROR",
    Status.INVALID: "RUNTIME_ERROR",
    Status.FALLBACK: "REWARD_HACK",
    Status.REFUSED: "REWARD_HACK",
}
"""Statuses that the form has no word for; ``REWARD_HACK`` is SOL-ExecBench's."""
_TOLERANCE = {"max_atol": 1e-2, "max_rtol": 1e-2, "required_matched_ratio": 0.99, "max_error_cap": None}
"""SOL-ExecBench's, where a workload states none."""
_ABSOLUTE = ("max_atol", "max_error_cap")
_OWN = "operator"
"""The distribution of inputs that the problem itself describes."""


def traces(verdict: Verdict, operator: Operator, solution: str) -> list[dict[str, Any]]:
    """A trace for each case that was announced. Where nothing was judged, they hold the workload alone."""
    by_case = _by_case(verdict, operator)
    return [
        {
            "definition": operator.translation.name if operator.translation else operator.file.stem,
            "workload": _workload(case, operator),
            "solution": solution,
            "evaluation": None if verdict.status is Status.NOT_RUN else _evaluation(verdict, case, results, operator),
        }
        for case, results in by_case
    ]


def _by_case(verdict: Verdict, operator: Operator) -> list[tuple[Mapping[str, Any], list[CaseResult]]]:
    shown = [one for one in verdict.correctness.cases if not one.secret] if verdict.correctness else []
    known: list[Mapping[str, Any]] = [] if shown else list(operator.cases or ({},))
    for one in shown:
        if one.case not in known:
            known.append(one.case)
    return [(case, [one for one in shown if one.case == case]) for case in known]


def _workload(case: Mapping[str, Any], operator: Operator) -> dict[str, Any]:
    """The problem's own entry, or one that is made of the case."""
    made = operator.translation
    if made is not None and made.workloads and case in made.cases:
        return dict(made.workloads[made.cases.index(case)])
    name = f"{operator.file.stem} {sorted(case.items())}"
    sizes = {key: value for key, value in case.items() if type(value) is int}
    return {"uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, name)), "axes": sizes, "inputs": {}}


def _evaluation(
    verdict: Verdict, case: Mapping[str, Any], results: Sequence[CaseResult], operator: Operator
) -> dict[str, Any]:
    # A workload passes where the whole verdict does: a kernel that was refused elsewhere is right on none.
    status = next((one.status for one in results if one.status is not Status.PASSED), verdict.status)
    timed = next((one for one in verdict.timing if one.case == case), None)
    return {
        "status": _OTHERS.get(status, str(status)),
        "environment": {"hardware": verdict.environment.hardware, "libs": dict(verdict.environment.libs)},
        "timestamp": verdict.timestamp,
        "log": "\n".join(filter(None, (verdict.message, verdict.log))),
        "correctness": _correctness(verdict, results)
        if status in (Status.PASSED, Status.INCORRECT_NUMERICAL)
        else None,
        "performance": _performance(timed) if status is Status.PASSED and timed else None,
        "akgflow": {
            "status": str(status),
            "evidence": [str(one) for one in verdict.evidence],
            "target": verdict.target,
            "timing": None if timed is None else to_data(timed),
            **({"tolerance": found} if (found := _tolerance(case, results, operator)) else {}),
        },
    }


def _correctness(verdict: Verdict, results: Iterable[CaseResult]) -> dict[str, Any]:
    """Errors on the inputs that the problem describes; the relative one is that of all workloads together."""
    own = [one.error for one in results if one.distribution == _OWN]
    relative = verdict.correctness.max_relative_error if verdict.correctness else 0.0
    return {"max_relative_error": _number(relative), "max_absolute_error": _number(max(own, default=0.0))}


def _performance(timed: Timing) -> dict[str, float]:
    return {
        "latency_ms": timed.seconds * 1e3,
        "reference_latency_ms": timed.baseline_seconds * 1e3,
        "speedup_factor": timed.speedup,
    }


def _tolerance(case: Mapping[str, Any], results: Iterable[CaseResult], operator: Operator) -> dict[str, Any] | None:
    """The problem's own tolerance, and whether every element is within it for certain; None where it is not known.

    The judge's bounds decide. An absolute error within ``max_atol`` is within any bound that the rest adds.
    """
    made = operator.translation
    if made is None or not made.workloads or case not in made.cases:
        return None
    workload = made.workloads[made.cases.index(case)]
    if "checks" in workload:
        return _checks(workload["checks"], results)
    stated = {**_TOLERANCE, **(workload.get("tolerance") or {})}
    own = [one.error for one in results if one.distribution == _OWN]
    cap = stated["max_error_cap"]
    limit = stated["max_atol"] if cap is None else min(stated["max_atol"], cap)
    return {**stated, "met": True if own and max(own) <= limit else None}


def _checks(checks: Any, results: Iterable[CaseResult]) -> dict[str, Any]:
    """The same where a workload states a check for each output: met where all are absolute bounds on errors."""
    own = [one.error for one in results if one.distribution == _OWN]
    plain = isinstance(checks, list) and all(
        isinstance(one, dict) and one.get("mode") == "elementwise" and isinstance(one.get("max_atol"), int | float)
        for one in checks
    )
    limits = [one[name] for one in checks for name in _ABSOLUTE if one.get(name) is not None] if plain else []
    return {"checks": checks, "met": True if own and limits and max(own) <= min(limits) else None}


def _number(value: float) -> float | str:
    """JSON has no infinity; the form writes it as text."""
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity"
