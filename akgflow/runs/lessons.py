"""Lessons of a job: what failed before a kernel passed, and why, as the replies that repaired it say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from akgflow.base.text import lines
from akgflow.knowledge import Lesson
from akgflow.runs.result import Attempt
from akgflow.terms import Status

MOST_LESSONS = 12
"""Failures that one entry remembers; the later ones are nearer to what was right."""


def lessons_of(attempts: Sequence[Attempt], causes: Mapping[tuple[str, int], str]) -> tuple[Lesson, ...]:
    """What failed on the way, each failure once.

    ``causes`` holds what was said before an attempt of a step, by its name and number: it is about the failure that
    came before.
    """
    lessons: dict[tuple[str, str], Lesson] = {}
    last: tuple[str, str] | None = None
    before: tuple[str, int] | None = None
    for attempt in attempts:
        place = (attempt.step, attempt.attempt)
        cause = causes.get(place, "")
        if cause and last is not None and before != place and not lessons[last].cause:
            lessons[last] = replace(lessons[last], cause=cause)
        if attempt.status != Status.PASSED:
            last, before = (attempt.status, attempt.message), place
            lessons.setdefault(last, Lesson(*last))
    return tuple(lessons.values())[-MOST_LESSONS:]


def cause_in(reply: str) -> str:
    """The one line in which a reply names the cause: an advisor's ``reason``, or a line ``Lesson: …``; else empty."""
    with suppress(ValueError):
        data = json.loads(reply[reply.index("{") : reply.rindex("}") + 1])
        if isinstance(data, dict) and "decision" in data:
            return str(data.get("reason", ""))
    for line in lines(reply):
        if line.lower().startswith("lesson:"):
            return line.partition(":")[2].strip()
    return ""
