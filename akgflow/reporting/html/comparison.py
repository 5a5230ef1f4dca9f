"""The page of a comparison: what became of each cell, and the sources of what changed side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from akgflow.base.text import counted, lines, visible
from akgflow.reporting.html import charts
from akgflow.reporting.html.figures import MOST_BARS, Figure
from akgflow.reporting.html.page import render
from akgflow.reporting.html.search import MOST_DIFF_LINES
from akgflow.reporting.html.suite import Link
from akgflow.reporting.phrases import seconds
from akgflow.suites import Comparison, SuiteFolder, is_suite_folder
from akgflow.suites.comparison import Call, Pair

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)")
_GOOD, _BAD = (Call.RIGHT, Call.BETTER), (Call.WRONG, Call.WORSE)


class SourceLine(NamedTuple):
    """A line of one of two sources; ``kind`` is ``del``, ``add`` or empty, without a number there is none."""

    number: str = ""
    text: str = ""
    kind: str = ""


class LinePair(NamedTuple):
    """What stands side by side; ``at`` is said instead where lines that are equal were left out."""

    before: SourceLine = SourceLine()
    after: SourceLine = SourceLine()
    at: str = ""


def comparison_page(found: Comparison, link: Link) -> str:
    """The page of a comparison; ``link`` gives the addresses of the runs that are compared."""
    before, after = Path(found.before.folder), Path(found.after.folder)
    return render(
        "comparison.html",
        found=found,
        counts=[(call, found.count(call), _word(call)) for call in Call if found.count(call)],
        pairs=[(pair, _word(pair.call), _name(pair)) for pair in found.pairs],
        links={
            pair.problem: (link(_run(before, pair.problem)), link(_run(after, pair.problem))) for pair in found.pairs
        },
        changed=[(pair, _name(pair), side_by_side(pair.diff)) for pair in found.pairs if pair.diff],
        figures=[one for one in (_speeds(found),) if one],
        colours=charts.COLOURS,
        counted=counted,
        seconds=seconds,
    )


def _run(folder: Path, problem: str) -> Path:
    return SuiteFolder(folder).run(problem) if is_suite_folder(folder) else folder


def _name(pair: Pair) -> str:
    return f"{pair.problem}/{pair.dsl}-{pair.target}"


def _word(call: Call) -> str:
    """The class of a badge."""
    return "good" if call in _GOOD else "bad" if call in _BAD else "none"


def _speeds(found: Comparison) -> Figure | None:
    timed = [pair for pair in found.pairs if pair.before and pair.after and pair.before.low > 0 < pair.after.low]
    timed.sort(key=lambda pair: pair.call not in (Call.WORSE, Call.BETTER))
    if not timed:
        return None
    rows: list[dict[str, Any]] = [row for pair in timed[:MOST_BARS] for row in _marks(pair)]
    more = len(timed) - MOST_BARS
    return Figure(
        "speeds",
        "Speed before and after",
        charts.changes(rows),
        ("cell", "now", "over", "before", "after"),
        tuple((_name(pair), str(pair.call), pair.baseline, str(pair.before), str(pair.after)) for pair in timed),
        note="Grey: before. Below it: after, green or red where the intervals do not meet."
        + (f" The table has {more} more." if more > 0 else ""),
    )


def _marks(pair: Pair) -> Iterator[dict[str, Any]]:
    call = "better" if pair.call is Call.BETTER else "worse" if pair.call is Call.WORSE else "same"
    for side, speed in (("before", pair.before), ("after", pair.after)):
        if speed is not None:
            where = {"label": visible(_name(pair)), "side": side, "call": call}
            yield {**where, "speed": speed.ratio, "low": speed.low, "high": speed.high}


def side_by_side(diff: str) -> list[LinePair]:
    """The lines of a unified diff as two columns: what was taken away stands beside what came in its place."""
    found: list[LinePair] = []
    gone: list[SourceLine] = []
    come: list[SourceLine] = []
    old = new = 0

    def flush() -> None:
        found.extend(LinePair(a, b) for a, b in zip_longest(gone, come, fillvalue=SourceLine()))
        gone.clear()
        come.clear()

    for line in lines(diff)[2:]:
        kind, text = line[:1], line[1:]
        if kind == "-":
            gone.append(SourceLine(str(old), text, "del"))
            old += 1
        elif kind == "+":
            come.append(SourceLine(str(new), text, "add"))
            new += 1
        elif hunk := _HUNK.match(line):
            flush()
            old, new = int(hunk[1]), int(hunk[2])
            found.append(LinePair(at=line))
        else:
            flush()
            found.append(LinePair(SourceLine(str(old), text), SourceLine(str(new), text)))
            old, new = old + 1, new + 1
    flush()
    return _shortened(found)


def _shortened(found: Sequence[LinePair]) -> list[LinePair]:
    more = len(found) - MOST_DIFF_LINES
    return [*found[:MOST_DIFF_LINES], *([LinePair(at=f"… and {more:,} more lines")] if more > 0 else [])]
