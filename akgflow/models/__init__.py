"""Model providers behind one gateway; litellm is imported in one module, when a real provider is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akgflow.lazily import lazily

if TYPE_CHECKING:
    from akgflow.models.base import (
        CallKey,
        Failure,
        Lost,
        Message,
        Meter,
        ModelReply,
        ModelRequest,
        Provider,
        ProviderError,
        Usage,
    )
    from akgflow.models.device import CutOff, DeviceClock
    from akgflow.models.gateway import Backoff, Gateway, origin_of
    from akgflow.models.ledger import Estimate, Ledger, Spent
    from akgflow.models.prices import price_of
    from akgflow.models.recording import RecordedReply, Recording, read_recording, write_recording
    from akgflow.models.sizes import estimate_tokens, max_output_tokens, most_tokens

_HOMES = {
    "base": (
        "CallKey",
        "Failure",
        "Lost",
        "Message",
        "Meter",
        "ModelReply",
        "ModelRequest",
        "Provider",
        "ProviderError",
        "Usage",
    ),
    "device": ("CutOff", "DeviceClock"),
    "gateway": ("Backoff", "Gateway", "origin_of"),
    "ledger": ("Estimate", "Ledger", "Spent"),
    "sizes": ("estimate_tokens", "max_output_tokens", "most_tokens"),
    "prices": ("price_of",),
    "recording": ("RecordedReply", "Recording", "read_recording", "write_recording"),
}

__all__ = [
    "Backoff",
    "CallKey",
    "CutOff",
    "DeviceClock",
    "Estimate",
    "Failure",
    "Gateway",
    "Ledger",
    "Lost",
    "Message",
    "Meter",
    "ModelReply",
    "ModelRequest",
    "Provider",
    "ProviderError",
    "RecordedReply",
    "Recording",
    "Spent",
    "Usage",
    "estimate_tokens",
    "max_output_tokens",
    "most_tokens",
    "origin_of",
    "price_of",
    "read_recording",
    "write_recording",
]

__getattr__ = lazily(__name__, _HOMES)
