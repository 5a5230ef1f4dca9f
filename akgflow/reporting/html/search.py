"""The search as it went, and how the winner came about."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from akgflow.base.text import lines
from akgflow.reporting.html.story import JobStory, Turn
from akgflow.search import speed_of, worth

MOST_DIFF_LINES = 400
"""Of one diff in the lineage; the whole source stands in the list of candidates."""


class DiffLine(NamedTuple):
    """A line of a unified diff: ``kind`` is ``add``, ``del``, ``at`` or empty."""

    kind: str
    text: str


class Generation(NamedTuple):
    """A candidate in the line of the winner. ``others`` are its other parents, ``diff`` what changed from the first."""

    turn: Turn
    others: tuple[str, ...]
    diff: tuple[DiffLine, ...]


def gains(turns: Sequence[Turn]) -> list[Turn]:
    """The candidates that were better than all before them, in order."""
    found: list[Turn] = []
    for turn in turns:
        if turn.verdict and (not found or worth(turn.verdict) > worth(found[-1].verdict or turn.verdict)):
            found.append(turn)
    return found


def speed(turn: Turn) -> float | None:
    """Over the first baseline; None for a candidate that is wrong or was not timed."""
    found = speed_of(turn.verdict) if turn.verdict else None
    return found.ratio if found else None


def lineage(job: JobStory) -> list[Generation]:
    """From the first ancestor to the best candidate, each made from the one before it; empty where there is none."""
    written: dict[str, Turn] = {}
    for turn in job.turns:
        if turn.candidate:
            written.setdefault(turn.candidate.id, turn)
    found: list[Generation] = []
    at = job.best
    while at is not None and at.candidate is not None and at.candidate.id in written:
        written.pop(at.candidate.id)  # so that no circle of equal programs holds us
        first, others = (*at.candidate.parents, "")[0], at.candidate.parents[1:]
        parent = written.get(first)
        before = parent.candidate.source if parent and parent.candidate else None
        found.append(Generation(at, others, () if before is None else _diff(before, at.candidate.source)))
        at = parent
    return found[::-1]


def _diff(before: str, after: str) -> tuple[DiffLine, ...]:
    unified = list(difflib.unified_diff(lines(before), lines(after), lineterm="", n=2))[2:]
    kinds = {"+": "add", "-": "del", "@": "at"}
    shown = [DiffLine(kinds.get(line[:1], ""), line) for line in unified[:MOST_DIFF_LINES]]
    more = len(unified) - len(shown)
    return (*shown, *([DiffLine("at", f"… and {more:,} more lines")] if more > 0 else []))
