"""The kind ``agent``: ask an agent for one or several replies."""

from __future__ import annotations

from dataclasses import dataclass

from akgflow.config.steps.base import AgentRoles, Cap


@dataclass(frozen=True)
class AgentStep:
    """Ask ``agent`` for ``samples`` replies."""

    name: str
    agent: str
    samples: int = 1

    def cap(self, roles: AgentRoles, /) -> Cap:
        """One reply a sample; code is judged, text is not."""
        codes = self.agent in roles.coders
        asks = f"ask {self.agent} for {'code' if codes else 'a ' + self.name}"
        does = asks if self.samples == 1 else f"{asks}, {self.samples} samples"
        return Cap(does, {self.agent: self.samples}, self.samples if codes else 0, shown=1)
