"""The kind ``adaptive``: one pool, grown where its upper confidence bound is highest."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap, enough


@dataclass(frozen=True)
class AdaptiveStep:
    """Grow the pool of what the steps ``adaptive`` have made by up to ``trials`` candidates, ``parallel`` at a time.

    Each trial goes on from one candidate: the one whose rank plus ``explore`` times its bonus for having been seldom
    chosen is highest; ``agent`` sees it and ``inspirations``. ``headroom`` and ``patience`` (in trials) end it early.
    ``when: correct`` begins only where a candidate is right.
    """

    name: str
    adaptive: tuple[str, ...]
    agent: str
    trials: int
    parallel: int = 2
    explore: float = 0.3
    inspirations: int = 2
    headroom: float | None = 0.9
    patience: int | None = 12
    random_seed: int = 0
    when: str | None = None

    def cap(self, _: AgentRoles, /) -> Cap:
        """Every trial."""
        does = (
            f"search on from {' and '.join(self.adaptive)} with {self.agent} by confidence bounds: "
            f"at most {self.trials} trials, {self.parallel} at a time"
        )
        does += enough(self.headroom, self.patience, "trials") + "; begins only from a right one" * bool(self.when)
        return Cap(
            does, {self.agent: self.trials}, self.trials, shown=2 + self.inspirations, faster=self.when is not None
        )
