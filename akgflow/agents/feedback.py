"""A verdict in the words that a model repairs from: what is wrong, where, by how much, and what that suggests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from akgflow.base.text import lines as lines_of
from akgflow.base.text import named_values, visible
from akgflow.config.types import Scalar
from akgflow.operators.preparation import Prepared
from akgflow.terms import Status
from akgflow.verdict import CaseResult, KernelProfile, KernelResources, Timing, Verdict

MAX_CHARACTERS = 1_600
"""About 450 tokens: feedback is paid for in every repair, and all of it lies behind what providers keep."""
MAX_SUMMARY = 160
"""Characters of one earlier attempt."""
MAX_LOG_LINES = 24
_MAX_SHAPES = 3
_MAX_KERNELS = 2
_MAX_OPERATORS, _LEAST_SHARE = 4, 0.03
"""Of those that a baseline consists of: so many, none with a smaller share."""
_NEAR = 0.7
"""Share of the roofline from which on there is little left to gain."""
_LAUNCH_SECONDS = 15e-6
"""Below this, launching and Python take a good part of a call on a GPU."""
_NOISE = re.compile(
    r"^In file included from|^\s+from \S+[:,]|^Traceback \(most recent|^\s*\|?\s*[~^]+[\s~^|]*$|site-packages/|"
    r"^During handling|^The above exception"
)
"""Lines of a log that nobody acts on: include traces, carets, frames of libraries."""
_DECIDES = {
    "memory": "moving data decides: touch each byte once, contiguously and wide, with more loads in flight",
    "compute": "arithmetic decides: larger tiles for each worker, loads overlapped with it, the fastest units that the "
    "precision allows",
}


_WAITS = {
    "long scoreboard": "loads from device memory; load earlier, wider, or keep more warps resident",
    "short scoreboard": "shared memory; fewer or conflict-free accesses",
    "mio throttle": "shared memory; fewer or conflict-free accesses",
    "lg throttle": "too many small accesses to memory; make them wider",
    "barrier": "synchronisation of the block; fewer barriers, or smaller blocks",
    "math pipe": "arithmetic; fewer or cheaper operations",
    "not selected": "nothing: there are warps enough",
    "wait": "fixed latencies; more independent work in each thread",
}
"""What the wait of warps, in the profiler's words, comes from and calls for."""


def describe(verdict: Verdict) -> str:
    """The verdict as a short text, at most `MAX_CHARACTERS` long."""
    wrong = [c for c in verdict.correctness.cases if c.status is not Status.PASSED] if verdict.correctness else []
    head = _numerics(verdict, wrong) if wrong else [f"{verdict.status}: {verdict.message}"]
    tail = [*_timing(verdict), *_resources(verdict.resources, bool(verdict.timing)), *_counters(verdict.profile)]
    tail += [f"Sanitizer: {finding}" for one in verdict.sanitized for finding in one.findings]
    if "timing" in verdict.absent:
        tail.append(f"Not timed: {verdict.absent['timing']}")
    text = visible("\n".join([*head, *tail]))
    log = "" if wrong else _cut_log(visible(verdict.log), visible(verdict.message))
    if log:
        text += "\n" + _both_ends(log, max(300, MAX_CHARACTERS - len(text) - 1))
    return _both_ends(text, MAX_CHARACTERS)


def summary(text: str) -> str:
    """One line about an earlier attempt, at most `MAX_SUMMARY` characters long."""
    line = " ".join(visible(text).split())
    return line if len(line) <= MAX_SUMMARY else line[: MAX_SUMMARY - 1] + "…"


def _numerics(verdict: Verdict, wrong: list[CaseResult]) -> list[str]:
    """Each wrong shape with what was seen first, and under which inputs; then the right ones, which narrow it down."""
    assert verdict.correctness is not None
    told = [case for case in verdict.correctness.cases if case in wrong or not case.secret]
    shapes = list(dict.fromkeys(_shape(one.case) for one in told))
    failed = list(dict.fromkeys(_shape(one.case) for one in wrong))
    lines = [f"{wrong[0].status}: wrong at {len(failed)} of {len(shapes)} shapes that were tried."]
    for shape in failed[:_MAX_SHAPES]:
        seen = [one for one in wrong if _shape(one.case) == shape]
        inputs = ", ".join(dict.fromkeys(case.distribution for case in seen))
        lines.append(f"- {shape} ({inputs} inputs): {seen[0].detail or seen[0].status}")
    if failed[_MAX_SHAPES:]:
        lines.append(f"- and at {'; '.join(failed[_MAX_SHAPES:])}")
    right = [shape for shape in shapes if shape not in failed]
    if right:
        lines.append(f"Right at {'; '.join(right)}")
    return lines


def _shape(case: Mapping[str, Scalar]) -> str:
    return named_values(case) or "the operator's own shapes"


