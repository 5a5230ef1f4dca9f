"""Several kernels as one product: which ones to keep, and which of them is for which shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from akgflow.base.serial import to_json
from akgflow.base.text import named_values
from akgflow.config.types import Scalar
from akgflow.search.pool import Judged
from akgflow.search.quality import timings_of
from akgflow.search.tunables import TunablesError, declared
from akgflow.speed import Speed
from akgflow.verdict import Timing

Speeds: TypeAlias = Mapping[str, Speed]
"""Of one kernel, by case."""
UNKNOWN = 0.5
"""How many times as fast as the single best kernel another one is taken to be at a case at which one of them was not
timed: between the cases it is called only where it is known to gain."""


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

    The single best one is the best of those that were timed at most cases. A case goes to another kernel only where
    that is faster by more than the noise of both; so both were timed there.
    """
    timed = {judged.candidate.id: judged for judged in right if timings_of(judged.verdict)}
    if not timed:
        raise NoChoice("no right kernel was timed, and nothing else tells which is the best for a shape")
    speeds = {name: {_key(one): Speed.of(one) for one in timings_of(judged.verdict)} for name, judged in timed.items()}
    best = max(timed, key=lambda name: (len(speeds[name]), timed[name].worth))
    cases = {_key(one): one for name in (best, *timed) for one in timings_of(timed[name].verdict)}
    if len(cases) < 2:
        raise NoChoice("the best kernel was timed at one case alone: name more cases")
    if len({len(one.sizes) for one in cases.values()}) > 1:
        raise NoChoice("the cases differ in more than sizes")
    kept, holds = [best], dict.fromkeys(cases, best)
    while len(kept) < most:
        gains = {name: _gain(own, holds, speeds) for name, own in speeds.items() if name not in kept}
        found = max(gains, key=lambda name: gains[name], default=None)
        if found is None or gains[found] <= 0:
            break
        kept.append(found)
        faster = {key for key, name in holds.items() if _exceeds(speeds[found], speeds[name], key)}
        holds = {key: found if key in faster else name for key, name in holds.items()}
    rows = _rows(cases, holds, best)
    used = [name for name in kept if name == best or any(row.candidate == name for row in rows)]
    if len(used) < 2:
        raise NoChoice(f"no kernel is faster than the best one at any case by more than the noise{_lost(timed, cases)}")
    gained = {key: tuple(_gained(speeds[name], speeds[best], key) for name in used) for key in cases}
    rows = tuple(replace(row, gains=gained[key]) for row, key in zip(rows, cases, strict=True))
    return Choice(tuple(timed[name] for name in used), rows)


def _exceeds(own: Speeds, before: Speeds, key: str) -> bool:
    """Whether one is known to be faster than the other."""
    return key in own and key in before and own[key].exceeds(before[key])


def _gained(own: Speeds, best: Speeds, key: str) -> float:
    if own is best:
        return 1.0
    return own[key].ratio / best[key].ratio if key in own and key in best else UNKNOWN


def _lost(timed: Mapping[str, Judged], cases: Mapping[str, Timing]) -> str:
    """The first case at which a kernel was not timed and another was, with the reason; empty where there is none."""
    for name, judged in timed.items():
        known = {_key(one) for one in timings_of(judged.verdict)}
        for key in (key for key in cases if key not in known):
            why = [one.reason for one in judged.verdict.untimed if to_json(dict(one.case)) == key]
            return f"; {name} was not timed at {named_values(cases[key].case)}: {(*why, 'nobody says why')[0]}"
    return ""


def _rows(cases: Mapping[str, Timing], holds: Mapping[str, str], best: str) -> tuple[Row, ...]:
    """A row for each case; the best kernel where cases with equal sizes are not for the same one."""
    of: dict[tuple[int, ...], set[str]] = {}
    for key, one in cases.items():
        of.setdefault(one.sizes, set()).add(holds[key])
    return tuple(
        Row(one.case, one.sizes, holds[key] if len(of[one.sizes]) == 1 else best) for key, one in cases.items()
    )


def _gain(own: Speeds, holds: Mapping[str, str], speeds: Mapping[str, Speeds]) -> float:
    """By what a kernel makes all cases together faster, as a logarithm."""
    faster = [(own[key], speeds[name][key]) for key, name in holds.items() if _exceeds(own, speeds[name], key)]
    return sum(math.log(one.ratio / before.ratio) for one, before in faster)


def _winner(judged: Judged) -> Winner:
    try:
        tunables = declared(judged.candidate.source)
    except TunablesError:
        tunables = None
    shapes = judged.verdict.shapes
    return Winner(judged.candidate.id, tunables.first if tunables else {}, shapes is not None and shapes.general)


def _key(one: Timing) -> str:
    return to_json(dict(one.case))
