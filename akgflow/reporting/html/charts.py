"""The plots of a page: Vega-Lite specifications, drawn to SVG by vl-convert with no browser and no network.

Colours are variables of the page's style sheet, so that one drawing serves light, dark and print. Text of others
reaches a plot only as a label, through `visible`; the page names each plot and has its numbers in a table besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

Spec = dict[str, Any]
Row = Mapping[str, Any]

COLOURS = 8
"""Series that the style sheet has colours for; beyond them they repeat, and the shape differs."""
MANY = 200
"""Candidates from which on their marks are small, so that they do not hide one another."""
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_WIDTH = 400
_PADDING = {"left": 24, "right": 10, "top": 6, "bottom": 4}
"""To the left for labels that the reader's font makes longer than they were measured."""
_INK, _MUTED, _LINE = "var(--ink)", "var(--muted)", "var(--line)"
_CONFIG: Spec = {
    "font": "sans-serif",
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "gridColor": _LINE,
        "domainColor": _MUTED,
        "tickColor": _MUTED,
        "labelOverlap": True,
    },
    "view": {"stroke": None},
    "aria": False,
}


def colour(number: int) -> str:
    """The variable of a series."""
    return f"var(--series-{number % COLOURS})"


def shape(number: int) -> str:
    """The name of a series' mark."""
    return _SHAPES[(number // COLOURS + number) % len(_SHAPES)]


def draw(spec: Spec) -> Markup:
    """The SVG of a specification."""
    import vl_convert

    whole = {"background": None, "padding": _PADDING, "config": _CONFIG, **spec}
    return Markup(vl_convert.vegalite_to_svg(whole, vl_version="5.20", allowed_base_urls=[]))


def search(rows: Sequence[Row], best: Sequence[Row], jobs: Sequence[str], by: str, title: str) -> Markup:
    """Each candidate over ``by``: its speedup and the best so far above, right or wrong by job below.

    ``rows`` have ``job``, ``right``, ``speed`` (None where it was not timed) and ``by``; ``best`` the corners of the
    lines of the best so far.
    """
    top = max((row[by] for row in rows), default=0)
    x = {"field": by, "type": "quantitative", "scale": {"domain": [0, top or 1]}, "axis": {"title": title}}
    strip = {
        "width": _WIDTH - 110,
        "height": {"step": 18},
        "data": {"values": list(rows)},
        "mark": {"type": "point", "filled": True, "opacity": 0.8},
        "encoding": {
            "x": x,
            "y": {"field": "job", "type": "nominal", "sort": list(jobs), "axis": {"title": None, "labelLimit": 105}},
            "color": {"field": "right", "type": "nominal", "scale": _RIGHT_COLOURS, "legend": None},
            "shape": {"field": "right", "type": "nominal", "scale": _RIGHT_SHAPES, "legend": None},
            "size": {"value": 40 if len(rows) <= MANY else 10},
        },
    }
    timed = [row for row in rows if row["speed"]]
    if not timed:
        return draw(strip)
    own: list[Spec] = [
        {**x, "axis": {"title": None, "labels": False, "ticks": False}},
        {"field": "speed", "type": "quantitative"},
    ]
    speeds = {
        "width": _WIDTH - 110,
        "height": 170,
        "layer": [
            _baseline("y"),
            _layer(timed, {"type": "point", "filled": True, "size": 14, "opacity": 0.55}, own, jobs),
            _layer(best, {"type": "line", "interpolate": "step-after", "strokeWidth": 2}, own, jobs),
        ],
    }
    apart = {"scale": {"color": "independent", "shape": "independent"}}
    return draw({"vconcat": [speeds, strip], "spacing": 8, "resolve": apart})


_RIGHT_COLOURS = {"domain": ["right", "wrong"], "range": ["var(--good)", "var(--bad)"]}
_RIGHT_SHAPES = {"domain": ["right", "wrong"], "range": ["circle", "cross"]}


def _layer(rows: Sequence[Row], mark: Spec, axes: Sequence[Spec], jobs: Sequence[str]) -> Spec:
    x, y = axes
    y = {
        **y,
        "scale": {"type": "log", "nice": False, "padding": 8},
        "axis": {"title": "speedup", "format": "~g", "tickCount": 5},
    }
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": {"x": x, "y": y, **_by_job(jobs, mark)}}


def _by_job(jobs: Sequence[str], mark: Spec) -> Spec:
    colours = {"domain": list(jobs), "range": [colour(i) for i in range(len(jobs))]}
    found: Spec = {"color": {"field": "job", "type": "nominal", "scale": colours, "legend": None}}
    if mark["type"] == "point":
        shapes = {"domain": list(jobs), "range": [shape(i) for i in range(len(jobs))]}
        found["shape"] = {"field": "job", "type": "nominal", "scale": shapes, "legend": None}
    return found


def _baseline(axis: str) -> Spec:
    mark = {"type": "rule", "strokeDash": [4, 3], "color": _MUTED}
    return {
        "data": {"values": [{"one": 1}]},
        "mark": mark,
        "encoding": {axis: {"field": "one", "type": "quantitative"}},
    }


def speedups(rows: Sequence[Row]) -> Markup:
    """Each row's speedup with its interval; ``rows`` have ``label``, ``speedup``, ``low``, ``high`` and ``call``."""
    calls = {"domain": ["faster", "same", "slower"], "range": ["var(--good)", _MUTED, "var(--bad)"]}
    colours = {"field": "call", "type": "nominal", "scale": calls, "legend": None}
    y = {"field": "label", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 230, "grid": True}}
    axis = {"title": "speedup over the baseline, with its 99 % interval", "format": "~g", "tickCount": 5}
    scale = {"type": "log", "nice": False, "padding": 12}
    x = {"field": "speedup", "type": "quantitative", "scale": scale, "axis": axis}
    ends = {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    return draw(
        {
            "width": _WIDTH - 40,
            "height": {"step": 20},
            "data": {"values": list(rows)},
            "layer": [
                _baseline("x"),
                {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"y": y, **ends, "color": colours}},
                {"mark": {"type": "point", "filled": True, "size": 50}, "encoding": {"y": y, "x": x, "color": colours}},
            ],
        }
    )


def roofline(rows: Sequence[Row], roofs: Sequence[Row], jobs: Sequence[str]) -> Markup:
    """Rate over intensity of timed kernels, below the roofs of their target.

    ``rows`` have ``job``, ``intensity`` (operations a byte) and ``rate`` (operations a second); ``roofs`` the ends of
    each line, with ``roof`` as its name.
    """
    rates = [row["rate"] for row in (*rows, *roofs)]
    log = {"type": "log", "nice": False, "padding": 14}
    x: Spec = {"field": "intensity", "type": "quantitative", "scale": log}
    y: Spec = {"field": "rate", "type": "quantitative"}
    # At least a decade: a roof that is near must look near.
    y["scale"] = {"type": "log", "domain": [min(*rates, max(rates) / 10), 1.5 * max(rates)]}
    x["axis"] = {"title": "operations a byte", "format": "~g", "tickCount": 5}
    y["axis"] = {"title": "operations a second", "format": "~s", "tickCount": 5}
    line = {"type": "line", "color": _MUTED, "strokeWidth": 1.5}
    point = {"type": "point", "filled": True, "size": 60}
    return draw(
        {
            "width": _WIDTH,
            "height": 240,
            "layer": [
                {
                    "data": {"values": list(roofs)},
                    "mark": line,
                    "encoding": {"x": x, "y": y, "detail": {"field": "roof", "type": "nominal"}},
                },
                {"data": {"values": list(rows)}, "mark": point, "encoding": {"x": x, "y": y, **_by_job(jobs, point)}},
            ],
        }
    )


def faster_than(curves: Sequence[Row], points: Sequence[Row], baselines: Sequence[str]) -> Markup:
    """Over p the share of cells that are right and more than p times as fast as a baseline.

    ``curves`` are the corners, ``points`` the stated p with their intervals: ``baseline``, ``p``, ``share``, and of
    points ``low`` and ``high``.
    """
    log = {"type": "log", "nice": False}
    axis = {"title": "p, times as fast as the baseline", "format": "~g", "tickCount": 6}
    x: Spec = {"field": "p", "type": "quantitative", "scale": log, "axis": axis}
    percent = {"title": "right and faster than p", "format": "%", "tickCount": 5}
    y: Spec = {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": percent}
    whisker = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    steps: Spec = {"type": "line", "interpolate": "step-before", "strokeWidth": 2}
    point: Spec = {"type": "point", "filled": True, "size": 40}
    return draw(
        {
            "width": _WIDTH,
            "height": 220,
            "layer": [
                _baseline("x"),
                {"data": {"values": list(curves)}, "mark": steps, "encoding": _of(baselines, steps, x, y)},
                {
                    "data": {"values": list(points)},
                    "mark": {"type": "rule", "opacity": 0.6},
                    "encoding": {**whisker, "color": _of(baselines, steps, x, y)["color"]},
                },
                {"data": {"values": list(points)}, "mark": point, "encoding": _of(baselines, point, x, y)},
            ],
        }
    )


def _of(baselines: Sequence[str], mark: Spec, x: Spec, y: Spec) -> Spec:
    named = {key: {**value, "field": "baseline"} for key, value in _by_job(baselines, mark).items()}
    return {"x": x, "y": y, **named}


def by_kind(cells: Sequence[Row], means: Sequence[Row]) -> Markup:
    """The speedup of each cell in a row for its kind, and the geometric mean of the row with its interval.

    ``cells`` have ``kind``, ``speed`` and ``state`` (``right`` or ``wrong``); ``means`` ``kind``, ``speed``, ``low``
    and ``high``.
    """
    names = [row["kind"] for row in means]
    axis = {"title": "speedup over the baseline", "format": "~g", "tickCount": 6}
    scale = {"type": "log", "nice": False, "padding": 12}
    x: Spec = {"field": "speed", "type": "quantitative", "scale": scale, "axis": axis}
    y = {"field": "kind", "type": "nominal", "sort": names, "axis": {"title": None, "labelLimit": 160, "grid": True}}
    marks = {"color": {"field": "state", "type": "nominal", "scale": _RIGHT_COLOURS, "legend": None}}
    marks["shape"] = {"field": "state", "type": "nominal", "scale": _RIGHT_SHAPES, "legend": None}
    ends = {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    mean = {"type": "point", "filled": True, "shape": "diamond", "size": 90, "color": _INK}
    return draw(
        {
            "width": _WIDTH - 90,
            "height": {"step": 24},
            "layer": [
                _baseline("x"),
                {
                    "data": {"values": list(cells)},
                    "mark": {"type": "point", "filled": True, "size": 32, "opacity": 0.6},
                    "encoding": {"x": x, "y": y, **marks},
                },
                {
                    "data": {"values": [row for row in means if row["low"] is not None]},
                    "mark": {"type": "rule", "strokeWidth": 2, "color": _INK},
                    "encoding": {"y": y, **ends},
                },
                {"data": {"values": list(means)}, "mark": mean, "encoding": {"x": x, "y": y}},
            ],
        }
    )


def changes(rows: Sequence[Row]) -> Markup:
    """The speedup of each cell before and after, each with its interval.

    ``rows`` have ``label``, ``side`` (``before`` or ``after``), ``speed``, ``low``, ``high`` and ``call`` (``better``,
    ``same`` or ``worse``).
    """
    calls = {"domain": ["before", "better", "same", "worse"], "range": [_MUTED, "var(--good)", _INK, "var(--bad)"]}
    colours = {"field": "mark", "type": "nominal", "scale": calls, "legend": None}
    sides = {"field": "side", "type": "nominal", "sort": ["before", "after"]}
    axis = {"title": "speedup over the baseline, with its 99 % interval", "format": "~g", "tickCount": 5}
    scale = {"type": "log", "nice": False, "padding": 12}
    x: Spec = {"field": "speed", "type": "quantitative", "scale": scale, "axis": axis}
    y = {"field": "label", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 230, "grid": True}}
    ends = {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    both: Spec = {"y": y, "yOffset": sides, "color": colours}
    values = [{**row, "mark": "before" if row["side"] == "before" else row["call"]} for row in rows]
    return draw(
        {
            "width": _WIDTH - 40,
            "height": {"step": 24, "for": "position"},
            "data": {"values": values},
            "layer": [
                _baseline("x"),
                {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {**both, **ends}},
                {"mark": {"type": "point", "filled": True, "size": 50}, "encoding": {**both, "x": x}},
            ],
        }
    )
