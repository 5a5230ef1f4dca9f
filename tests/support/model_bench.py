"""Calls, models and gateways for the tests of `akgflow.models`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from akgflow.budget.ledger import Ledger
from akgflow.budget.usage import AbortedSpend
from akgflow.config.types import ModelLimits, ModelSpec
from akgflow.models.base import CallKey, Message, ModelReply
from akgflow.models.gateway import Backoff, Gateway

QUICK = Backoff(first=0.01, longest=0.02, patience=5.0)


def call(attempt: int = 1, **changes: Any) -> CallKey:
    """The key of one call of task ``t``."""
    return CallKey(
        **{"task": "t", "job": "triton-cpu", "step": "code", "agent": "coder", "attempt": attempt, **changes}
    )


class Bench:
    """A gateway under test, and everything it said on the way."""

    def __init__(self, *specs: ModelSpec, recordings: Path = Path(), ledger: Ledger | None = None) -> None:
        self.said: list[str] = []
        self.lost: list[AbortedSpend] = []
        models = {spec.name: spec for spec in specs}
        self.gateway = Gateway(
            models,
            recordings=recordings,
            ledger=ledger,
            notify=self.said.append,
            on_aborted=self.lost.append,
            backoff=QUICK,
        )

    async def ask(self, text: str = "ping", *, key: CallKey | None = None, model: str = "default") -> ModelReply:
        """One call on a running loop."""
        return await self.gateway.complete(key or call(), model, [Message("user", text)], "print")

    def once(self, text: str = "ping", **kwargs: Any) -> ModelReply:
        """One call in an event loop of its own, everything closed after it."""

        async def main() -> ModelReply:
            try:
                return await self.ask(text, **kwargs)
            finally:
                await self.gateway.aclose()

        return asyncio.run(main())


def spec(api_base: str | None = None, **changes: Any) -> ModelSpec:
    """Model ``default``, quick to give up."""
    limits = ModelLimits(
        max_parallel=changes.pop("max_parallel", 4),
        timeout=changes.pop("timeout", 5.0),
        retries=changes.pop("retries", 0),
    )
    return ModelSpec(
        **{"name": "default", "model": "openai/anything", "api_base": api_base, "limits": limits, **changes}
    )
