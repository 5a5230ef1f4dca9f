"""Wall time: how long a run has taken, its earlier sessions too, and the ceiling on it."""

from __future__ import annotations

import time
from collections.abc import Callable

from akgflow.errors import BudgetError


class WallClock:
    """The wall minutes of one run; ``before`` is what its earlier sessions took."""

    def __init__(
        self, ceiling: float | None = None, *, before: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ceiling, self._clock = ceiling, clock
        self._start = clock() - 60.0 * before

    @property
    def left(self) -> float | None:
        """Seconds until the ceiling, never negative; None where there is none."""
        if self._ceiling is None:
            return None
        return max(0.0, 60.0 * self._ceiling - (self._clock() - self._start))

    @property
    def words(self) -> str:
        """What to say when they are over."""
        return (
            f"the budget of {self._ceiling or 0.0:g} minutes is spent: raise budget.minutes and run the same command "
            "again to go on"
        )

    def check(self) -> None:
        """Raise `BudgetError` when the minutes are over."""
        if self.left == 0.0:
            raise BudgetError(self.words)
