"""The kind ``tune``: the constants that a candidate declares, tried out by the judge without any model."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap, enough

JUDGED = 2
"""Settings of a candidate that are judged in full, where so many are right."""
MOST_JUDGED = 4
"""With those that were ranked right and judged wrong."""


@dataclass(frozen=True)
class TuneStep:
    """Tune the ``best`` candidates of the steps ``tune`` that declare constants, with up to ``trials`` values for each.

    The trials are ranked, many in one go, ``parallel`` rankings at a time, and the fastest are judged. ``headroom`` and
    ``patience`` (in trials) end it early.
    """

    name: str
    tune: tuple[str, ...]
    trials: int
    best: int = 1
    parallel: int = 1
    headroom: float | None = 0.9
    patience: int | None = None
    random_seed: int = 0

    @property
    def judged(self) -> int:
        """The most settings of one candidate that are judged."""
        return min(self.trials, MOST_JUDGED)

    def cap(self, _: AgentRoles, /) -> Cap:
        """No replies; of all trials the fastest are judged."""
        which = "the best candidate" if self.best == 1 else f"the {self.best} best candidates"
        does = (
            f"tune the declared constants of {which} of {' and '.join(self.tune)}: at most {self.trials} settings each "
            f"are ranked, and at most {self.judged} judged"
        )
        return Cap(does + enough(self.headroom, self.patience, "trials"), {}, self.judged * self.best, faster=True)
