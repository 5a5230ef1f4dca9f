"""The score of a suite: shares and geometric means over its cells, each with an interval over its problems.

Every figure is a ratio of two sums over problems, or e to the power of one. The interval is the 95 % percentile
interval of the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): problems are drawn
again with replacement, all cells of a problem together, because they share its difficulty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from akgflow import __version__
from akgflow.suites.cells import Cell, Problem, Scored, State

VERSION = 1
"""Of the form of a score."""
FASTER_THAN = (0.8, 1.0, 1.2, 1.5, 2.0)
ATTEMPTS = (1, 2, 5, 10)
_DRAWS = 2_000
_SEED = 1
_LOW, _HIGH = 2.5, 97.5
"""Percentiles."""


@dataclass(frozen=True)
class Figure:
    """One number with its interval."""

    measure: str
    """``right``, ``right_at``, ``fast``, ``speedup`` (failures count as 1.0) or ``speedup_of_right`` (left out)."""
    value: float | None
    """None where no cell counts."""
    of: int
    """Cells that count."""
    low: float | None = None
    """None where there are fewer than two problems."""
    high: float | None = None
    at: float | None = None
    """The number of attempts of ``right_at``; the speedup that ``fast`` must exceed."""
    baseline: str = ""


@dataclass(frozen=True)
class Price:
    """What the problems took; a quotient is None where there is no right kernel, ``usd`` counts what has a price."""

    calls: int
    tokens: int
    usd: float
    unpriced: int
    """Calls without a known price."""
    seconds: float
    """Of all runs one after the other."""
    device_seconds: float
    tokens_per_right: float | None
    usd_per_right: float | None


@dataclass(frozen=True)
class Group:
    """The figures of some problems."""

    name: str
    """``all``, ``level …`` or ``kind …``."""
    problems: int
    right: int
    wrong: int
    not_run: int
    """Cells that count nowhere."""
    untimed: int
    """Right cells without a timing where one was asked for; no speed counts them."""
    figures: tuple[Figure, ...]
    price: Price
    """What these problems took."""

    @property
    def baselines(self) -> tuple[str, ...]:
        """Those over which there are speeds."""
        return tuple(dict.fromkeys(figure.baseline for figure in self.figures if figure.baseline))

    def figure(self, measure: str, at: float | None = None, baseline: str = "") -> Figure | None:
        """One of them."""
        return next((f for f in self.figures if (f.measure, f.at, f.baseline) == (measure, at, baseline)), None)


@dataclass(frozen=True)
class Loser:
    """A cell that is not as it should be, or the slower of those that are: for the top of the list."""

    problem: str
    dsl: str
    target: str
    state: State
    level: str
    kind: str
    attempts: int
    reason: str
    speedups: dict[str, float]
    """By baseline."""


@dataclass(frozen=True)
class Score:
    """The score of a suite or a run."""

    version: int
    akgflow: str
    name: str
    folder: str
    groups: tuple[Group, ...]
    """All problems first, then by level, then by kind."""
    price: Price
    cells: tuple[Loser, ...]
    """All cells: wrong ones first, then from the slowest to the fastest, then those that were not run."""
    unfinished: tuple[str, ...] = ()
    """Problems that the same command would go on with, or begin: the score may still change."""


def score(of: Scored) -> Score:
    """The score; problems that have not begun are cells of no kind, and nothing is said about them."""
    baselines = tuple(dict.fromkeys(name for cell in of.cells for name in sorted(cell.speeds)))
    groups = [_group("all", of.problems, baselines)]
    for what, key in (("level", _level), ("kind", _kind)):
        names = dict.fromkeys(filter(None, map(key, of.problems)))
        if len(names) > 1:
            groups += [
                _group(f"{what} {name}", [one for one in of.problems if key(one) == name], baselines) for name in names
            ]
    unfinished = tuple(one.listed.name for one in of.problems if not one.finished)
    return Score(VERSION, __version__, of.name, of.folder, tuple(groups), groups[0].price, _losers(of), unfinished)


def _level(problem: Problem) -> str:
    return problem.listed.level


def _kind(problem: Problem) -> str:
    return problem.listed.kind


Term = Callable[[Cell], float | None]
"""What a cell adds to the sum; None where it does not count."""


def _group(name: str, problems: Sequence[Problem], baselines: Sequence[str]) -> Group:
    cells = [cell for problem in problems for cell in problem.cells]
    most = max((len(cell.attempts) for cell in cells), default=0)
    figures = [_figure(problems, _is_right, "right")]
    for i, k in enumerate(ATTEMPTS):
        if i == 0 or ATTEMPTS[i - 1] < most:
            figures.append(_figure(problems, _right_at(k), "right_at", at=k))
    for base in baselines:
        figures += [_figure(problems, _fast(base, p), "fast", at=p, baseline=base) for p in FASTER_THAN]
        figures.append(_figure(problems, _log_speed(base, failures=True), "speedup", baseline=base, exp=True))
        figures.append(_figure(problems, _log_speed(base, failures=False), "speedup_of_right", baseline=base, exp=True))
    states = [cell.state for cell in cells]
    untimed = sum(cell.state is State.RIGHT and cell.timeable and not cell.speeds for cell in cells)
    counts = (states.count(State.RIGHT), states.count(State.WRONG), states.count(State.NOT_RUN))
    return Group(name, len(problems), *counts, untimed, tuple(figures), _price(Scored(name, "", tuple(problems))))


def _is_right(cell: Cell) -> float | None:
    return None if cell.state is State.NOT_RUN else float(cell.state is State.RIGHT)


def _right_at(attempts: int) -> Term:
    return lambda cell: None if cell.state is State.NOT_RUN else float(cell.right_by(attempts))


def _fast(baseline: str, than: float) -> Term:
    def term(cell: Cell) -> float | None:
        if not _speed_counts(cell, baseline):
            return None
        return float(baseline in cell.speeds and cell.speeds[baseline].ratio > than)

    return term


def _log_speed(baseline: str, *, failures: bool) -> Term:
    def term(cell: Cell) -> float | None:
        if not _speed_counts(cell, baseline) or (cell.state is State.WRONG and not failures):
            return None
        # Who has no right kernel uses the baseline: 1.0, whose logarithm is 0.
        return math.log(max(cell.speeds[baseline].ratio, 1e-9)) if baseline in cell.speeds else 0.0

    return term


def _speed_counts(cell: Cell, baseline: str) -> bool:
    return cell.timeable and (cell.state is State.WRONG or baseline in cell.speeds)


def _figure(
    problems: Sequence[Problem],
    term: Term,
    measure: str,
    *,
    at: float | None = None,
    baseline: str = "",
    exp: bool = False,
) -> Figure:
    found = [[one for cell in problem.cells if (one := term(cell)) is not None] for problem in problems]
    sums, counts = [sum(one) for one in found], [len(one) for one in found]
    of = sum(counts)
    if not of:
        return Figure(measure, None, 0, at=at, baseline=baseline)
    low, high = interval(sums, counts)
    ends = [None if end is None else math.exp(end) if exp else end for end in (sum(sums) / of, low, high)]
    return Figure(measure, ends[0], of, ends[1], ends[2], at, baseline)


def interval(sums: Sequence[float], counts: Sequence[int]) -> tuple[float | None, float | None]:
    """The bootstrap's interval of ``sum(sums) / sum(counts)`` over problems; the same values give the same ends.

    None for fewer than two problems that count: nothing can be said about others from one.
    """
    import numpy as np  # heavy

    kept = [(total, count) for total, count in zip(sums, counts, strict=True) if count]
    if len(kept) < 2:
        return None, None
    table = np.array(kept, dtype=float)
    drawn = np.random.default_rng(_SEED).multinomial(len(kept), [1 / len(kept)] * len(kept), size=_DRAWS)
    ratios = (drawn @ table[:, 0]) / (drawn @ table[:, 1])
    low, high = np.percentile(ratios, [_LOW, _HIGH])
    return float(low), float(high)


def _price(of: Scored) -> Price:
    spent, right = of.spent, of.right
    return Price(
        calls=spent.calls,
        tokens=spent.tokens,
        usd=spent.usd,
        unpriced=spent.unpriced,
        seconds=of.seconds,
        device_seconds=spent.device_seconds,
        tokens_per_right=spent.tokens / right if right else None,
        usd_per_right=spent.usd / right if right else None,
    )


_ORDER = {State.WRONG: 0, State.RIGHT: 1, State.NOT_RUN: 2}


def _losers(of: Scored) -> tuple[Loser, ...]:
    pairs = [(problem, cell) for problem in of.problems for cell in problem.cells]
    pairs.sort(key=lambda pair: (_ORDER[pair[1].state], _slowest(pair[1])))
    return tuple(_loser(problem, cell) for problem, cell in pairs)


def _slowest(cell: Cell) -> float:
    return min((speed.ratio for speed in cell.speeds.values()), default=0.0)


def _loser(problem: Problem, cell: Cell) -> Loser:
    return Loser(
        problem=cell.problem,
        dsl=cell.dsl,
        target=cell.target,
        state=cell.state,
        level=problem.listed.level,
        kind=problem.listed.kind,
        attempts=len(cell.attempts),
        reason=cell.reason,
        speedups={name: speed.ratio for name, speed in cell.speeds.items()},
    )
