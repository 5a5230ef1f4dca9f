"""The kind ``seed``: first candidates that no model writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from akgflow.config.steps.base import AgentRoles, Cap

WORDS = {
    "source": "the task's source kernel",
    "knowledge": "verified kernels of this operator in the knowledge store",
    "torch.compile": "what torch.compile generates for the operator",
}


@dataclass(frozen=True)
class SeedStep:
    """Judge up to ``most`` candidates that are there already. ``seed`` says from where."""

    name: str
    seed: Literal["source", "knowledge", "torch.compile"]
    most: int = 1

    def cap(self, _: AgentRoles, /) -> Cap:
        """No replies."""
        up_to = f", at most {self.most}" if self.most > 1 else ""
        return Cap(f"start from {WORDS[self.seed]}{up_to}", {}, self.most)
