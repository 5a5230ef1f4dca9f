"""Reading what litellm hands back, whole or as a stream, into plain values. Nothing here imports it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from akgflow.models._events import CUTS, as_count
from akgflow.models.base import CUT_SHORT, ENDLESS, Meter


class Unreadable(Exception):
    """What a server sent where a chat completion was asked for."""


@dataclass(frozen=True)
class Answer:
    """What a provider sent. ``usage`` is its own object of that name, None where it gave no figures.

    ``reasoning`` is what came apart from the text. ``cut`` where reading stopped because it went on beyond what it was
    asked for. ``choices`` is False for a reply that has none.
    """

    text: str
    finish_reason: str
    usage: Any = None
    cut: bool = False
    choices: bool = True
    reasoning: str = ""


def whole(response: Any) -> Answer:
    """An answer that came in one piece."""
    choices = getattr(response, "choices", None) or []
    if not choices:
        return Answer("", "", choices=False)
    message = getattr(choices[0], "message", None)
    text = _as_text(getattr(message, "content", None))
    finish = _finish(getattr(choices[0], "finish_reason", None))
    return Answer(text, finish, _figures(getattr(response, "usage", None)), reasoning=_reasoning(message))


async def streamed(stream: Any, most: int, max_bytes: int, meter: Meter) -> Answer:
    """An answer read piece by piece, and no further than ``most`` tokens and ``max_bytes``; it counts on ``meter``."""
    parts: list[str] = []
    thoughts: list[str] = []
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
                delta = getattr(choice, "delta", None)
                parts.append(_take(delta, meter))
                thoughts.append(_reasoning(delta))
                size += len(parts[-1]) + len(thoughts[-1])
            if meter.tokens > most or size > max_bytes or count(usage, "completion_tokens") > most:
                break
        else:
            reported = any(_figures(getattr(chunk, "usage", None)) for chunk in getattr(stream, "chunks", ()))
            # Where the provider gives no figures litellm guesses some.
            usage = usage if reported else None
            return Answer("".join(parts), _finish(finish), usage, choices=started, reasoning="".join(thoughts))
    finally:
        # Closing tells the server to stop: it may bill tokens that are not read.
        await stream.aclose()
    cut = meter.tokens > most or size > max_bytes
    return Answer("".join(parts), ENDLESS if cut else CUT_SHORT, usage, cut, reasoning="".join(thoughts))


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
    apart = [getattr(delta, name, None) for name in ("tool_calls", "function_call")]
    meter.read(text + _reasoning(delta) + "".join(str(value) for value in apart if value))
    return text


def _reasoning(holder: Any) -> str:
    """What a message or a piece of one holds beside its text, under either of the names that servers give it."""
    found = (getattr(holder, name, None) for name in ("reasoning_content", "reasoning"))
    return next((value for value in found if isinstance(value, str)), "")


def _finish(reason: Any) -> str:
    given = str(reason or "stop")
    return CUT_SHORT if given.lower() in CUTS else given


def _as_text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _figures(usage: Any) -> Any:
    """``usage`` where it says anything."""
    return usage if count(usage, "prompt_tokens") + count(usage, "completion_tokens") else None


def count(usage: Any, name: str) -> int:
    """A figure of a usage object; 0 where it is absent or no count."""
    return as_count(getattr(usage, name, 0)) or 0
