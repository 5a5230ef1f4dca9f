"""Does a verdict meet a task's gates?"""

from __future__ import annotations

from collections.abc import Sequence

from akgflow.config.types import Gates
from akgflow.speed import speeds_of
from akgflow.terms import Evidence
from akgflow.verdict import Verdict


def unmet(gates: Gates, verdict: Verdict) -> list[str]:
    """One sentence for each gate that the verdict does not meet; empty when it meets them all."""
    reasons = []
    if not verdict.passed:
        reasons.append(f"correct: {verdict.status}: {verdict.message}")
    if not gates.evidence.satisfied_by(verdict.evidence):
        have = ", ".join(verdict.evidence) or "none"
        why = verdict.absent.get(gates.evidence, "")
        reasons.append(f"evidence: {gates.evidence} is asked for, {have} was obtained{': ' + why if why else ''}")
    if gates.shapes and verdict.passed and (why := _special(verdict)):
        reasons.append(f"shapes: {gates.shapes} is asked for, {why}")
    reasons += _unsanitized(gates.sanitized, verdict) if verdict.passed else []
    if gates.fast and Evidence.EXECUTED in verdict.evidence:
        reasons += _slow(gates.fast.over, gates.fast.at_least, verdict)
    if gates.uses and gates.uses not in (used := _families(verdict)):
        seen = ", ".join(sorted(used)) or ("no tensor cores" if verdict.resources else "no kernel's instructions")
        reasons.append(f"uses: {gates.uses} is asked for, and the kernels show {seen}")
    return reasons


def _special(verdict: Verdict) -> str:
    """Why a kernel is not known to serve other shapes; empty where it does."""
    found = verdict.shapes
    if found is not None and found.general:
        return ""
    if found is not None and found.specialised:
        return f"and the kernel is specialised to {found.specialised}"
    why = f": {found.untried}" if found is not None and found.untried else ""
    return f"and no other shape was tried{why}"


def _unsanitized(kinds: Sequence[str], verdict: Verdict) -> list[str]:
    """The kinds of which something was found, or which nobody looked for: that is no reason to pass."""
    found = {one.kind: one for one in verdict.sanitized}
    unclean = [(kind, found.get(kind)) for kind in kinds if kind not in found or not found[kind].clean]
    return [f"sanitized: {one or f'{kind}: not looked at'}" for kind, one in unclean]


def _families(verdict: Verdict) -> set[str]:
    """The families of tensor-core instructions in the kernels that were compiled."""
    return {one.partition(" ")[0] for kernel in verdict.resources for one in kernel.tensor_cores or ()}


def _slow(over: str, at_least: float, verdict: Verdict) -> list[str]:
    """The gate holds when the whole interval is not below it: a ratio that only might be enough is not."""
    speed = speeds_of(verdict).get(over)
    if speed is None:
        return [f"fast: {at_least:g}x over {over} is asked for and no timing was obtained"]
    if speed.low >= at_least:
        return []
    unknown = len(verdict.untimed)
    without = f", where {unknown} cases without a time count as 1x at most" if unknown else ""
    return [f"fast: {at_least:g}x over {over} is asked for, {speed} was measured{without}"]
