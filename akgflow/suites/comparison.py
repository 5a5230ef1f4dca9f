"""What changed between two suites or runs, cell by cell, as far as the noise allows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from akgflow.base.text import lines
from akgflow.errors import ConfigError, ExitCode
from akgflow.speed import Speed
from akgflow.suites.cells import Cell, Scored, State


class Call(StrEnum):
    """What became of a cell."""

    WRONG = "became wrong"
    WORSE = "worse"
    SAME = "same"
    BETTER = "better"
    RIGHT = "became right"
    UNKNOWN = "not compared"


class FailOn(StrEnum):
    """What makes a comparison fail."""

    WORSE = "worse"
    """A cell that became wrong, or worse."""
    WRONG = "wrong"
    """A cell that became wrong."""
    NEVER = "never"


_FAILS = {FailOn.WORSE: {Call.WRONG, Call.WORSE}, FailOn.WRONG: {Call.WRONG}, FailOn.NEVER: set[Call]()}
ORDER = list(Call)
"""What got worse first."""


def fails(calls: Iterable[Call], fail_on: FailOn) -> bool:
    """Whether something happened that must not."""
    return any(call in _FAILS[fail_on] for call in calls)


@dataclass(frozen=True)
class Pair:
    """One cell of both sides."""

    problem: str
    dsl: str
    target: str
    call: Call
    reason: str = ""
    """Why it is not compared, or what makes it wrong."""
    baseline: str = ""
    before: Speed | None = None
    after: Speed | None = None
    diff: str = ""
    """Of the best kernels' sources, as unified diff; empty where they are the same."""


@dataclass(frozen=True)
class Totals:
    """Of one of the two."""

    name: str
    folder: str
    right: int
    tokens: int
    usd: float
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """All pairs, what got worse first. ``only`` names the cells that one side alone has, by its folder."""

    before: Totals
    after: Totals
    pairs: tuple[Pair, ...]
    only: Mapping[str, tuple[str, ...]]

    def count(self, call: Call) -> int:
        """Pairs with this call."""
        return sum(pair.call is call for pair in self.pairs)

    def exit_code(self, fail_on: FailOn = FailOn.WORSE) -> ExitCode:
        """Gate failed where something happened that must not."""
        failed = fails((pair.call for pair in self.pairs), fail_on)
        return ExitCode.GATE_FAILED if failed else ExitCode.DONE


def compare(before: Scored, after: Scored) -> Comparison:
    """Pair the cells by problem, DSL and target; raises `ConfigError` where no cell is in both."""
    old, new = ({cell.name: cell for cell in side.cells} for side in (before, after))
    both = [name for name in old if name in new]
    if not both:
        raise ConfigError(
            f"{before.folder} and {after.folder} have no cell in common: compare runs of the same problems"
        )
    pairs = sorted((pair_of(old[name], new[name]) for name in both), key=lambda pair: ORDER.index(pair.call))
    only = {
        side.folder: tuple(name for name in mine if name not in other)
        for side, mine, other in ((before, old, new), (after, new, old))
    }
    return Comparison(
        _totals(before), _totals(after), tuple(pairs), {folder: some for folder, some in only.items() if some}
    )


def _totals(of: Scored) -> Totals:
    spent = of.spent
    return Totals(of.name, of.folder, of.right, spent.tokens, spent.usd, of.seconds)


def pair_of(old: Cell, new: Cell) -> Pair:
    """What became of a cell."""
    call, reason = _by_state(old, new)
    baseline = next((name for name in old.speeds if name in new.speeds), "")
    before, after = old.speeds.get(baseline), new.speeds.get(baseline)
    if call is None and before is not None and after is not None:
        call, reason = _by_speed(old, new, before, after)
    return Pair(
        problem=new.problem,
        dsl=new.dsl,
        target=new.target,
        call=call or Call.SAME,
        reason=reason if call else "both are right, and nothing was timed on both sides",
        baseline=baseline,
        before=before,
        after=after,
        diff=_diff(old, new),
    )


def _by_state(old: Cell, new: Cell) -> tuple[Call | None, str]:
    """The call where one of the two is not right; None where both are."""
    for when, cell in (("before", old), ("now", new)):
        if cell.state is State.NOT_RUN:
            return Call.UNKNOWN, f"not run {when}: {cell.reason}"
    was, is_ = old.state is State.RIGHT, new.state is State.RIGHT
    if was and is_:
        return None, ""
    if was or is_:
        return (Call.RIGHT, "") if is_ else (Call.WRONG, new.reason)
    return Call.SAME, f"wrong on both sides: {new.reason}"


def _by_speed(old: Cell, new: Cell, before: Speed, after: Speed) -> tuple[Call, str]:
    """Better or worse only where the intervals of the two speedups do not meet."""
    if old.device != new.device:
        return Call.UNKNOWN, f"timed on other hardware: {old.device} before, {new.device} now"
    if after.exceeds(before):
        return Call.BETTER, ""
    return (Call.WORSE, "") if before.exceeds(after) else (Call.SAME, "")


def _diff(old: Cell, new: Cell) -> str:
    if old.source == new.source:
        return ""
    names = f"before/{old.name}", f"after/{new.name}"
    return "\n".join(difflib.unified_diff(lines(old.source), lines(new.source), *names, lineterm=""))
