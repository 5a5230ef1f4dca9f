"""The figures of a run's page: each a plot with the table that says the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from akgflow.base.text import visible
from akgflow.reporting.html import charts
from akgflow.reporting.html.search import gains, speed
from akgflow.reporting.html.story import JobStory, Story, Turn
from akgflow.reporting.phrases import case_of, seconds
from akgflow.verdict import Roofline, Timing

MOST_BARS = 48
"""Speedups in one plot; the table has all."""


@dataclass(frozen=True)
class Figure:
    """A plot and its table. ``legend`` are the names of the series, in the order of their colours."""

    id: str
    title: str
    plot: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    legend: tuple[tuple[int, str], ...] = ()


def _timings(story: Story) -> Iterator[tuple[JobStory, Timing]]:
    for job in story.jobs:
        verdict = job.best.verdict if job.best else None
        for timing in verdict.timing if verdict else ():
            yield job, timing


def speedups(story: Story) -> Figure | None:
    """Of the best kernel of each job, at each shape and over each baseline; None where nothing was timed."""
    rows = [(job, timing) for job, timing in _timings(story) if timing.speedup > 0 and timing.interval[0] > 0]
    if not rows:
        return None
    plotted: dict[str, dict[str, Any]] = {}
    for label, (_, timing) in zip(_labels(rows), rows[:MOST_BARS], strict=False):
        low, high = timing.interval
        bar = {"label": label, "speedup": timing.speedup, "low": low, "high": high, "call": timing.call}
        plotted[label] = bar
    more = len(rows) - len(plotted)
    return Figure(
        "speedups",
        "Speedups of the best kernels",
        charts.speedups(list(plotted.values())),
        ("job", "shape", "over", "speedup", "99 % interval", "call", "kernel", "baseline", "on"),
        tuple(
            (
                job.job.id,
                case_of(t.case) or "the operator's own",
                t.baseline,
                f"{t.speedup:.2f}x",
                f"{t.interval[0]:.2f} to {t.interval[1]:.2f}",
                t.call,
                seconds(t.seconds),
                seconds(t.baseline_seconds),
                t.device,
            )
            for job, t in rows
        ),
        note=f"The table has {more} more." if more > 0 else "",
    )


def _labels(rows: Sequence[tuple[JobStory, Timing]]) -> list[str]:
    """What tells the rows apart, and no more: labels have little room."""
    named = [(job.job.id, case_of(timing.case), timing.baseline) for job, timing in rows]
    vary = [number == 0 or len(set(column)) > 1 for number, column in enumerate(zip(*named, strict=True))]
    return [
        visible(" · ".join(part for part, shown in zip(name, vary, strict=True) if shown and part)) for name in named
    ]


AXES = (("tokens", "tokens", "tokens"), ("usd", "US dollars", "money"), ("minutes", "minutes", "time"))
"""Of the search: the field, the axis, and the word for a title."""


def searches(story: Story) -> list[Figure]:
    """Best so far over tokens, money and time; without money where none was spent."""
    names = [visible(job.job.id) for job in story.jobs if any(turn.verdict for turn in job.turns)]
    rows = [row for job in story.jobs for row in _judged(job)]
    if not rows:
        return []
    found = []
    for field, axis, word in AXES:
        end = max(row[field] for row in rows)
        if end > 0:
            best = [corner for job in story.jobs for corner in _best(job, field, end)]
            plot = charts.search(rows, best, names, field, axis)
            found.append(_search_figure(story, field, word, plot, names, timed=bool(best)))
    return found


def _judged(job: JobStory) -> list[dict[str, Any]]:
    return [
        {
            "job": visible(job.job.id),
            "right": "right" if turn.verdict.passed else "wrong",
            "speed": speed(turn),
            **_sums(turn),
        }
        for turn in job.turns
        if turn.verdict
    ]


def _sums(turn: Turn) -> dict[str, float]:
    """What the run had taken by then, by the fields of `AXES`."""
    return {"tokens": turn.spent.tokens, "usd": turn.spent.usd, "minutes": turn.spent.seconds / 60.0}


def _best(job: JobStory, field: str, end: float) -> list[dict[str, Any]]:
    """The corners of the line of the best speedup so far, which goes on to where the run is."""
    better = [turn for turn in gains(job.turns) if speed(turn)]
    corners = [{"job": visible(job.job.id), "speed": speed(turn), field: _sums(turn)[field]} for turn in better]
    return [*corners, {**corners[-1], field: end}] if corners else []


def _search_figure(story: Story, field: str, word: str, plot: Markup, names: Sequence[str], *, timed: bool) -> Figure:
    rows = []
    for job in story.jobs:
        for turn in gains(job.turns):
            found = speed(turn)
            spent = turn.spent
            shown = {"tokens": f"{spent.tokens:,}", "usd": f"${spent.usd:.4f}", "minutes": seconds(spent.seconds)}[
                field
            ]
            rows.append((job.job.id, turn.name, shown, turn.status, f"{found:.2f}x" if found else "not timed"))
    return Figure(
        f"search-{field}",
        f"Best so far over {word}",
        plot,
        ("job", "attempt", "after", "verdict", "speedup"),
        tuple(rows),
        note="Below: each candidate, a dot where it is right and a cross where it is wrong.",
        legend=tuple(enumerate(names)) if timed else (),
    )


def rooflines(story: Story) -> list[Figure]:
    """One for each target whose facts give a roofline."""
    by_target: dict[str, list[tuple[JobStory, Timing, Roofline]]] = {}
    for job, timing in _timings(story):
        if timing.roofline is not None and timing.seconds > 0:
            by_target.setdefault(job.job.target, []).append((job, timing, timing.roofline))
    return [_roofline(story, target, found) for target, found in by_target.items()]


def _roofline(story: Story, target: str, found: Sequence[tuple[JobStory, Timing, Roofline]]) -> Figure:
    names = [visible(job.job.id) for job in story.jobs]
    points: list[dict[str, Any]] = [
        {"job": visible(job.job.id), "intensity": roof.flops / roof.bytes, "rate": roof.flops / timing.seconds}
        for job, timing, roof in found
        if roof.flops > 0 and roof.bytes > 0
    ]
    roofs = _roofs([roof for _, _, roof in found], [point["intensity"] for point in points])
    shown = {point["job"] for point in points}
    return Figure(
        f"roofline-{target}",
        f"Roofline of {target}",
        charts.roofline(points, roofs, names) if points else Markup(),
        ("job", "shape", "took", "floor", "share", "limit", "on"),
        tuple(
            (
                job.job.id,
                case_of(timing.case) or "the operator's own",
                seconds(timing.seconds),
                seconds(roof.floor_seconds),
                f"{roof.share:.0%}" + (f" ({roof.note})" if roof.note else ""),
                roof.limit,
                timing.device,
            )
            for job, timing, roof in found
        ),
        note="The roofs are the rates that the verdicts were computed with, from the facts of the target.",
        legend=tuple((number, name) for number, name in enumerate(names) if name in shown),
    )


def _roofs(found: Sequence[Roofline], at: Sequence[float]) -> list[dict[str, Any]]:
    """The ends of the lines: what memory passes, up to the peak, and the peak from there; each where it is known."""
    if not at:
        return []
    low, high = min(at) / 3, max(at) * 3
    passes = max((r.bytes / r.floor_seconds for r in found if r.limit == "memory" and r.floor_seconds > 0), default=0.0)
    peaks = {f"{r.flops / r.floor_seconds:.3g}" for r in found if r.limit == "compute" and r.floor_seconds > 0}
    ridge = max(map(float, peaks), default=0.0) / passes if passes and peaks else high
    lines = []
    if passes:
        ends = (low, min(max(ridge, low), max(high, ridge)))
        lines += [{"roof": "memory", "intensity": x, "rate": passes * x} for x in ends]
    for peak in sorted(peaks):
        start = max(low, float(peak) / passes) if passes else low
        lines += [{"roof": peak, "intensity": x, "rate": float(peak)} for x in (start, max(high, start * 3))]
    return lines
