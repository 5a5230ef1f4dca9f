"""The page of a suite: its score with plots, its cells with the losers first, and what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from akgflow.base.text import counted, visible
from akgflow.reporting.html import charts
from akgflow.reporting.html.figures import Figure
from akgflow.reporting.html.page import render
from akgflow.reporting.phrases import seconds
from akgflow.reporting.suites import SPEEDS, price, right_rows, shown_figure, speed_rows
from akgflow.suites import Group, Score, Scored, SuiteFolder, read_scored, score
from akgflow.suites.cells import Problem, State
from akgflow.suites.scoring import FASTER_THAN

Link = Callable[[Path], str]
"""The address of a run's page or folder, as the page has to name it."""
_BELOW = 0.5
"""Where a plot over p begins: below the least p that is stated."""


def suite_page(folder: Path, link: Link) -> str:
    """The page of the suite in ``folder``, finished or not; raises `ConfigError`, `DamagedRun`."""
    scored = read_scored(folder)
    found = score(scored)
    held = SuiteFolder(folder)
    cells = {(cell.problem, cell.dsl, cell.target): cell for cell in scored.cells}
    return render(
        "suite.html",
        scored=scored,
        score=found,
        every=found.groups[0],
        headlines=list(_headlines(found)),
        rows=[(one, cells[one.problem, one.dsl, one.target]) for one in found.cells],
        links={problem.listed.name: link(held.run(problem.listed.name)) for problem in scored.problems},
        failed=_named(found, State.WRONG),
        left_out=_named(found, State.NOT_RUN),
        figures=list(_figures(found, scored)),
        rights=right_rows(found),
        speeds=(SPEEDS, speed_rows(found)),
        spent=(_COLUMNS, [_took(one) for one in scored.problems]),
        price=price(found),
        baselines=found.groups[0].baselines,
        colours=charts.COLOURS,
        counted=counted,
        seconds=seconds,
        folder=folder,
    )


def _headlines(found: Score) -> Iterator[tuple[str, str]]:
    """The figures that are said first, each with its name."""
    every = found.groups[0]
    yield "right", shown_figure(every.figure("right"))
    for name in every.baselines:
        yield f"speedup over {name}, failures as 1.0x", shown_figure(every.figure("speedup", None, name), "x")


def _named(found: Score, state: State) -> list[str]:
    return [f"{one.problem} ({one.dsl} on {one.target})" for one in found.cells if one.state is state]


def _figures(found: Score, scored: Scored) -> Iterator[Figure]:
    baselines = found.groups[0].baselines
    if baselines:
        yield _fast(found, scored, baselines)
    for number, name in enumerate(baselines):
        yield _kinds(found, scored, number, name)


def _fast(found: Score, scored: Scored, baselines: Sequence[str]) -> Figure:
    every = found.groups[0]
    curves = [corner for name in baselines for corner in _curve(scored, name)]
    points = [point for name in baselines for point in _points(every, name)]
    rows = [(name, *(shown_figure(every.figure("fast", p, name)) for p in FASTER_THAN)) for name in baselines]
    return Figure(
        "fast",
        "Right and faster than p",
        charts.faster_than(curves, points, [visible(name) for name in baselines]),
        ("over", *(f"> {p:g}x" for p in FASTER_THAN)),
        tuple(rows),
        note="Of all cells that could be timed, wrong ones included, which no p counts. Bars: 95 % intervals.",
        legend=tuple(enumerate(f"over {name}" for name in baselines)),
    )


def _curve(scored: Scored, baseline: str) -> list[dict[str, Any]]:
    """The corners of the share over p. It falls at each speed: a cell is faster than every p below its own."""
    of, speeds = _counted_speeds(scored, baseline)
    above = sorted(one for one in speeds if one > _BELOW)
    corners = [(_BELOW, len(above)), *((one, len(above) - rank) for rank, one in enumerate(above))]
    corners.append((1.1 * max([*above, FASTER_THAN[-1]]), 0))
    return [{"baseline": visible(baseline), "p": p, "share": count / of} for p, count in corners]


def _points(group: Group, baseline: str) -> Iterator[dict[str, Any]]:
    for p in FASTER_THAN:
        found = group.figure("fast", p, baseline)
        if found is not None and found.value is not None:
            low, high = (found.value if end is None else end for end in (found.low, found.high))
            yield {"baseline": visible(baseline), "p": p, "share": found.value, "low": low, "high": high}


def _counted_speeds(scored: Scored, baseline: str) -> tuple[int, list[float]]:
    """The number of cells that a speed counts, and the speeds of those that have one."""
    cells = [cell for cell in scored.cells if cell.timeable]
    speeds = [cell.speeds[baseline].ratio for cell in cells if baseline in cell.speeds]
    return len(speeds) + sum(cell.state is State.WRONG for cell in cells), speeds


def _kinds(found: Score, scored: Scored, number: int, baseline: str) -> Figure:
    """By kind where there are several, else by level, else all in one row."""
    what = next((one for one in ("kind", "level") if any(g.name.startswith(f"{one} ") for g in found.groups)), "")
    groups = [group for group in found.groups if what and group.name.startswith(f"{what} ")] or [found.groups[0]]
    means = [row for group in groups if (row := _mean(group, what, baseline))]
    cells = [row for problem in scored.problems for row in _marks(problem, what, baseline)]
    return Figure(
        f"speed-{number}",
        f"Speed over {baseline} by {what or 'cell'}",
        charts.by_kind(cells, means),
        (what or "cells", "right", "wrong", "speedup", "of right alone"),
        tuple(_row(group, what, baseline) for group in groups),
        note="A dot is a cell, a cross a failure, at 1.0x; the diamond is their geometric mean with its 95 % interval.",
    )


def _in(group: Group, what: str) -> str:
    return group.name.removeprefix(f"{what} ") if what else group.name


def _mean(group: Group, what: str, baseline: str) -> dict[str, Any] | None:
    found = group.figure("speedup", None, baseline)
    if found is None or found.value is None:
        return None
    return {"kind": visible(_in(group, what)), "speed": found.value, "low": found.low, "high": found.high}


def _marks(problem: Problem, what: str, baseline: str) -> Iterator[dict[str, Any]]:
    name = {"kind": problem.listed.kind, "level": problem.listed.level}.get(what, "all")
    for cell in problem.cells if name else ():
        speed = cell.speeds.get(baseline)
        if cell.timeable and (cell.state is State.WRONG or (speed is not None and speed.ratio > 0)):
            yield {
                "kind": visible(name),
                "speed": speed.ratio if speed else 1.0,
                "state": "right" if speed else "wrong",
            }


def _row(group: Group, what: str, baseline: str) -> tuple[str, ...]:
    speeds = (group.figure(measure, None, baseline) for measure in ("speedup", "speedup_of_right"))
    return _in(group, what), str(group.right), str(group.wrong), *(shown_figure(one, "x") for one in speeds)


_COLUMNS = ("problem", "level", "kind", "calls", "tokens", "cost", "time", "judging")


def _took(one: Problem) -> tuple[str, ...]:
    spent, listed = one.spent, one.listed
    cost = f"${spent.usd:.4f}" + (" + unknown" if spent.unpriced else "")
    took = seconds(one.seconds), seconds(spent.device_seconds)
    return listed.name, listed.level, listed.kind, f"{spent.calls:,}", f"{spent.tokens:,}", cost, *took
