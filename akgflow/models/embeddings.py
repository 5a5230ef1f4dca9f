"""Embeddings: texts to vectors, through the same providers, ledger and limits as replies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from akgflow.budget.ledger import Estimate, Ledger
from akgflow.config.types import ModelSpec
from akgflow.models.base import Embedded, Failure, ProviderError
from akgflow.models.prices import price_of
from akgflow.models.sizes import most_tokens


class Embedder(Protocol):
    """Whatever turns texts into vectors of one length."""

    async def __call__(self, spec: ModelSpec, texts: Sequence[str]) -> Embedded:
        """One call, or `ProviderError`."""
        ...


async def through_litellm(spec: ModelSpec, texts: Sequence[str]) -> Embedded:
    """Any provider that litellm knows; recordings and people give no embeddings."""
    if spec.model.partition("/")[0] in ("recorded", "manual"):
        raise ProviderError(Failure.REQUEST, f"model {spec.name} ({spec.model}) gives no embeddings: name a real one")
    from akgflow.models._litellm import LitellmProvider

    provider = LitellmProvider()
    try:
        return await provider.embed(spec, texts)
    finally:
        await provider.aclose()


async def embed(
    spec: ModelSpec, texts: Sequence[str], ledger: Ledger, embedder: Embedder = through_litellm
) -> Embedded:
    """Embed within the budget and the model's timeout; raises `ProviderError`, or `BudgetError` where it cannot fit."""
    tokens = most_tokens(texts)
    price = price_of(spec)
    held = await ledger.reserve(Estimate(tokens, 0, tokens * price.input / 1e6 if price else 0.0))
    try:
        async with asyncio.timeout(spec.limits.timeout):
            found = await embedder(spec, texts)
    except TimeoutError:
        ledger.release(held)
        why = f"model {spec.name} ({spec.model}) gave no embeddings within {spec.limits.timeout:g} s"
        raise ProviderError(Failure.TIMEOUT, why) from None
    except BaseException:
        ledger.release(held)
        raise
    return Embedded(found.vectors, ledger.settle(held, found.usage), spec.model)
