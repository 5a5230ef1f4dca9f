"""Numbers and verdicts in the few words that fit a table cell. Never more than the verdict says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from akgflow.base.text import counted
from akgflow.operators.preparation import Prepared
from akgflow.speed import overall
from akgflow.terms import Evidence, Status, in_order
from akgflow.verdict import KernelResources, Overall, Timing, Verdict

if TYPE_CHECKING:
    from akgflow.budget.ledger import Spent  # brings asyncio, which no plan needs
    from akgflow.planning import Ceiling
    from akgflow.suites import Likely


def seconds(value: float) -> str:
    """A duration with three significant digits: ``41.2 us``, ``1.30 ms``, ``2.00 s``."""
    for unit, scale in (("us", 1e-6), ("ms", 1e-3)):
        if value < 1000 * scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.1f} min"


def clock(value: float) -> str:
    """Seconds as they pass: ``7 s``, ``3:05``, ``1:02:03``."""
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def age(value: float) -> str:
    """Seconds since something, in the largest unit that fits: ``40 s``, ``5 min``, ``3 h``, ``12 d``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value >= size:
            return f"{value // size:.0f} {unit}"
    return f"{value:.0f} s"


def megabytes(value: float) -> str:
    """``12.3 MB``."""
    return f"{value / 1e6:,.1f} MB"


def models(asked: Mapping[str, str]) -> str:
    """``default = openai/gpt-5``: the models of a plan by name."""
    return ", ".join(f"{name} = {model}" for name, model in asked.items()) or "none"


def worst_price(ceiling: Ceiling) -> str:
    """``$1.20``, or what has no known price."""
    return f"price unknown for {', '.join(ceiling.unpriced)}" if ceiling.usd is None else f"${ceiling.usd:.2f}"


def spent(took: Spent) -> str:
    """``12,000 tokens, $0.0400``, with ``+ ?`` where calls have no known price."""
    return f"{took.tokens:,} tokens, ${took.usd:.4f}{' + ?' if took.unpriced else ''}"


def case_of(case: object) -> str:
    """``m=512 n=512``: a case in one cell."""
    return " ".join(f"{name}={value}" for name, value in dict(case).items())  # type: ignore[call-overload]


def correctness(verdict: Verdict) -> str:
    """``PASSED, 4 cases x 2 inputs``, or what is wrong."""
    if verdict.status is not Status.PASSED or verdict.correctness is None:
        return str(verdict.status)
    cases = verdict.correctness.cases
    shapes = len({case_of(case.case) for case in cases})
    return f"{verdict.status}, {shapes} shape{'s' * (shapes != 1)}, {len(cases)} checks"


def speed(timing: Timing) -> str:
    """The ratio with its interval, what it is against, and what both took."""
    low, high = timing.interval
    calls = f" (over {counted(timing.prepared.calls, 'call')})" if timing.prepared else ""
    ratio = f"{timing.speedup:.2f}x [{low:.2f}, {high:.2f}]{calls} {timing.call}"
    return f"{ratio} than {timing.baseline}" if timing.call != "same" else f"{ratio} as {timing.baseline}"


def times(timing: Timing) -> str:
    """What candidate and baseline took, where, and at which case."""
    took = f"{seconds(timing.seconds)} against {seconds(timing.baseline_seconds)}"
    at = case_of(timing.case)
    return f"{took}{f' at {at}' if at else ''} on {timing.device}"


def whole(found: Overall) -> str:
    """The speedup for all cases together, and how many they are."""
    low, high = found.interval
    ratio = f"{found.speedup:.2f}x [{low:.2f}, {high:.2f}] over {found.baseline}"
    if found.untimed:
        return f"{ratio} for all {found.cases + found.untimed} cases, {found.untimed} of them untimed"
    return f"{ratio} for all {found.cases} cases" if found.cases > 1 else ratio


