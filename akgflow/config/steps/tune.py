"""The kind ``tune``: the constants that a candidate declares, tried out by the judge without any model."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap, enough


@dataclass(frozen=True)
class TuneStep:
    """Tune the ``best`` candidates of the steps ``tune`` that declare constants, with up to ``trials`` values for each.

    ``parallel`` trials are judged at a time. ``headroom`` and ``patience`` (in trials) end it early.
    """

    name: str
    tune: tuple[str, ...]
    trials: int
    best: int = 1
    parallel: int = 1
    headroom: float | None = 0.9
    patience: int | None = None
    random_seed: int = 0

    def cap(self, _: AgentRoles, /) -> Cap:
        """No replies; every trial is judged."""
        which = "the best candidate" if self.best == 1 else f"the {self.best} best candidates"
        does = f"tune the declared constants of {which} of {' and '.join(self.tune)}: at most {self.trials} trials each"
        return Cap(does + enough(self.headroom, self.patience, "trials"), {}, self.trials * self.best)
