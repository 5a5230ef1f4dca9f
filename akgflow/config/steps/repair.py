"""The kind ``repair``: repair the candidate of an earlier step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from akgflow.config.steps.base import AgentRoles, Cap


@dataclass(frozen=True)
class RepairStep:
    """Repair the candidate of step ``repair`` until its verdict is good or ``max_attempts`` are spent.

    It gives up when the same failure (status and message) has come back ``same_failure`` times after an attempt at it.
    ``headroom`` and ``patience`` (in attempts) end the work on a right kernel that is too slow for the gates.
    """

    name: str
    repair: str
    agent: str
    max_attempts: int
    advisor: str | None = None
    until: Literal["correct", "gates"] = "correct"
    same_failure: int = 2
    headroom: float | None = 0.9
    patience: int | None = 3

    def cap(self, roles: AgentRoles, /) -> Cap:
        """Each attempt may ask the advisor, then the designer when the advisor wants a redesign, then the coder."""
        asks = Counter({self.agent: self.max_attempts})
        if self.advisor:
            asks[self.advisor] += self.max_attempts
            if roles.designer:
                asks[roles.designer] += self.max_attempts
        advised = f", advised by {self.advisor}" if self.advisor else ""
        does = f"repair {self.repair} until {self.until}{advised}, at most {self.max_attempts} attempts"
        return Cap(does, asks, self.max_attempts, shown=3)