def figures(verdict: Verdict) -> list[str]:
    """A verdict's times, a line each: of its only case in full, or of all cases together and then of each."""
    if (len(verdict.timing) <= 1 and not verdict.untimed) or len({case_of(one.case) for one in verdict.timing}) == 1:
        lines = [text for timing in verdict.timing for text in (speed(timing), times(timing), _prepared(timing))]
        lines = [text for text in lines if text]
        lines += [text for text in map(limits, verdict.timing[:1]) if text]
    else:
        lines = [whole(one) for one in overall(verdict.timing, verdict.untimed)]
        lines += [f"{case_of(timing.case)}: {_brief(timing)}" for timing in verdict.timing]
    if verdict.timing:
        lines += [f"{case_of(one.case)}: not timed: {one.reason}" for one in verdict.untimed]
    return lines


def _brief(timing: Timing) -> str:
    took = f"{seconds(timing.seconds)} against {seconds(timing.baseline_seconds)}"
    share = f", {timing.roofline.share:.0%} of the roofline" if timing.roofline else ""
    return "; ".join(filter(None, (f"{speed(timing)}, {took}{share}", _prepared(timing))))


def _prepared(timing: Timing) -> str:
    return prepared(timing.prepared) if timing.prepared is not None else ""


def limits(timing: Timing) -> str:
    """``52.0 us with cold caches; 61% of the roofline (memory: 25.2 us)``; empty where neither is known.

    Where gradients are judged, forward and backward come before that.
    """
    parts = [f"{name} {seconds(one.seconds)} ({one.speedup:.2f}x)" for name, one in timing.parts.items()]
    parts += [f"{seconds(timing.cold_seconds)} with cold caches"] if timing.cold_seconds is not None else []
    if timing.roofline is not None:
        floor = seconds(timing.roofline.floor_seconds)
        share = f"{timing.roofline.share:.0%} of the roofline ({timing.roofline.limit}: {floor})"
        parts.append(share + (f", {timing.roofline.note}" if timing.roofline.note else ""))
    return "; ".join(parts)


def prepared(found: Prepared) -> str:
    """``prepare() 1.20 ms, 3.4 MB; 2.10x [2.00, 2.20] without it; pays after 12 calls``."""
    low, high = found.alone_interval
    pays = "never pays" if found.pays_after is None else f"pays after {counted(found.pays_after, 'call')}"
    alone = f"{found.alone:.2f}x [{low:.2f}, {high:.2f}] without it"
    return f"prepare() {seconds(found.seconds)}, {megabytes(found.bytes)}; {alone}; {pays}"


def resources(found: KernelResources) -> str:
    """``gemm for sm_90a: 128 registers, 32.0 KiB shared, 0 B spilled``; what is unknown is left out."""
    parts = []
    if found.registers is not None:
        parts.append(f"{found.registers} registers")
    if found.shared_bytes is not None:
        parts.append(f"{found.shared_bytes / 1024:.4g} KiB shared")
    if found.spill_bytes is not None:
        parts.append(f"{found.spill_bytes} B spilled")
    if found.tensor_cores:
        parts.append(", ".join(found.tensor_cores))
    return f"{found.kernel} for {found.arch}: {', '.join(parts) or 'no figures'}"


def heaviest(found: tuple[KernelResources, ...]) -> tuple[KernelResources, ...]:
    """For each kernel the specialisation that takes most; a kernel is compiled once for each kind of argument."""
    worst: dict[str, KernelResources] = {}
    for one in found:
        other = worst.get(one.kernel)
        if other is None or _weight(one) > _weight(other):
            worst[one.kernel] = one
    return tuple(worst.values())


def _weight(found: KernelResources) -> tuple[int, int, int]:
    return found.spill_bytes or 0, found.registers or 0, found.shared_bytes or 0


def evidence(found: tuple[Evidence, ...]) -> str:
    """``interpreted, compiled`` or ``none``, the highest first."""
    return ", ".join(in_order(found)) or str(Evidence.NONE)


def likely(known: Likely | None) -> str:
    """What a run probably takes, and by which earlier ones."""
    if known is None:
        return "unknown: no earlier run used this workflow with these models"
    took = f"{known.calls:,.0f} model calls with {known.tokens:,.0f} tokens (${known.usd:.2f})"
    time = f"{seconds(known.seconds)} of runs one after the other, {seconds(known.device_seconds)} of judging"
    return f"{took}, {time}: the mean of {counted(known.jobs, 'job')} in {counted(known.runs, 'earlier run')}"
