"""A verdict in the words that a model repairs from: what is wrong, where, by how much, and the compiler's own words."""

from __future__ import annotations

from akgflow.terms import Status
from akgflow.verdict import CaseResult, KernelResources, Timing, Verdict

MAX_CHARACTERS = 6_000
"""About 2,000 tokens: feedback is paid for in every repair prompt."""

_MAX_CASES = 6


def describe(verdict: Verdict) -> str:
    """The verdict as a short text, at most `MAX_CHARACTERS` long."""
    parts = [f"Verdict: {verdict.status}. {verdict.message}"]
    if verdict.correctness:
        parts += _numerics(verdict.correctness.cases)
    parts += [_resources(r) for r in verdict.resources]
    parts += [_timing(t) for t in verdict.timing]
    parts += [f"Not obtained: {evidence} ({reason})" for evidence, reason in verdict.absent.items()]
    text = "\n".join(parts)
    if verdict.log:
        room = max(500, MAX_CHARACTERS - len(text) - 20)
        text += "\nLog:\n" + _middle_cut(verdict.log.strip(), room)
    return _middle_cut(text, MAX_CHARACTERS)


def _numerics(cases: tuple[CaseResult, ...]) -> list[str]:
    """The failing cases first; the right ones in one line, because they narrow the cause down."""
    wrong = [case for case in cases if case.status is not Status.PASSED]
    right = [case for case in cases if case.status is Status.PASSED]
    lines = [_case(case) for case in wrong[:_MAX_CASES]]
    if len(wrong) > _MAX_CASES:
        lines.append(f"... and {len(wrong) - _MAX_CASES} more cases are wrong.")
    if wrong and right:
        lines.append("Right: " + "; ".join(dict.fromkeys(_shape(case) for case in right)))
    return lines


def _case(case: CaseResult) -> str:
    line = f"Wrong: {_shape(case)}, {case.distribution} inputs: {case.status}."
    if case.detail:
        line += f" {case.detail}"
    if case.status is Status.INCORRECT_NUMERICAL:
        line += f" {case.wrong} of {case.total} elements outside their bound;"
        line += f" error {case.error:.3g}, bound {case.bound:.3g}."
    if case.worst:
        place = ", ".join(map(str, case.worst.index))
        line += f" Worst at [{place}]: got {case.worst.got:.7g}, expected {case.worst.expected:.7g}."
    return line


def _shape(case: CaseResult) -> str:
    return ", ".join(f"{name}={value}" for name, value in case.case.items()) or "the operator's own shapes"


def _resources(found: KernelResources) -> str:
    facts = {
        "registers": found.registers,
        "shared memory bytes": found.shared_bytes,
        "spill bytes": found.spill_bytes,
        **found.extra,
    }
    known = ", ".join(f"{value} {name}" for name, value in facts.items() if value is not None)
    return f"Compiled {found.kernel} for {found.arch}: {known}."


def _timing(timing: Timing) -> str:
    low, high = timing.interval
    return (
        f"Time: {timing.seconds * 1e6:.1f} us against {timing.baseline_seconds * 1e6:.1f} us for {timing.baseline}: "
        f"{timing.speedup:.2f}x [{low:.2f}, {high:.2f}], {timing.call}."
    )


def _middle_cut(text: str, room: int) -> str:
    """Keep both ends: compilers say what is wrong first, tracebacks last."""
    if len(text) <= room:
        return text
    half = (room - 20) // 2
    return f"{text[:half]}\n... (cut) ...\n{text[-half:]}"