def _timing(verdict: Verdict) -> Iterator[str]:
    """Against each baseline, and against the least time that the target can take, with what decides that."""
    several = len(verdict.timing) > len(verdict.overall) or bool(verdict.timing and verdict.untimed)

    def at(timing: Timing) -> str:
        return f"{_shape(timing.case)}: " if several else ""

    for whole in verdict.overall if several else ():
        low, high = whole.interval
        yield f"{whole.speedup:.2f}x {whole.baseline} [{low:.2f}, {high:.2f}], the geometric mean over all cases."
    for timing in verdict.timing:
        low, high = timing.interval
        yield (
            f"{at(timing)}{timing.seconds * 1e6:.1f} us, {timing.speedup:.2f}x {timing.baseline} "
            f"[{low:.2f}, {high:.2f}] ({timing.call}) on {timing.device}."
            + "".join(
                f" {name.capitalize()}: {one.seconds * 1e6:.1f} us, {one.speedup:.2f}x."
                for name, one in timing.parts.items()
            )
            + _prepared(timing.prepared)
        )
    if verdict.timing:
        yield from (f"{_shape(one.case)}: not timed: {one.reason}" for one in verdict.untimed)
    known = [(one.roofline.share, at) for at, one in enumerate(verdict.timing) if one.roofline]
    if known:
        # Where most is left to gain.
        least = verdict.timing[min(known)[1]]
        yield f"{at(least)}{_roofline(least)}"
    spent = [one for one in verdict.timing if one.spending]
    if spent:
        # Launching counts least in the longest call.
        longest = max(spent, key=lambda one: one.baseline_seconds)
        yield f"{at(longest)}{_spending(longest)}"


def _prepared(found: Prepared | None) -> str:
    if found is None:
        return ""
    return (
        f" That is spread over {found.calls:,} calls: prepare() takes {found.seconds * 1e6:.1f} us, and the calls "
        f"alone are {found.alone:.2f}x."
    )


def _roofline(timing: Timing) -> str:
    found = timing.roofline
    assert found is not None
    what = f"{found.flops / 1e9:.3g} GFLOP" if found.limit == "compute" else f"{found.bytes / 1e6:.3g} MB"
    text = (
        f"{found.share:.0%} of the roofline: {what} ({found.limit}) take {found.floor_seconds * 1e6:.1f} us at best. "
    )
    if found.note:
        return f"{text}This is {found.note}."
    if found.share >= _NEAR:
        return text + "Little is left to gain."
    if timing.seconds < _LAUNCH_SECONDS:
        return text + "So short a call is mostly launching: fewer kernels, and less Python in forward."
    return text + f"Here {_DECIDES.get(found.limit, 'the slower of both decides')}."


def _spending(timing: Timing) -> str:
    """What a baseline's time goes into."""
    first, *others = timing.spending
    who = timing.baseline.capitalize()
    if not others:
        return f"{who} is {first.operator} alone{f', {first.calls} calls' if first.calls > 1 else ''}."
    shown = [one for one in timing.spending[:_MAX_OPERATORS] if one.share >= _LEAST_SHARE]
    parts = [f"{one.share:.0%} in {one.operator}{f' ({one.calls} calls)' if one.calls > 1 else ''}" for one in shown]
    return f"{who} spends {', '.join(parts)}."


def _resources(found: tuple[KernelResources, ...], all_of_them: bool) -> Iterator[str]:
    """What kernels take; where speed is not the matter, only those that spill."""
    for one in [r for r in found if all_of_them or r.spill_bytes][:_MAX_KERNELS]:
        facts = {
            "registers": one.registers,
            "bytes of shared memory": one.shared_bytes,
            "bytes spilled": one.spill_bytes,
        }
        known = ", ".join(f"{value} {name}" for name, value in facts.items() if value is not None)
        hint = "; spilling goes through memory: smaller tiles, or fewer values alive" if one.spill_bytes else ""
        cores = "" if one.tensor_cores is None else f"; tensor cores: {', '.join(one.tensor_cores) or 'not used'}"
        yield f"{one.kernel} on {one.arch}: {known}{cores}{hint}."


def _counters(found: tuple[KernelProfile, ...]) -> Iterator[str]:
    """What the GPU's counters say, and what the most frequent wait suggests."""
    for one in found[:_MAX_KERNELS]:
        facts = {
            "arithmetic units": one.compute_percent,
            "device memory": one.memory_percent,
            "occupancy": one.occupancy_percent,
            "L2 hits": one.l2_hit_percent,
        }
        known = ", ".join(f"{name} {value:.0f} %" for name, value in facts.items() if value is not None)
        text = f"Counters of {one.kernel}: {known}"
        if one.stall:
            share = f" ({one.stall_percent:.0f} %)" if one.stall_percent is not None else ""
            text += f"; warps mostly wait for {one.stall}{share}"
        hint = next((hint for words, hint in _WAITS.items() if words in one.stall), "")
        yield f"{text}{hint and ': ' + hint}."


def _cut_log(log: str, message: str) -> str:
    """The compiler's or the candidate's own words without what is said already and what nobody acts on."""
    said = {line.strip() for line in lines_of(message)}
    lines = [line.rstrip() for line in lines_of(log) if not _NOISE.search(line) and line.strip() not in said]
    kept = [line for line in lines if line.strip()]
    if len(kept) > MAX_LOG_LINES:
        half = MAX_LOG_LINES // 2
        kept = [*kept[:half], "…", *kept[-half:]]
    return "\n".join(kept)


def _both_ends(text: str, room: int) -> str:
    """Keep both ends: compilers say what is wrong first, tracebacks last."""
    if len(text) <= room:
        return text
    half = (room - 3) // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
