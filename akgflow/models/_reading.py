"""Reading what litellm hands back, whole or as a stream, into plain values. Nothing here imports it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from akgflow.models._events import as_count
from akgflow.models.base import Meter


class Unreadable(Exception):
    """What a server sent where a chat completion was asked for."""


@dataclass(frozen=True)
class Answer:
    """What a provider sent. ``usage`` is its own object of that name, None where it gave no figures.

    ``cut`` where reading stopped because it went on beyond what it was asked for. ``choices`` is False for a reply that
    has none.
    """

    text: str
    finish_reason: str
    usage: Any = None
    cut: bool = False
    choices: bool = True


def whole(response: Any) -> Answer:
    """An answer that came in one piece."""
    choices = getattr(response, "choices", None) or []
    if not choices:
        return Answer("", "", choices=False)
    text = _as_text(getattr(getattr(choices[0], "message", None), "content", None))
    finish = str(getattr(choices[0], "finish_reason", None) or "stop")
    return Answer(text, finish, _figures(getattr(response, "usage", None)))


async def streamed(stream: Any, most: int, max_bytes: int, meter: Meter) -> Answer:
    """An answer read piece by piece, and no further than ``most`` tokens and ``max_bytes``; it counts on ``meter``."""
    parts: list[str] = []
    finish, usage, started, size = "", None, False, 0
    try:
        plain = await _not_streamed(stream)
        if plain is not None:
            return plain
        async for chunk in stream:
            usage = _figures(getattr(chunk, "usage", None)) or usage
            for choice in getattr(chunk, "choices", None) or []:
                started = True
                finish = str(getattr(choice, "finish_reason", None) or finish)
                parts.append(_take(getattr(choice, "delta", None), meter))
                size += len(parts[-1])
            if meter.tokens > most or size > max_bytes or count(usage, "completion_tokens") > most:
                break
        else:
            reported = any(_figures(getattr(chunk, "usage", None)) for chunk in getattr(stream, "chunks", ()))
            # Where the provider gives no figures litellm guesses some.
            return Answer("".join(parts), finish or "stop", usage if reported else None, choices=started)
    finally:
        # Closing tells the server to stop: it may bill tokens that are not read.
        await stream.aclose()
    return Answer("".join(parts), "length", usage, cut=meter.tokens > most or size > max_bytes)


async def _not_streamed(stream: Any) -> Answer | None:
    """The answer of a server that sends it whole although a stream was asked for; None where a stream comes."""
    inner = getattr(stream, "completion_stream", None)
    held = (getattr(inner, name, None) for name in ("response", "http_response", "_response"))
    response = next((one for one in held if hasattr(one, "aread") and hasattr(one, "headers")), None)
    if response is None or "event-stream" in response.headers.get("content-type", "event-stream"):
        return None
    body = (await response.aread()).decode("utf-8", "replace")
    try:
        data = json.loads(body, object_hook=lambda fields: SimpleNamespace(**fields))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(getattr(data, "choices", None), list):
        raise Unreadable(body or "an empty body")
    return whole(data)


def _take(delta: Any, meter: Meter) -> str:
    """The text of one piece; reasoning and calls of tools, which models write apart, are paid for as well."""
    text = _as_text(getattr(delta, "content", None))
    apart = [getattr(delta, name, None) for name in ("reasoning_content", "tool_calls", "function_call")]
    meter.read(text + "".join(str(value) for value in apart if value))
    return text


def _as_text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _figures(usage: Any) -> Any:
    """``usage`` where it says anything."""
    return usage if count(usage, "prompt_tokens") + count(usage, "completion_tokens") else None


def count(usage: Any, name: str) -> int:
    """A figure of a usage object; 0 where it is absent or no count."""
    return as_count(getattr(usage, name, 0)) or 0
