"""Decides when another round is not worth its cost."""

from __future__ import annotations

from collections.abc import Sequence

from akgflow.base.text import counted
from akgflow.search.quality import gained, speed_of, timeable, timings_of, worth
from akgflow.verdict import Verdict


class Stopping:
    """Watches the best verdict after each round.

    ``headroom`` is the share of the roofline that is good enough; ``patience`` is how many rounds, counted in ``unit``,
    may gain less than the noise. None disables either.
    """

    def __init__(self, headroom: float | None, patience: int | None, unit: str) -> None:
        self._headroom = headroom
        self._patience = patience
        self._unit = unit
        self._bests: list[Verdict | None] = []

    def reached(self, best: Verdict, faster: float) -> bool:
        """Whether a kernel that is so many times as fast as the ``best`` one would be good enough."""
        return bool(self._within_headroom(best, faster))

    def why(self, verdicts: Sequence[Verdict]) -> str:
        """Why to stop now, in a sentence; empty to go on. Call it once before the first round and after each one."""
        best = max(verdicts, key=worth, default=None)
        self._bests.append(best)
        if best is None or not best.passed:
            return self._stale(verdicts)
        if not timeable(best):
            return "a right kernel is there, and nothing is executed here that would tell a faster one from it"
        if not best.timing and "timing" not in best.absent:
            return "a right kernel is there, and the task has nothing timed that would tell a faster one from it"
        return self._within_headroom(best) or self._stale(verdicts)

    def _within_headroom(self, best: Verdict, faster: float = 1.0) -> str:
        roofs = [one.roofline for one in timings_of(best)]
        known = [one for one in roofs if one is not None]
        # All of its cases must be near: the rest is what is left to gain.
        least = min(known, key=lambda one: one.share, default=None)
        if self._headroom is None or least is None or len(known) < len(roofs) or best.untimed:
            return ""
        if least.share * faster < self._headroom:
            return ""
        return (
            f"the best kernel reaches {least.share:.0%} of the roofline ({least.limit}), "
            f"and {self._headroom:.0%} is good enough"
        )

    def _stale(self, verdicts: Sequence[Verdict]) -> str:
        if self._patience is None or len(self._bests) <= self._patience:
            return ""
        then, now = self._bests[-1 - self._patience], self._bests[-1]
        if gained(then, now):
            return ""
        words = f"the last {self._patience} {self._unit} gained less than the noise"
        untimed = [one.absent["timing"] for one in verdicts if one.passed and "timing" in one.absent]
        if untimed:
            words += f" ({counted(len(untimed), 'right kernel')} could not be timed: {untimed[0].partition(':')[0]})"
        if then is None or now is None:
            return f"{words}: there is no candidate"
        old, new = speed_of(then), speed_of(now)
        return f"{words}: {old or then.status} before, {new or now.status} now"
