"""The kind ``agentic``: a command-line agent works on the candidate in a folder, and may ask the judge."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap


@dataclass(frozen=True)
class AgenticStep:
    """Let ``agentic``, an agent whose model is a command, work for at most ``minutes`` in a folder of its own.

    It may ask for ``judgements`` while it works, and starts from the best candidate of the steps ``start``, if any.
    ``tokens``, in and out, are reserved for its session.
    """

    name: str
    agentic: str
    judgements: int
    minutes: float
    start: tuple[str, ...] = ()
    tokens: int = 300_000

    def cap(self, _: AgentRoles, /) -> Cap:
        """One session, all its judgements, and the one that counts, once the agent has ended."""
        goes_on = f" on the best of {' and '.join(self.start)}" if self.start else ""
        does = (
            f"{self.agentic} works{goes_on} in a folder of its own for at most {self.minutes:g} minutes, with "
            f"{self.judgements} judgements; then its best is judged again"
        )
        return Cap(does, {self.agentic: 1}, self.judgements + 1, session=self.tokens)
