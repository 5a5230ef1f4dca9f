"""Normalises chat completions as servers really send them, so that a client library reads them without losing a reply.

Each event becomes one ``data`` line, without comments and ids. Of several choices the first is kept. Token counts that
are not counts are left out, so that they are estimated instead. A stream whose reply is complete ends, even where the
server keeps the connection open. Other protocols and broken JSON are passed on unchanged.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

from akgflow.models.base import CUT_SHORT, Meter

MOST_TOKENS = 10**12
"""A larger number is not taken for a count."""
CUTS = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
"""What servers call the end of a reply that needed more tokens than it was given; litellm knows not all of them."""
_GRACE = 10.0
"""Seconds that the usage and the end of a stream may take after the reply is complete."""
_USAGE = ("usage", "usageMetadata", "usage_metadata")
_DONE = b"[DONE]"


class WireError(Exception):
    """A response is not used; the text continues a sentence that begins with the model's name."""


class BodyRefused(WireError):
    """A body is too long, broken, or compressed in a way that was not asked for."""


class Tidier:
    """What was odd about one reply. ``others`` counts pieces of further choices, whose text counts on the meter."""

    def __init__(self, meter: Meter) -> None:
        self.odd_usage = False
        self.others = 0
        self._meter = meter
        self._complete = self._begun = False

    async def tidied(self, pieces: AsyncIterator[bytes], content_type: str) -> AsyncIterator[bytes]:
        """The body of a reply."""
        kind = content_type.lower()
        if not kind or ("event-stream" in kind and "amazon" not in kind):
            async for event in self._events(pieces):
                yield event
        elif "json" in kind and "ndjson" not in kind and "stream" not in kind:
            yield self.json(b"".join([piece async for piece in pieces]))
        else:
            async for piece in pieces:
                yield piece

    def json(self, text: bytes) -> bytes:
        """One JSON document; ``text`` itself where nothing in it is odd."""
        try:
            data = json.loads(text, parse_int=_whole)
        except (ValueError, RecursionError):
            return text
        return json.dumps(data).encode() if isinstance(data, dict) and self._tidy(data) else text

    async def _events(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        kind, data = b"", list[bytes]()
        async for line in _lines(self._patiently(pieces)):
            if line:
                field, _, value = line.partition(b":")
                if field == b"data":
                    data.append(value.removeprefix(b" "))
                elif field == b"event":
                    kind = b"event:" + value + b"\n"
                continue
            if data:
                yield self._event(kind, b"\n".join(data))
            kind, data = b"", []
        if data:
            yield self._event(kind, b"\n".join(data))

    async def _patiently(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """``pieces``, whose end or failure is awaited no longer than the grace once the reply is complete."""
        source = pieces.__aiter__()
        while True:
            try:
                async with asyncio.timeout(_GRACE if self._complete else None):
                    piece = await anext(source)
            except StopAsyncIteration:
                return
            except Exception:
                if self._complete:
                    return
                raise
            yield piece

    def _event(self, kind: bytes, data: bytes) -> bytes:
        if data.strip() == _DONE:
            end = b"" if self._complete or not self._begun else _ending()
            self._complete = True
            return end + b"data: " + _DONE + b"\n\n"
        if not data.strip():
            return b""
        if not _is_json(data):
            if self._complete:
                return b""
            raise BodyRefused(f"sent an event that is not JSON: {data[:200].decode('utf-8', 'replace')}")
        return kind + b"".join(b"data: " + line + b"\n" for line in self.json(data).split(b"\n")) + b"\n"

    def _tidy(self, data: dict[str, Any]) -> bool:
        """Tidy a decoded document in its place; False where that changed nothing."""
        changed = False
        for holder, name in _usages(data):
            changed |= self._usage(holder, name)
        choices = data.get("choices")
        if isinstance(choices, list):
            changed |= self._choices(data, choices)
        return changed

    def _choices(self, data: dict[str, Any], choices: list[Any]) -> bool:
        first = _first(choices)
        if first is not None:
            self._begun = True
            self._complete |= bool(first.get("finish_reason"))
        cut = first is not None and str(first.get("finish_reason")).lower() in CUTS - {CUT_SHORT}
        if first is not None and cut:
            first["finish_reason"] = CUT_SHORT
        others = [one for one in choices if one is not first]
        for one in others:
            self.others += 1
            self._meter.read(_text(one))
        if others:
            data["choices"] = [] if first is None else [first]
        return cut or bool(others)

    def _usage(self, holder: dict[str, Any], name: str) -> bool:
        figures = holder[name]
        if figures is None:
            return False
        if not isinstance(figures, dict):
            del holder[name]
            self.odd_usage = True
            return True
        return self._figures(figures)

    def _figures(self, figures: dict[str, Any]) -> bool:
        """Tidy figures in their place; False where that changed nothing."""
        changed = False
        for name, value in list(figures.items()):
            details = name.lower().endswith("details")
            if isinstance(value, dict) and (details or "token" not in name.lower()):
                changed |= self._figures(value)
            elif "token" in name.lower() and not _may_stay(name, value):
                changed = True
                kept = None if details else as_count(value)
                if kept is None:
                    del figures[name]
                    self.odd_usage = True
                else:
                    figures[name] = kept
        return changed


def as_count(value: Any) -> int | None:
    """A number of tokens; None for what cannot be one. ``12.0`` is 12."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def _may_stay(name: str, value: Any) -> bool:
    """True for a count, for nothing, and for the lists of details that one protocol has."""
    return (
        value is None
        or (isinstance(value, int) and value == as_count(value))
        or (name.endswith("Details") and isinstance(value, list))
    )


def _whole(digits: str) -> int | float:
    """A whole number of JSON; Python refuses to read thousands of digits."""
    return int(digits) if len(digits) < 40 else math.inf


def _usages(data: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where figures of usage are: at the top, or in the message or response that an event opens or closes."""
    for holder in (data, data.get("message"), data.get("response")):
        if isinstance(holder, dict):
            yield from ((holder, name) for name in _USAGE if name in holder)


def _first(choices: list[Any]) -> dict[str, Any] | None:
    """The choice that was asked for: the one of index 0; of whole replies that are not numbered from 0, any."""
    known = [one for one in choices if isinstance(one, dict)]
    zero = next((one for one in known if str(one.get("index") or 0) in ("0", "0.0")), None)
    return zero or next((one for one in known if "message" in one), None)


def _text(choice: Any) -> str:
    """All the text of a choice that is not kept."""
    said = [choice.get(name) for name in ("delta", "message")] if isinstance(choice, dict) else []
    return "".join(str(value) for one in said if isinstance(one, dict) for value in one.values() if value)


def _ending() -> bytes:
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data, parse_int=_whole)
    except (ValueError, RecursionError):
        return False
    return True


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines without their ends, which are LF, CRLF or CR; the last one even where its end is missing."""
    held, after_cr = bytearray(), False
    mark = b"\xef\xbb\xbf"
    async for piece in pieces:
        if after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if not piece:
            continue
        after_cr = piece.endswith(b"\r")
        for line in piece.splitlines(keepends=True):
            held += line
            if line.endswith((b"\n", b"\r")):
                yield bytes(held).rstrip(b"\r\n").removeprefix(mark)
                held.clear()
                mark = b""
    if held:
        yield bytes(held)
