"""The kind ``best_of``: several independent candidates, of which the best is kept."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap


@dataclass(frozen=True)
class BestOfStep:
    """Ask ``agent`` for ``best_of`` candidates, repair each wrong one up to ``repairs`` times, and keep the best."""

    name: str
    best_of: int
    agent: str
    repairs: int = 0

    def cap(self, _: AgentRoles, /) -> Cap:
        """Every sample may take all its repairs."""
        most = self.best_of * (1 + self.repairs)
        mended = f", each repaired at most {self.repairs} times" if self.repairs else ""
        return Cap(f"ask {self.agent} for {self.best_of} candidates{mended}, keep the best", {self.agent: most}, most)
