"""What is asked of the judge to rank many candidates in one go, and what it answers, as plain values that travel.

A ranking says which candidates are worth a judgement, and is evidence of nothing: each was checked on one draw of each
case, and timed a few times beside the others. No verdict comes from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.terms import Status
from akgflow.verdict import JudgeRequest

WINDOW_SECONDS = 30.0
"""For the windows of one ranking."""


@dataclass(frozen=True)
class RankRequest:
    """Candidates to rank beside the one of ``request``, which was judged right before; it says all else, too."""

    request: JudgeRequest
    sources: tuple[str, ...]
    """The modules' texts."""
    seconds: float = WINDOW_SECONDS
    """For windows; what is built and checked does not count."""


@dataclass(frozen=True)
class Ranked:
    """What was seen of one candidate."""

    speed: float | None = None
    """How many times as fast as the one of the request, over all cases; None for one that is out."""
    speeds: tuple[float, ...] = ()
    """The same for each case that is no secret."""
    windows: int = 0
    """Of each case; the more, the further it came. 0: it was hopeless at its first calls."""
    status: Status = Status.PASSED
    """Of the one draw; of one that is out, why."""
    why: str = ""


@dataclass(frozen=True)
class Ranking:
    """The candidates in the order of the request."""

    ranked: tuple[Ranked, ...] = ()
    reason: str = ""
    """Why nothing could be ranked, where nothing could."""
    seconds: float = 0.0
    """Wall time for which ranking held its place on a device."""
