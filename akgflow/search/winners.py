"""Several kernels as one product: which ones to keep, and which of them is for which shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from akgflow.base.serial import to_json
from akgflow.base.text import named_values
from akgflow.config.types import Scalar
from akgflow.search.pool import Judged
from akgflow.search.quality import timings_of
from akgflow.search.tunables import TunablesError, declared
from akgflow.speed import Speed
from akgflow.verdict import Timing


class NoChoice(Exception):
    """There is nothing to choose by shape; the text says why."""


@dataclass(frozen=True)
class Winner:
    """A kernel that is kept."""

    candidate: str
    """Its id."""
    constants: Mapping[str, Scalar]
    """Those that it declares for tuning, with its values."""
    general: bool
    """Whether it was right on other shapes than the stated ones, too."""


@dataclass(frozen=True)
class Row:
    """A stated case and the kernel for it."""

    case: Mapping[str, Scalar]
    sizes: tuple[int, ...]
    """Of a call, as `akgflow.operators.shapes.sizes` gives them."""
    candidate: str
    gains: tuple[float, ...] = ()
    """How many times as fast as the single best kernel each of the kernels is there, in their order."""


@dataclass(frozen=True)
class Choice:
    """The kernels to keep, the single best one first, and the kernel for each case."""

    kernels: tuple[Judged, ...]
    rows: tuple[Row, ...]

    @cached_property
    def winners(self) -> tuple[Winner, ...]:
        """What is known of each kernel."""
        return tuple(map(_winner, self.kernels))


def choose(right: Sequence[Judged], most: int) -> Choice:
    """Up to ``most`` of the kernels that are right, each the fastest for some case; raises `NoChoice`.

    A case goes to another kernel than the single best one only where that is faster by more than the noise of both. A
    kernel that has no time at a case is left out: at the shapes around it, nobody knows what it loses.
    """
    timed = {judged.candidate.id: judged for judged in right if timings_of(judged.verdict)}
    if not timed:
        raise NoChoice("no right kernel was timed, and nothing else tells which is the best for a shape")
    timed = _at_all_cases(timed)
    best = max(timed.values(), key=lambda judged: judged.worth)
    cases = {_key(one): one for one in timings_of(best.verdict)}
    if len(cases) < 2:
        raise NoChoice("the best kernel was timed at one case alone: name more cases")
    if len({len(one.sizes) for one in cases.values()}) > 1:
        raise NoChoice("the cases differ in more than sizes")
    speeds = {name: {_key(one): Speed.of(one) for one in timings_of(judged.verdict)} for name, judged in timed.items()}
    kept = [best.candidate.id]
    holds = dict.fromkeys(cases, kept[0])
    while len(kept) < most:
        gains = {name: _gain(own, holds, speeds) for name, own in speeds.items() if name not in kept}
        found = max(gains, key=lambda name: gains[name], default=None)
        if found is None or gains[found] <= 0:
            break
        kept.append(found)
        own = speeds[found]
        holds = {key: found if own[key].exceeds(speeds[name][key]) else name for key, name in holds.items()}
    rows = _rows(cases, holds, kept[0])
    used = [name for name in kept if name == kept[0] or any(row.candidate == name for row in rows)]
    if len(used) < 2:
        raise NoChoice("no kernel is faster than the best one at any case by more than the noise")
    first = speeds[used[0]]
    gained = {key: tuple(speeds[name][key].ratio / first[key].ratio for name in used) for key in cases}
    rows = tuple(replace(row, gains=gained[key]) for row, key in zip(rows, cases, strict=True))
    return Choice(tuple(timed[name] for name in used), rows)


def _at_all_cases(timed: Mapping[str, Judged]) -> dict[str, Judged]:
    """The kernels that were timed at every case at which one of them was; raises `NoChoice` where others are lost."""
    found = {name: {_key(one): one.case for one in timings_of(judged.verdict)} for name, judged in timed.items()}
    cases = {key: case for own in found.values() for key, case in own.items()}
    whole = {name: timed[name] for name, own in found.items() if own.keys() == cases.keys()}
    if len(whole) < 2 <= len(timed):
        name, key = next((name, key) for name, own in found.items() for key in cases if key not in own)
        reasons = (one.reason for one in timed[name].verdict.untimed if to_json(dict(one.case)) == key)
        why = next(reasons, "nobody says why")
        raise NoChoice(f"kernel {name} was not timed at {named_values(cases[key])}, where others were: {why}")
    return whole


def _rows(cases: Mapping[str, Timing], holds: Mapping[str, str], best: str) -> tuple[Row, ...]:
    """A row for each case; the best kernel where cases with equal sizes are not for the same one."""
    of: dict[tuple[int, ...], set[str]] = {}
    for key, one in cases.items():
        of.setdefault(one.sizes, set()).add(holds[key])
    return tuple(
        Row(one.case, one.sizes, holds[key] if len(of[one.sizes]) == 1 else best) for key, one in cases.items()
    )


def _gain(own: Mapping[str, Speed], holds: Mapping[str, str], speeds: Mapping[str, Mapping[str, Speed]]) -> float:
    """By what a kernel makes all cases together faster, as a logarithm."""
    pairs = [(own[key], speeds[name][key]) for key, name in holds.items()]
    return sum(math.log(one.ratio / before.ratio) for one, before in pairs if one.exceeds(before))


def _winner(judged: Judged) -> Winner:
    try:
        tunables = declared(judged.candidate.source)
    except TunablesError:
        tunables = None
    shapes = judged.verdict.shapes
    return Winner(judged.candidate.id, tunables.first if tunables else {}, shapes is not None and shapes.general)


def _key(one: Timing) -> str:
    return to_json(dict(one.case))
