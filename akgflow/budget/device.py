"""Device time: how long judgements held a place on a device, and the ceiling on it.

How long a judgement takes is not known in advance, and a bound that is certain (its limits) is many times what it
takes. So nothing is reserved in advance: all judgements that run draw on what is left together, and the moment it is
gone they are cut off; so they are when the run's wall time is over. The sum never exceeds the ceiling, however many run
side by side; what a judgement that was cut off needs to end is not counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from akgflow.budget.wall import WallClock
from akgflow.errors import BudgetError

_NOTHING = 1e-3
"""Seconds in which no judgement can do anything."""


class CutOff(BudgetError):
    """A judgement ended because the minutes were gone; ``seconds`` it had held its place."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class DeviceClock:
    """Device seconds of one run, summed over its judgements. Use it from one event loop."""

    def __init__(self, ceiling_minutes: float | None = None, wall: WallClock | None = None) -> None:
        self._wall = wall or WallClock()
        self._ceiling = None if ceiling_minutes is None else 60.0 * ceiling_minutes
        self._settled = 0.0
        self._running: dict[asyncio.Timeout, float] = {}

    @property
    def spent(self) -> float:
        """Device seconds taken so far, by the judgements that run now too; never above the ceiling."""
        total = self._settled + sum(_held(bound, started) for bound, started in self._running.items())
        return total if self._ceiling is None else min(total, self._ceiling)

    @property
    def running(self) -> int:
        """Judgements that hold a place."""
        return len(self._running)

    def charge(self, seconds: float) -> None:
        """Charge the seconds of an earlier session."""
        self._settled += seconds

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Hold a place. Raises `BudgetError` where nothing is left, `CutOff` when the last of it is gone."""
        self._wall.check()
        if self._ceiling is not None and self._ceiling - self.spent < _NOTHING:
            raise BudgetError(self._words())
        seconds = 0.0
        try:
            async with asyncio.timeout(None) as bound:
                self._running[bound] = time.monotonic()
                self._share()
                try:
                    yield
                finally:
                    seconds = _held(bound, self._running.pop(bound))
                    self._settled += seconds
                    self._share()
        except TimeoutError:
            if bound.expired():
                raise CutOff(self._words(), seconds) from None
            raise

    def _share(self) -> None:
        """Tell every running judgement when the rest will be spent if all of them continue."""
        if not self._running:
            return
        share = None if self._ceiling is None else (self._ceiling - self.spent) / len(self._running)
        left = min((seconds for seconds in (self._wall.left, share) if seconds is not None), default=None)
        if left is None:
            return
        # An event loop's time is the monotonic clock.
        when = time.monotonic() + left
        for bound in self._running:
            if not bound.expired():
                bound.reschedule(when)

    def _words(self) -> str:
        left = self._wall.left
        if left is not None and left < _NOTHING:
            return self._wall.words
        return (
            f"the budget of {(self._ceiling or 0.0) / 60:g} device minutes is spent: raise budget.device_minutes and "
            "run the same command again to go on"
        )


def _held(bound: asyncio.Timeout, started: float) -> float:
    """Seconds up to now, or up to the moment of the cut."""
    until = bound.when() if bound.expired() else None
    return (time.monotonic() if until is None else until) - started
