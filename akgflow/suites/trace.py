"""Every attempt of a suite, a line of JSON each: for those who want to count in another way."""

from __future__ import annotations

from collections.abc import Iterator

from akgflow.base.serial import to_json
from akgflow.suites.cells import Cell, Scored
from akgflow.suites.scoring import VERSION


def trace_lines(of: Scored) -> Iterator[str]:
    """A line for each attempt in the order in which they were made, then one for the cell's best."""
    for problem in of.problems:
        for cell in problem.cells:
            where = {
                "version": VERSION,
                "suite": of.name,
                "problem": cell.problem,
                "level": problem.listed.level,
                "kind": problem.listed.kind,
                "dsl": cell.dsl,
                "target": cell.target,
            }
            for number, attempt in enumerate(cell.attempts, 1):
                yield to_json({**where, "line": "attempt", "number": number, "attempt": attempt})
            yield to_json({**where, "line": "best", **_best(cell)})


def _best(cell: Cell) -> dict[str, object]:
    speeds = {name: {"ratio": one.ratio, "low": one.low, "high": one.high} for name, one in cell.speeds.items()}
    return {
        "state": cell.state,
        "reason": cell.reason,
        "timeable": cell.timeable,
        "device": cell.device,
        "speeds": speeds,
        "source": cell.source,
    }
