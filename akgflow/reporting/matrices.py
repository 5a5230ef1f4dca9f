"""A portability matrix for people: a table, and below it each reason once."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from akgflow.reporting._console import say
from akgflow.reporting._tables import Row, show_table
from akgflow.reporting.phrases import case_of, evidence, heaviest, limits, resources, speed, times, whole
from akgflow.runs.matrix import Cell, Matrix, Shape
from akgflow.terms import Status

_COLUMNS = ("dsl", "target", "dtype", "shape", "evidence", "correct", "speed and resources", "why")
_DONE = {"timing": "timed"}
_AXES = 4
"""The first columns, which name a cell and its shape."""


def show_matrix(matrix: Matrix, out: Console) -> None:
    """Print the cells, one line for each shape; numbers in the last column point to the reasons below."""
    say(out, Text.assemble((f"matrix {matrix.task}", "bold"), f" ({matrix.source})"))
    rows = []
    reasons: dict[str, int] = {}
    for cell in matrix.cells:
        notes = " ".join(f"({reasons.setdefault(reason, len(reasons) + 1)})" for reason in _reasons(cell))
        if not cell.shapes:
            rows.append(Row((cell.dsl, cell.target, cell.dtype, "", Text("—", style="yellow"), "", "", notes)))
        for place, shape in enumerate(cell.shapes):
            own = cell.dsl, cell.target, cell.dtype
            took = _of_all(cell) if place == 0 else []
            figures = "\n".join([*_figures(shape), *took])
            shown = evidence(cell.evidence) if place == 0 else ""
            rows.append(Row((*own, case_of(shape.case) or "own", shown, _correct(cell, shape), figures, notes)))
            notes = ""
    show_table(_COLUMNS, rows, out, heads=_AXES, merged=_AXES - 1)
    for reason, number in reasons.items():
        say(out, f"({number}) {reason}")


def _reasons(cell: Cell) -> list[str]:
    """Why the cell is empty, or wrong, or holds no more than it does."""
    if cell.reason:
        return [cell.reason]
    failed = [f"{cell.status}: {cell.message}"] if cell.status is not Status.PASSED else []
    return failed + [f"not {_DONE.get(name, name)}: {reason}" for name, reason in (cell.beyond or {}).items()]


def _correct(cell: Cell, shape: Shape) -> Text:
    if shape.status is None:
        return Text("" if cell.status is Status.PASSED else str(cell.status), style="red")
    right = f"{shape.passed} of {shape.checks} right, error {shape.error:.2g} of {shape.bound:.2g}"
    passed = shape.status is Status.PASSED
    return Text(right if passed else f"{shape.status}, {right}", style="" if passed else "red")


def _of_all(cell: Cell) -> list[str]:
    """What holds for all shapes of a cell together."""
    speeds = [whole(one) for one in cell.overall if one.cases + one.untimed > 1]
    return speeds + [resources(found) for found in heaviest(cell.resources)]


def _figures(shape: Shape) -> list[str]:
    lines = [text for timing in shape.timing for text in (speed(timing), times(timing))]
    lines += [text for text in map(limits, shape.timing[:1]) if text]
    return [*lines, f"not timed: {shape.untimed}"] if shape.untimed else lines
