"""List prices from the table that litellm bundles, read as a file: planning must not import litellm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from akgflow.config.types import ModelSpec, Price

UNSERVED = frozenset({"recorded", "manual"})
"""Providers of ours: their replies cost nothing, and litellm's table does not know them."""
_THINKING = "output_cost_per_reasoning_token"
_TABLE = "model_prices_and_context_window_backup.json"


NO_PROVIDER = "its name does not say who serves it: write PROVIDER/MODEL, such as openai/gpt-5"


def names_no_provider(spec: ModelSpec) -> bool:
    """Whether a model that somebody serves is named by itself, by a name that litellm's table does not have."""
    if "/" in spec.model or not is_served(spec) or spec.params.get("custom_llm_provider"):
        return False
    table = _table()
    return bool(table) and spec.model not in table


def is_served(spec: ModelSpec) -> bool:
    """Whether a provider answers: neither a recording nor a person."""
    return spec.model.partition("/")[0] not in UNSERVED


def price_of(spec: ModelSpec) -> Price | None:
    """The price given in YAML, else litellm's list price; free for replies that no provider sends; else None."""
    if not is_served(spec):
        return Price(0.0, 0.0)
    if spec.price is not None:
        return None if spec.price == "unknown" else spec.price
    return list_price(spec.model, str(spec.params.get("service_tier", "")))


def list_price(model: str, tier: str = "") -> Price | None:
    """US dollars for a million tokens of a litellm id, or None where the table does not know it.

    Where the table has several prices for one direction (a dearer service ``tier``, dearer thinking) it is the highest.

    The part before the slash is dropped only where the table says that this very provider serves the model: the
    same weights on one's own machine (``hosted_vllm/…``) have no list price.
    """
    entry = _entry(model)
    tiers = ("", f"_{tier}") if tier else ("",)
    sent = [_rate(entry, f"input_cost_per_token{one}") for one in tiers]
    received = [_rate(entry, f"{name}{one}") for one in tiers for name in ("output_cost_per_token", _THINKING)]
    if sent[0] is None or received[0] is None:
        return None
    return Price(max(rate or 0.0 for rate in sent) * 1e6, max(rate or 0.0 for rate in received) * 1e6)


def _rate(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else None


def longest_reply(model: str) -> int | None:
    """The most tokens that a reply of a litellm id may have, or None where the table does not say."""
    most = _entry(model).get("max_output_tokens")
    return most if isinstance(most, int) and most > 0 else None


def _entry(model: str) -> Mapping[str, Any]:
    provider, slash, rest = model.partition("/")
    if provider in UNSERVED:
        return {}  # without a look at the table: to read it takes longer than the rest of a plan's pricing
    table = _table()
    entry = table.get(model)
    if entry is None and slash:
        entry = table.get(rest)
        if entry is not None and entry.get("litellm_provider") != provider:
            entry = None
    return entry or {}


@cache
def _table() -> Mapping[str, Any]:
    spec = find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        try:
            table = json.loads((Path(folder) / _TABLE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(table, dict):
            return table
    return {}
